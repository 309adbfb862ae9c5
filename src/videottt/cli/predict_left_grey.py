"""Leave a video grey: the control for the scores of colorization."""

import argparse

from videottt.cli.arguments import from_options
from videottt.cli.job_arguments import add_fixed_job


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    add_fixed_job(parser)


def run(options: argparse.Namespace) -> None:
    """Run the verb."""
    from videottt.models.baselines.left_grey import left_grey
    from videottt.ttt.frame_by_frame import FixedJob, predict_frame_by_frame

    predict_frame_by_frame(from_options(FixedJob, options), left_grey)
