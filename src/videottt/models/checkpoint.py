"""Write and read checkpoints: safetensors files with the model's sizes, classes and provenance.

Metadata of format version 3: ``format`` and ``version`` as text; as JSON ``preset`` (sizes),
``head`` (output of h: segments or colours), ``classes`` (names of the classes of h), ``space``
(classes and things of the training data set), ``decoder`` (whether g was trained) and
``provenance``.
"""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from videottt.core.errors import InputError, absent
from videottt.core.files import complete_file
from videottt.core.segments import ClassSpace
from videottt.core.settings import build_settings
from videottt.models.baselines.published import differences
from videottt.models.weights import is_of_torch
from videottt.models.y_shaped import YShapedModel
from videottt.settings.presets import preset_from, sizes_of

FORMAT = "videottt checkpoint"
VERSION = "3"
# Metadata stored as JSON.
FACTS = ("preset", "head", "classes", "space", "decoder", "provenance")


@dataclass(frozen=True)
class Checkpoint:
    """A trained model and its metadata.

    Attributes:
        model: in eval mode, on the CPU.
        classes: names of the classes that the head h predicts; empty if h predicts colours.
        space: classes of the training data set.
        has_decoder: whether the decoder g was trained; false for `main_task` (paper section 4.1).
        provenance: code, settings and inputs that the file was made from.
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
    stored: torch.dtype = torch.float32,
) -> None:
    """Write a checkpoint; the file appears only once it is complete.

    Args:
        path: of the file.
        model: to write.
        classes: names of the classes that the head h predicts.
        space: classes of the training data set.
        decoder: whether g was trained; an untrained g is not stored.
        provenance: code, settings and inputs that the file is made from.
        stored: type of matrices and kernels in the file; float16 halves it. Vectors, which are few,
            stay as they are: variances of batch norms may be too small for float16.
    """
    tensors: dict[str, Tensor] = {
        name: tensor.detach().cpu().to(stored if tensor.ndim > 1 else tensor.dtype).contiguous()
        for name, tensor in model.state_dict().items()
        if decoder or not name.startswith("decoder.")
    }
    metadata = {
        "format": FORMAT,
        "version": VERSION,
        "preset": json.dumps(sizes_of(model.preset)),
        "head": json.dumps(model.head_kind),
        "classes": json.dumps(classes),
        "space": json.dumps(dataclasses.asdict(space)),
        "decoder": json.dumps(decoder),
        "provenance": json.dumps(provenance, sort_keys=True),
    }
    with complete_file(path) as part:
        part.write_bytes(_ordered(safetensors.torch.save(tensors, metadata=metadata)))


def _ordered(content: bytes) -> bytes:
    """Sort the metadata in a safetensors file, whose writer stores them in random order."""
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:end])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + content[end:]


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint; return its model in eval mode on the CPU.

    Raises:
        InputError: the file is absent or no checkpoint of this format, its metadata are broken, or
            its parameters are missing, unknown, misshapen or not finite.
    """
    if not path.is_file():
        raise absent(path, "checkpoint")
    try:
        with safetensors.safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            # Copies: the weights are trained in place, and the file may change meanwhile.
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
    except safetensors.SafetensorError as error:
        mend = "train it again, or take an unbroken copy"
        with path.open("rb") as content:
            if is_of_torch(content.read(16)) or path.suffix in (".pkl", ".pickle"):
                mend = "convert weights of another program with 'videottt import-checkpoint'"
        raise InputError(f"{path}: not a readable safetensors file ({error}); {mend}") from None
    if (metadata.get("format"), metadata.get("version")) != (FORMAT, VERSION):
        raise InputError(
            f"{path}: is not a '{FORMAT}' of version {VERSION}; train it with this program, or "
            "convert it with 'videottt import-checkpoint'"
        )
    try:
        facts = {name: json.loads(metadata[name]) for name in FACTS}
        space = build_settings(ClassSpace, facts["space"], "space")
        preset = preset_from(facts["preset"])
        classes, has_decoder = facts["classes"], facts["decoder"]
        if not isinstance(classes, list) or not all(isinstance(name, str) for name in classes):
            raise ValueError("'classes' is no list of names")
        if not isinstance(has_decoder, bool) or not isinstance(facts["provenance"], dict):
            raise ValueError("'decoder' is not true or false, or 'provenance' no object")
        model = YShapedModel(preset, len(classes), seed=None, head=facts["head"])
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
        raise InputError(
            f"{path}: does not fit the model it names: {'; '.join(wrong)}; train it again, or take "
            "an unbroken copy"
        )
    for name, tensor in tensors.items():
        halved = tensor.dtype == torch.float16 and own[name].dtype == torch.float32
        if not (halved or tensor.dtype == own[name].dtype) or not tensor.isfinite().all():
            raise InputError(
                f"{path}: the weights '{name}' are of another type or not finite; train it again, "
                "or take an unbroken copy"
            )
    untrained = {
        name: torch.full(own[name].shape, float("nan")) for name in own.keys() - tensors.keys()
    }
    whole = {name: tensor.to(own[name].dtype) for name, tensor in tensors.items()}
    model.load_state_dict(whole | untrained, assign=True)
