"""Measure whether test-time training can work with a checkpoint on a labelled video.

Measured at the checkpoint's weights, on some labelled frames: reconstruction beside inpainting, the
gradients of both losses, and one step along, against and at random.
"""

import argparse

from videottt.cli.arguments import add_device, from_options
from videottt.cli.job_arguments import add_stream
from videottt.core.paths import named_path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    add_stream(parser)
    parser.add_argument(
        "--stills", nargs="*", default=[], type=named_path,
        help="frame stores or folders of the training stills, to reconstruct them, too",
    )  # fmt: skip
    parser.add_argument(
        "--frames-used", type=int, default=8, help="labelled frames, spread evenly (default: 8)"
    )
    parser.add_argument("--masks", type=int, default=4, help="masks of a frame (default: 4)")
    parser.add_argument(
        "--point-draws", type=int, default=2, help="draws of the task's points (default: 2)"
    )
    parser.add_argument(
        "--random-steps", type=int, default=3, help="random steps of a frame (default: 3)"
    )
    add_device(parser)
    parser.add_argument("--output", required=True, type=named_path)


def run(options: argparse.Namespace) -> None:
    """Run the verb."""
    from videottt.evaluation.diagnosis.job import diagnose_video
    from videottt.evaluation.diagnosis.sampling import Sampling
    from videottt.ttt.job import StreamJob

    job, sampling = from_options(StreamJob, options), from_options(Sampling, options)
    diagnose_video(job, sampling, options.stills)
