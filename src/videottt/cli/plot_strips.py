"""Plot the adjacent frames where a method gains and loses most against the fixed model."""

import argparse

from videottt.cli.arguments import from_options
from videottt.cli.report_arguments import add_files, add_pair


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    add_pair(parser)
    add_files(parser, "png", "pdf")


def run(options: argparse.Namespace) -> None:
    """Run the verb."""
    from videottt.report.figures.opened import PairFiles
    from videottt.report.figures.strips import plot_strips
    from videottt.report.figures.style import FigureFiles

    plot_strips(
        from_options(PairFiles, options), options.labels, from_options(FigureFiles, options)
    )
