"""Verbs of rules/checkpoints.smk: checkpoints of other programs, in and out."""

import argparse
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from videottt.cli.arguments import add_verb, settings
from videottt.core.files import sha256

logger = logging.getLogger(__name__)


def add_verbs(verbs: Any) -> None:
    """Add `import-checkpoint` and `export-checkpoint`."""
    verb = add_verb(verbs, "import-checkpoint", import_checkpoint)
    verb.add_argument(
        "--from", dest="source", required=True, type=Path, metavar="FILE",
        help="Mask2Former (detectron2 or Hugging Face), the authors' release, or Swin Transformer",
    )  # fmt: skip
    verb.add_argument("--task", required=True, help="that the head is, or will be, trained for")
    verb.add_argument("--model", help="preset whose sizes the file must have; by default any")
    verb.add_argument(
        "--settings", required=True, type=settings,
        help="JSON: classes and things of the data set, in the order of the file's indices",
    )  # fmt: skip
    verb.add_argument(
        "--fourth-channel", choices=("zeros", "scratch"),
        help="of a patch embedding of three channels: zeros, or drawn anew as in the paper",
    )  # fmt: skip
    verb.add_argument("--seed", type=int, default=0, help="of weights that the file has not")
    verb.add_argument("--output", required=True, type=Path)

    verb = add_verb(verbs, "export-checkpoint", export_checkpoint)
    verb.add_argument("--checkpoint", required=True, type=Path)
    verb.add_argument("--output", required=True, type=Path, help="pickle for detectron2")


@dataclass(frozen=True)
class _ImportSettings:
    classes: tuple[str, ...] = ()
    things: tuple[str, ...] = ()


def import_checkpoint(options: argparse.Namespace) -> None:
    """Turn a checkpoint of Mask2Former, of the authors' release or of Swin into one of ours."""
    from videottt.core.provenance import provenance
    from videottt.core.segments import ClassSpace
    from videottt.core.settings import build_settings
    from videottt.models import convert
    from videottt.models.checkpoint import save_checkpoint
    from videottt.tasks import head_of, model_classes

    values = build_settings(_ImportSettings, options.settings, "import")
    space = ClassSpace(values.classes, values.things)
    found = convert.import_checkpoint(
        options.source,
        options.task,
        model_classes(options.task, space),
        head_of(options.task),
        model=options.model,
        fourth_channel=options.fourth_channel,
        seed=options.seed,
    )
    parts = {"h": found.has_head, "g": found.has_decoder}
    absent = [name for name, there in parts.items() if not there]
    logger.info(
        "%s: %s; %s",
        options.source,
        found.title,
        f"without {' and '.join(absent)}: to be trained" if absent else "with f, h and g",
    )
    made = provenance(
        imported=options.source.name,
        sha256=sha256(options.source),
        task=options.task,
        model=options.model,
        fourth_channel=options.fourth_channel,
        seed=options.seed,
        untrained=absent,
    )
    save_checkpoint(
        options.output,
        found.model,
        found.classes,
        space,
        decoder=found.has_decoder,
        provenance=made,
    )


def export_checkpoint(options: argparse.Namespace) -> None:
    """Write a checkpoint under detectron2's names, as the authors' release reads it."""
    from videottt.models import convert
    from videottt.models.checkpoint import load_checkpoint

    convert.export_checkpoint(options.output, load_checkpoint(options.checkpoint))
