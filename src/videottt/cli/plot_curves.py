"""Plot the score of each method over the course of a video."""

import argparse

from videottt.cli.arguments import from_options
from videottt.cli.report_arguments import add_files, add_methods
from videottt.core.paths import named_path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("--scores", required=True, nargs="+", type=named_path)
    add_methods(parser)
    parser.add_argument("--baseline", help="method that the lower panel subtracts")
    add_files(parser, "png", "pdf")


def run(options: argparse.Namespace) -> None:
    """Run the verb."""
    from videottt.report.figures.curves import plot_curves
    from videottt.report.figures.style import FigureFiles

    plot_curves(
        options.scores,
        options.methods,
        options.labels,
        options.baseline,
        from_options(FigureFiles, options),
    )
