"""Checkpoints: safetensors, with the model's sizes, the classes and the provenance beside them.

Metadata of format version 2: ``format``, ``version``, and as JSON ``preset`` (sizes), ``head``
(what h says: segments or colours), ``classes`` (that h names), ``space`` (classes and things of the
data set that it was trained on), ``decoder`` (whether g was trained) and ``provenance``.
"""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
from torch import Tensor

from videottt.core.errors import InputError, absent
from videottt.core.files import complete_file
from videottt.core.segments import ClassSpace
from videottt.core.settings import build_settings
from videottt.models.baselines.published import differences
from videottt.models.presets import preset_from, sizes_of
from videottt.models.y_shaped import YShapedModel

FORMAT = "videottt checkpoint"
VERSION = "2"
# What its metadata say in JSON.
FACTS = ("preset", "head", "classes", "space", "decoder", "provenance")


@dataclass(frozen=True)
class Checkpoint:
    """A model read from a file.

    Attributes:
        model: with its weights, in eval mode, on the CPU.
        classes: that h names; none where it says colours.
        space: the classes of the data set that it was trained on.
        has_decoder: whether the decoder g was trained (false for `main_task`).
        provenance: how the file was made.
    """

    model: YShapedModel
    classes: list[str]
    space: ClassSpace
    has_decoder: bool
    provenance: dict[str, Any]


def save_checkpoint(
    path: Path,
    model: YShapedModel,
    classes: list[str],
    space: ClassSpace,
    *,
    decoder: bool,
    provenance: dict[str, Any],
) -> None:
    """Write a model, whole or not at all; without its decoder g if that was not trained.

    Args:
        path: of the file.
        model: to write.
        classes: names of those that h names.
        space: the classes of the data set that it was trained on.
        decoder: whether g was trained.
        provenance: how the file is made.
    """
    tensors: dict[str, Tensor] = {
        name: tensor.detach().cpu().contiguous()
        for name, tensor in model.state_dict().items()
        if decoder or not name.startswith("decoder.")
    }
    metadata = {
        "format": FORMAT,
        "version": VERSION,
        "preset": json.dumps(sizes_of(model.preset)),
        "head": json.dumps(model.says),
        "classes": json.dumps(classes),
        "space": json.dumps(dataclasses.asdict(space)),
        "decoder": json.dumps(decoder),
        "provenance": json.dumps(provenance, sort_keys=True),
    }
    with complete_file(path) as part:
        part.write_bytes(_ordered(safetensors.torch.save(tensors, metadata=metadata)))


def _ordered(content: bytes) -> bytes:
    """Return a safetensors file with its header in one order: its writer shuffles the metadata."""
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:end])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + content[end:]


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a model.

    Raises:
        InputError: the file is absent, is no checkpoint of this format, or lacks parameters.
    """
    if not path.is_file():
        raise absent(path, "checkpoint")
    try:
        with safetensors.safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except safetensors.SafetensorError as error:
        raise InputError(f"{path}: not a readable safetensors file ({error})") from None
    if (metadata.get("format"), metadata.get("version")) != (FORMAT, VERSION):
        raise InputError(
            f"{path}: is not a '{FORMAT}' of version {VERSION}; train it with this program, "
            "or 'videottt import-checkpoint' it"
        )
    try:
        facts = {name: json.loads(metadata[name]) for name in FACTS}
        space = build_settings(ClassSpace, facts["space"], "space")
        preset = preset_from(facts["preset"])
        classes, has_decoder = facts["classes"], facts["decoder"]
        if not isinstance(classes, list) or not all(isinstance(each, str) for each in classes):
            raise ValueError("'classes' is no list of names")
        if not isinstance(has_decoder, bool) or not isinstance(facts["provenance"], dict):
            raise ValueError("'decoder' is not true or false, or 'provenance' no object")
        model = YShapedModel(preset, len(classes), head=facts["head"])
    except (InputError, LookupError, ValueError, TypeError, ArithmeticError, RuntimeError) as error:
        raise InputError(
            f"{path}: its metadata are not those of a checkpoint ({error}); train it again, or "
            "take an unbroken copy"
        ) from None
    _load(model, tensors, has_decoder, path)
    return Checkpoint(model.eval(), classes, space, has_decoder, facts["provenance"])


def _load(model: YShapedModel, tensors: dict[str, Tensor], has_decoder: bool, path: Path) -> None:
    own = model.state_dict()
    expected = {
        name: tensor.shape
        for name, tensor in own.items()
        if has_decoder or not name.startswith("decoder.")
    }
    wrong = differences(expected, tensors)
    if wrong:
        raise InputError(f"{path}: does not fit the model it names: {'; '.join(wrong)}")
    for name, tensor in tensors.items():
        if tensor.dtype != own[name].dtype or not tensor.isfinite().all():
            raise InputError(
                f"{path}: the weights '{name}' are of another type or not finite; train it again, "
                "or take an unbroken copy"
            )
    model.load_state_dict(tensors, strict=has_decoder)
