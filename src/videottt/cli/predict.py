"""Stream one video through one method and cache every frame's prediction and time.

Killed at any moment, the same command goes on where the last state was saved.
"""

import argparse
from pathlib import Path

from videottt.cli.arguments import add_device, add_saving, from_options
from videottt.cli.job_arguments import add_stream


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the verb takes."""
    add_stream(parser)
    parser.add_argument("--looks", type=int, default=4, help="reconstructions to keep for a figure")
    add_device(parser)
    add_saving(parser)
    parser.add_argument("--output", required=True, type=Path)


def run(options: argparse.Namespace) -> None:
    """Run the verb."""
    from videottt.ttt.job import StreamJob, predict_video

    predict_video(from_options(StreamJob, options))
