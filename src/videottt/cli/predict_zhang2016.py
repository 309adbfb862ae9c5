"""Colourise a video frame by frame with the published network of Zhang et al., 2016."""

import argparse
import functools

from videottt.cli.arguments import from_options
from videottt.cli.job_arguments import add_fixed_job
from videottt.core.paths import named_path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("--weights", required=True, type=named_path,
                        help="the published colorization_release_v2-9b330a0b.pth")  # fmt: skip
    add_fixed_job(parser)


def run(options: argparse.Namespace) -> None:
    """Run the verb."""
    from videottt.models.baselines.zhang2016 import zhang2016
    from videottt.ttt.frame_by_frame import FixedJob, predict_frame_by_frame

    method_for = functools.partial(zhang2016, weights=options.weights)
    predict_frame_by_frame(from_options(FixedJob, options), method_for)
