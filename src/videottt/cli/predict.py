"""Run a method on a frame store and save the prediction and time of every frame.

After a kill, the same command goes on from the last saved state. `videottt run` prints the commands
of this verb that it runs, with all their settings.
"""

import argparse

from videottt.cli.arguments import add_device, add_saving, from_options
from videottt.cli.job_arguments import add_stream
from videottt.core.paths import named_path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    add_stream(parser)
    parser.add_argument(
        "--looks", type=int, default=4, help="number of reconstructions to keep for a figure"
    )
    add_device(parser)
    add_saving(parser)
    parser.add_argument(
        "--output", required=True, type=named_path, help="predictions to write, HDF5"
    )


def run(options: argparse.Namespace) -> None:
    """Run the verb."""
    from videottt.ttt.job import StreamJob, predict_video

    predict_video(from_options(StreamJob, options))
