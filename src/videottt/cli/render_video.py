"""Render the predictions of the fixed model and of a method side by side, as a video."""

import argparse

from videottt.cli.arguments import from_options
from videottt.cli.report_arguments import add_film, add_pair, add_unscored


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the verb takes."""
    add_pair(parser)
    add_unscored(parser)
    add_film(parser)


def run(options: argparse.Namespace) -> None:
    """Run the verb."""
    from videottt.report.figures.opened import PairFiles
    from videottt.report.figures.video import render_pair

    render_pair(
        from_options(PairFiles, options),
        options.labels,
        options.scored,
        options.output,
        options.sound,
    )
