"""Render a video (or, without phases, training stills) of the embedded benchmark.

Written in the layout of a real data set below the output folder.
"""

import argparse
from pathlib import Path

from videottt.cli.arguments import settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the verb takes."""
    parser.add_argument("--split", required=True)
    parser.add_argument("--video", required=True)
    parser.add_argument(
        "--settings",
        required=True,
        type=settings,
        help='JSON: size, seed, frames and, for a video, phases [{"place", "light"}]; '
        "optional layout, label_every, classes, things",
    )
    parser.add_argument("--output", required=True, type=Path, help="folder to write")


def run(options: argparse.Namespace) -> None:
    """Run the verb."""
    from videottt.core.settings import build_settings
    from videottt.data.synthetic.writing import RenderSettings, write_rendered

    write_rendered(
        split=options.split,
        video=options.video,
        settings=build_settings(RenderSettings, options.settings, "render"),
        output=options.output,
    )
