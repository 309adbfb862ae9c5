"""Plot the trials from which the hyper-parameters of each method were selected."""

import argparse

from videottt.cli.arguments import from_options, names
from videottt.cli.report_arguments import add_files, add_labels
from videottt.core.paths import named_path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument(
        "--grids", required=True, nargs="+", type=named_path, help="CSV of `select`"
    )
    parser.add_argument("--methods", required=True, type=names, help="ids, one a grid")
    parser.add_argument("--task", required=True, help="task whose metric was maximised")
    add_labels(parser)
    add_files(parser, "png", "pdf")


def run(options: argparse.Namespace) -> None:
    """Run the verb."""
    from videottt.report.figures.selection import plot_selection
    from videottt.report.figures.style import FigureFiles

    plot_selection(
        options.grids,
        options.methods,
        options.task,
        options.labels,
        from_options(FigureFiles, options),
    )
