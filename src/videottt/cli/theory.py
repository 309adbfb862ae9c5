"""Measure the gradients of both losses on every labelled frame of a video.

The gradients are taken at the weights of the checkpoint (theta_0), with respect to the encoder. The
output holds their inner products, from which `plot-theory` computes every estimate in seconds.
"""

import argparse

from videottt.cli.arguments import add_device, from_options, settings
from videottt.core.paths import named_path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("--frames", required=True, type=named_path, help="frame store of the video")
    parser.add_argument("--checkpoint", required=True, type=named_path, help="joint checkpoint")
    parser.add_argument("--task", required=True)
    parser.add_argument("--settings", required=True, type=settings, help="JSON: of the method")
    parser.add_argument("--seed", required=True, type=int)
    parser.add_argument("--length", type=int, help="frames to use; by default all with labels")
    parser.add_argument("--masks", type=int, default=8, help="masks of a frame for the objective")
    parser.add_argument("--point-draws", type=int, default=4, help="draws of the task's points")
    parser.add_argument("--dimension", type=int, default=16384, help="length of a sketch")
    add_device(parser)
    parser.add_argument("--output", required=True, type=named_path)


def run(options: argparse.Namespace) -> None:
    """Run the verb."""
    from videottt.evaluation.theory.gradients import Sampling
    from videottt.evaluation.theory.job import measure_theory
    from videottt.ttt.job import StreamJob

    job, sampling = from_options(StreamJob, options), from_options(Sampling, options)
    measure_theory(job, sampling, options.length)
