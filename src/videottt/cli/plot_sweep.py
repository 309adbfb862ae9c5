"""Plot the score of a method against one of its settings, such as the window size."""

import argparse

from videottt.cli.arguments import from_options, names
from videottt.cli.report_arguments import add_files, add_labels, add_metrics


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    add_metrics(parser)
    parser.add_argument("--method", required=True, help="id of the method that was varied")
    parser.add_argument("--setting", required=True, help="for example window")
    parser.add_argument("--base-value", help="of the method itself: a number or all")
    parser.add_argument("--fixed", default=[], type=names, help="ids that are horizontal lines")
    add_labels(parser)
    add_files(parser, "png", "pdf")


def run(options: argparse.Namespace) -> None:
    """Run the verb."""
    from videottt.report.figures.style import FigureFiles
    from videottt.report.figures.sweep import Sweep, plot_sweep

    sweep = Sweep(options.method, options.setting, options.base_value)
    plot_sweep(
        options.metrics, sweep, options.fixed, options.labels, from_options(FigureFiles, options)
    )
