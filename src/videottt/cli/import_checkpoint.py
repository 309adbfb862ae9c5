r"""Convert a checkpoint of Mask2Former, the authors' release or Swin to this package's format.

Example:
    videottt import-checkpoint --from model_final.pkl --task semantic \
      --settings @classes.json --output start.safetensors
"""

import argparse

from videottt.cli.arguments import settings
from videottt.core.paths import named_path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument(
        "--from", dest="source", required=True, type=named_path, metavar="FILE",
        help="Mask2Former (detectron2 or Hugging Face), the authors' release, or Swin Transformer",
    )  # fmt: skip
    parser.add_argument(
        "--task", required=True, help="task that the head is, or will be, trained for"
    )
    parser.add_argument("--model", help="preset whose sizes the file must have; by default any")
    parser.add_argument(
        "--settings", required=True, type=settings,
        help="JSON: classes and things of the data set, in the order of the file's indices",
    )  # fmt: skip
    parser.add_argument(
        "--fourth-channel", choices=("zeros", "scratch"),
        help="how to add it to a patch embedding of three: zeros, or random weights "
        "as in the paper",
    )  # fmt: skip
    parser.add_argument(
        "--seed", type=int, default=0, help="seed of the weights that the file lacks"
    )
    parser.add_argument("--output", required=True, type=named_path)


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
