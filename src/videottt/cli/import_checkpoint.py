"""Turn a checkpoint of Mask2Former, of the authors' release or of Swin into one of ours."""

import argparse
from pathlib import Path

from videottt.cli.arguments import settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the verb takes."""
    parser.add_argument(
        "--from", dest="source", required=True, type=Path, metavar="FILE",
        help="Mask2Former (detectron2 or Hugging Face), the authors' release, or Swin Transformer",
    )  # fmt: skip
    parser.add_argument("--task", required=True, help="that the head is, or will be, trained for")
    parser.add_argument("--model", help="preset whose sizes the file must have; by default any")
    parser.add_argument(
        "--settings", required=True, type=settings,
        help="JSON: classes and things of the data set, in the order of the file's indices",
    )  # fmt: skip
    parser.add_argument(
        "--fourth-channel", choices=("zeros", "scratch"),
        help="of a patch embedding of three channels: zeros, or drawn anew as in the paper",
    )  # fmt: skip
    parser.add_argument("--seed", type=int, default=0, help="of weights that the file has not")
    parser.add_argument("--output", required=True, type=Path)


def run(options: argparse.Namespace) -> None:
    """Run the verb."""
    from videottt.core.segments import ClassSpace
    from videottt.core.settings import build_settings
    from videottt.training.imported import import_for_task

    import_for_task(
        options.source,
        options.task,
        build_settings(ClassSpace, {"classes": [], **options.settings}, "import"),
        options.output,
        model=options.model,
        fourth_channel=options.fourth_channel,
        seed=options.seed,
    )
