"""Run a method on your own video; no labels are needed.

Writes into the output folder: frames.h5, the predictions of the method and those of the same model
without learning, side_by_side.mp4, and for colorization the film in colour. Each step prints the
command that does it alone. After a stop or a kill, the same command goes on inside the video.

Examples:
    videottt run clip.mp4
    videottt run clip.mp4 --task panoptic
    videottt run clip.mp4 --checkpoint joint.safetensors --method online_ttt_mae,window=4
    videottt run frames/ --fps 10 --task colorization --device cuda
"""

import argparse

from videottt.cli.arguments import add_config, add_device, from_options, settings
from videottt.core.paths import named_path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("video", type=named_path, help="a video file, or a folder of images")
    parser.add_argument(
        "--task",
        help="semantic, instance, panoptic or colorization; by default the task that the "
        "checkpoint was trained for, or semantic",
    )
    parser.add_argument(
        "--checkpoint",
        type=named_path,
        help="file of a checkpoint (TTT-MAE needs one of joint training), or the id of one that "
        "ships with videottt: videottt list checkpoints; by default the one for the task",
    )
    parser.add_argument(
        "--method",
        default="online_ttt_mae",
        help="id of a method, or a variant such as online_ttt_mae,window=4",
    )
    parser.add_argument(
        "--fps",
        type=float,
        help="of a video file, the most frames a second to use (default: all); of a folder of "
        "images, its frames a second (required)",
    )
    add_config(parser)
    parser.add_argument(
        "--study",
        help="study whose settings are used; by default that for models like the checkpoint's",
    )
    parser.add_argument(
        "--override",
        default={},
        type=settings,
        help="JSON of settings to change, such as '{\"optimizer.learning_rate\": 1e-4}'",
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="seed of every random draw (default: 0)"
    )
    add_device(parser)
    parser.add_argument(
        "--output", type=named_path, help="folder; by default results/own/<name>/<task>"
    )


def run(options: argparse.Namespace) -> None:
    """Run the verb."""
    from videottt.study.own_video import OwnVideo, run_own_video

    run_own_video(from_options(OwnVideo, options))
