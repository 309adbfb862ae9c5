"""Plot the masked input, the reconstruction and the prediction of frames of a video."""

import argparse

from videottt.cli.arguments import from_options
from videottt.cli.report_arguments import add_files, add_pair, add_unscored


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
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
