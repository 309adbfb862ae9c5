"""Write a checkpoint from a foreign file of weights instead of training one."""

import logging
from pathlib import Path

from videottt.core.files import sha256
from videottt.core.provenance import provenance, recorded
from videottt.core.segments import ClassSpace
from videottt.models.checkpoint import save_checkpoint
from videottt.models.convert import import_checkpoint
from videottt.tasks import head_of, model_classes

logger = logging.getLogger(__name__)


def import_for_task(
    source: Path,
    task: str,
    space: ClassSpace,
    output: Path,
    *,
    model: str | None = None,
    fourth_channel: str | None = None,
    seed: int = 0,
) -> None:
    """Convert a checkpoint of Mask2Former, of the authors' release or of Swin Transformer.

    Args:
        source: file to read; see `models.convert.import_checkpoint` for its formats.
        task: task of the head h.
        space: classes of the data set, in the order of the file's class indices.
        output: checkpoint to write.
        model: preset whose sizes the file must have; by default any.
        fourth_channel: "zeros" or "scratch": initial weights of the patch embedding's fourth
            channel, for files with three channels.
        seed: of new weights, for parameters that the file does not have.

    Raises:
        InputError: the task does not exist, or the file cannot be read or does not fit the task.
    """
    imported = import_checkpoint(
        source,
        task,
        model_classes(task, space),
        head_of(task),
        model=model,
        fourth_channel=fourth_channel,
        seed=seed,
    )
    parts = {"h": imported.has_head, "g": imported.has_decoder}
    untrained = [name for name, stored in parts.items() if not stored]
    logger.info(
        "%s: %s; %s",
        source,
        imported.title,
        f"without {' and '.join(untrained)}: to be trained" if untrained else "with f, h and g",
    )
    made = provenance(
        imported=source.name,
        sha256=sha256(source),
        task=task,
        model=model,
        fourth_channel=fourth_channel,
        seed=seed,
        untrained=untrained,
    )
    save_checkpoint(
        output,
        imported.model,
        imported.classes,
        space,
        decoder=imported.has_decoder,
        provenance=recorded(made),
    )
