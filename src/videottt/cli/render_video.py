r"""Render the predictions of a method beside those of the fixed model as a video.

Example:
    videottt render-video --unscored --frames frames.h5 --fixed without_learning.h5 \
      --predictions online_ttt_mae.h5 --output side_by_side.mp4
"""

import argparse

from videottt.cli.arguments import from_options
from videottt.cli.report_arguments import add_film, add_pair, add_unscored


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
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
