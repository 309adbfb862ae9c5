"""Plot how the hyper-parameters of each method were selected, trial by trial."""

import argparse
from pathlib import Path

from videottt.cli.arguments import from_options, names
from videottt.cli.report_arguments import add_files, add_labels


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the verb takes."""
    parser.add_argument("--grids", required=True, nargs="+", type=Path, help="CSV of `select`")
    parser.add_argument("--methods", required=True, type=names, help="ids, one a grid")
    parser.add_argument("--task", required=True, help="whose metric was maximised")
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
