"""Plot what the model saw, what it reconstructed and what it predicted, frame by frame."""

import argparse

from videottt.cli.report_arguments import add_files, add_pair, add_unscored


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the verb takes."""
    add_pair(parser)
    add_unscored(parser)
    add_files(parser, "png", "pdf")


def run(options: argparse.Namespace) -> None:
    """Run the verb."""
    from videottt.report.figures.reconstruction import plot_reconstruction

    plot_reconstruction(
        options.frames,
        options.fixed,
        options.predictions,
        options.labels,
        options.scored,
        options.png,
        options.pdf,
    )
