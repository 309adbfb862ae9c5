"""Add the arguments of the verbs that run a model on a video."""

import argparse

from videottt.cli.arguments import add_device, add_saving, settings
from videottt.core.paths import named_path


def add_stream(parser: argparse.ArgumentParser) -> None:
    """Add the arguments for the video, the checkpoint, the method and the seed."""
    parser.add_argument("--frames", required=True, type=named_path, help="frame store of the video")
    parser.add_argument(
        "--checkpoint",
        required=True,
        type=named_path,
        help="checkpoint that the method starts from",
    )
    parser.add_argument(
        "--task", required=True, help="semantic, instance, panoptic or colorization"
    )
    parser.add_argument(
        "--method",
        required=True,
        help="id of the method, noted in the output; --settings decide what runs",
    )
    parser.add_argument(
        "--settings", required=True, type=settings, help="JSON: settings of the method"
    )
    parser.add_argument("--selection", nargs="*", default=[], type=named_path,
                        help="JSON of selected values; the last file wins")  # fmt: skip
    parser.add_argument("--override", default={}, type=settings,
                        help="JSON: {dotted setting: value}; these values win")  # fmt: skip
    parser.add_argument("--seed", required=True, type=int, help="seed of every random draw")


def add_fixed_job(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of a network that does not learn: its video, device and output."""
    parser.add_argument("--frames", required=True, type=named_path, help="frame store of the video")
    parser.add_argument("--seed", required=True, type=int, help="for the result's attributes only")
    add_device(parser)
    add_saving(parser)
    parser.add_argument("--output", required=True, type=named_path)
