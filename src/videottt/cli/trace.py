"""Learn from single frames of a video, each from the checkpoint, and save every step."""

import argparse

from videottt.cli.arguments import add_device, from_options
from videottt.cli.job_arguments import add_stream
from videottt.core.paths import named_path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    add_stream(parser)
    parser.add_argument(
        "--frame", type=_indices, default=[], dest="indices",
        help="indices, separated by commas; by default 3 labelled frames spread over the video",
    )  # fmt: skip
    parser.add_argument("--steps", type=_count, default=20, help="gradient steps on each frame")
    add_device(parser)
    parser.add_argument("--output", required=True, type=named_path)


def _indices(text: str) -> list[int]:
    """Read indices of frames separated by commas, each once."""
    try:
        return list(dict.fromkeys(int(part) for part in text.split(",")))
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is not numbers separated by commas") from None


def _count(text: str) -> int:
    """Read a number of steps, at least 1."""
    if not (text.isdecimal() and int(text)):
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number, at least 1")
    return int(text)


def run(options: argparse.Namespace) -> None:
    """Run the verb."""
    from videottt.ttt.job import StreamJob
    from videottt.ttt.trace import trace_video

    trace_video(from_options(StreamJob, options), options.indices, options.steps)
