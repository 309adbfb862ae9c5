"""Render predicted images as a film, such as an old film in colour."""

import argparse

from videottt.cli.report_arguments import add_film, add_frames
from videottt.core.paths import named_path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    add_frames(parser)
    parser.add_argument("--predictions", required=True, type=named_path, help="images")
    add_film(parser)


def run(options: argparse.Namespace) -> None:
    """Run the verb."""
    from videottt.report.figures.film import render_prediction

    render_prediction(options.frames, options.predictions, options.output, options.sound)
