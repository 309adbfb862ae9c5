"""Plot the pooled mIoU, AP, PQ or PSNR of each method on each data set, task and split."""

import argparse

from videottt.cli.arguments import from_options
from videottt.cli.report_arguments import add_files, add_methods, add_metrics


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    add_metrics(parser)
    add_methods(parser)
    parser.add_argument("--baseline", help="method whose mean is a line across all bars")
    add_files(parser, "png", "pdf")


def run(options: argparse.Namespace) -> None:
    """Run the verb."""
    from videottt.report.figures.bars import plot_bars
    from videottt.report.figures.style import FigureFiles

    plot_bars(
        options.metrics,
        options.methods,
        options.labels,
        options.baseline,
        from_options(FigureFiles, options),
    )
