"""Make a checkpoint of one that others trained, instead of training it."""

import logging
from pathlib import Path

from videottt.core.files import sha256
from videottt.core.provenance import provenance
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
    """Turn a checkpoint of Mask2Former, of the authors' release or of Swin into one of ours.

    Args:
        source: file to read; see `models.convert.import_checkpoint`, also of what follows.
        task: that the head is, or will be, trained for.
        space: classes of the data set, in the order of the file's indices.
        output: checkpoint to write.
        model: preset whose sizes the file must have; by default any.
        fourth_channel: how a patch embedding of three channels gets its fourth.
        seed: of weights that the file has not.

    Raises:
        InputError: there is no such task, or the file does not fit it.
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
    untrained = [name for name, there in parts.items() if not there]
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
        provenance=made,
    )
