"""Plot what the model saw, what it reconstructed and what it predicted, frame by frame."""

import argparse

from videottt.cli.arguments import from_options
from videottt.cli.report_arguments import add_files, add_pair, add_unscored


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the verb takes."""
    add_pair(parser)
    add_unscored(parser)
    add_files(parser, "png", "pdf")


def run(options: argparse.Namespace) -> None:
    """Run the verb."""
    from videottt.report.figures.opened import PairFiles
    from videottt.report.figures.reconstruction import plot_reconstruction
    from videottt.report.figures.style import FigureFiles

    plot_reconstruction(
        from_options(PairFiles, options),
        options.labels,
        options.scored,
        from_options(FigureFiles, options),
    )
