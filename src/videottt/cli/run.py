"""Run one method on a video of one's own; no labels are needed.

Writes, into the output folder: frames.h5, the predictions of the method and of the same model
without learning, side_by_side.mp4, and the film in colour where that is the task. Every step is the
command that it says, which works by hand. Stopped or killed, the same command goes on inside the
video.
"""

import argparse
from pathlib import Path

from videottt.cli.arguments import add_device, from_options, settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the verb takes."""
    parser.add_argument("video", type=Path, help="a video file, or a folder of images")
    parser.add_argument(
        "--task", required=True, help="semantic, instance, panoptic or colorization"
    )
    parser.add_argument(
        "--checkpoint", required=True, type=Path, help="of that task; joint, for TTT-MAE"
    )
    parser.add_argument(
        "--method",
        default="online_ttt_mae",
        help="of config.yaml, or a variant such as online_ttt_mae,window=4",
    )
    parser.add_argument(
        "--fps",
        type=float,
        help="frames a second that are taken at most, by default all; of a folder: their rate",
    )
    parser.add_argument("--config", default=Path("config.yaml"), type=Path)
    parser.add_argument(
        "--study",
        help="whose settings are used; by default the first in config.yaml with that model",
    )
    parser.add_argument(
        "--override", default={}, type=settings, help="JSON: {dotted setting of the method: value}"
    )
    parser.add_argument("--seed", type=int, default=0)
    add_device(parser)
    parser.add_argument("--output", type=Path, help="folder; by default results/own/<name>/<task>")


def run(options: argparse.Namespace) -> None:
    """Run the verb."""
    from videottt.study.own_video import OwnVideo, run_own_video

    run_own_video(from_options(OwnVideo, options))
