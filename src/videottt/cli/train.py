"""Train a model on still images: for its task alone, or jointly with masked reconstruction.

With torchrun, N processes train on a GPU each; the numbers are equal up to the order of sums. After
a kill, the same command goes on from the last saved state.

Example:
    torchrun --standalone --nproc-per-node 2 -m videottt train ...
"""

import argparse

from videottt.cli.arguments import add_device, add_saving, from_options, settings
from videottt.core.paths import named_path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument(
        "--frames",
        required=True,
        nargs="+",
        type=named_path,
        help="frame stores of stills, or folders of images, which have no labels",
    )
    parser.add_argument("--task", required=True)
    parser.add_argument(
        "--model",
        required=True,
        help="preset: tiny, lite or swin_small; or any name, of the model in the settings",
    )
    parser.add_argument(
        "--settings",
        required=True,
        type=settings,
        help="JSON: training, augmentation; and model, the sizes of one that is no preset",
    )
    parser.add_argument("--seed", required=True, type=int)
    parser.add_argument(
        "--stage",
        default="training",
        help="id of the checkpoint: two stages with one seed see other samples and masks",
    )
    parser.add_argument(
        "--initial",
        type=named_path,
        help="checkpoint whose encoder and head the training starts from",
    )
    add_device(parser)
    add_saving(parser)
    parser.add_argument("--history", required=True, type=named_path, help="CSV of the losses")
    parser.add_argument("--output", required=True, type=named_path)


def run(options: argparse.Namespace) -> None:
    """Run the verb."""
    from videottt.training.job import TrainingJob, train_checkpoint

    train_checkpoint(from_options(TrainingJob, options))
