"""Segment a video frame by frame with a published network for Cityscapes."""

import argparse
import functools

from videottt.cli.arguments import from_options
from videottt.cli.job_arguments import add_fixed_job
from videottt.core.paths import named_path

# Ids of videottt.models.baselines.segmenters, which a parser need not import torch for.
NETWORKS = ("segformer_b4", "deeplabv3plus_r101")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("--network", required=True, choices=NETWORKS)
    parser.add_argument(
        "--method", required=True, help="id of the method, for the result's attributes"
    )
    parser.add_argument(
        "--weights", required=True, type=named_path, help="as its authors published them"
    )
    parser.add_argument(
        "--shortest-edge", required=True, type=int, help="shortest edge of a frame, in pixels"
    )
    parser.add_argument(
        "--longest-edge", required=True, type=int, help="most pixels of the longest edge"
    )
    add_fixed_job(parser)


def run(options: argparse.Namespace) -> None:
    """Run the verb."""
    from videottt.models.baselines.segmenters import segmenter
    from videottt.ttt.frame_by_frame import FixedJob, predict_frame_by_frame

    method_for = functools.partial(
        segmenter,
        network=options.network,
        method=options.method,
        weights=options.weights,
        shortest_edge=options.shortest_edge,
        longest_edge=options.longest_edge,
    )
    predict_frame_by_frame(from_options(FixedJob, options), method_for)
