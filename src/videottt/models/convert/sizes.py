"""The sizes of a model from the shapes of its parameters."""

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from videottt.core.errors import InputError
from videottt.models.presets import Preset

Shapes = Mapping[str, tuple[int, ...]]

STAGES = "encoder.swin.encoder.layers"
POSITIONS = "attention.relative_position_bias.relative_position_bias_table"
# Of every window of the encoder, in patches.
WINDOW = 7
# Weights of deformable attention: 3 levels of 4 points for each head.
WEIGHTS_PER_HEAD = 12


def sizes_in(shapes: Shapes, known: Preset, *, head: bool) -> Preset:
    """Return the sizes that shapes tell, and those of a known preset for what they do not tell.

    Args:
        shapes: of parameters by our names; some may be missing.
        known: where the drop path rate, the points of the loss and the mask's patch come from.
        head: whether the head h is among the shapes.
    """
    found: dict[str, Any] = {
        "embed_dim": _size(shapes, "encoder.swin.embeddings.norm.weight", 0),
        "depths": tuple(_count(shapes, f"{STAGES}.{stage}.blocks") for stage in range(4)),
        "num_heads": tuple(
            _size(shapes, f"{STAGES}.{stage}.blocks.0.{POSITIONS}", 1) for stage in range(4)
        ),
    }
    if head:
        pixels, queries = "head.pixel_decoder", "head.query_decoder"
        weights = _size(shapes, f"{pixels}.encoder.layers.0.self_attn.attention_weights.bias", 0)
        found |= {
            "hidden_dim": _size(shapes, f"{queries}.queries_features.weight", 1),
            "mask_dim": _size(shapes, f"{pixels}.mask_projection.bias", 0),
            "queries": _size(shapes, f"{queries}.queries_features.weight", 0),
            "pixel_decoder_layers": _count(shapes, f"{pixels}.encoder.layers"),
            "pixel_decoder_feedforward": _size(shapes, f"{pixels}.encoder.layers.0.fc1.bias", 0),
            "decoder_layers": _count(shapes, f"{queries}.decoder.layers"),
            "feedforward": _size(shapes, f"{queries}.decoder.layers.0.fc1.bias", 0),
            "attention_heads": weights // WEIGHTS_PER_HEAD,
        }
    told = {name: size for name, size in found.items() if size}
    for name in ("depths", "num_heads"):
        pairs = zip(found[name], getattr(known, name), strict=True)
        told[name] = tuple(size or default for size, default in pairs)
    return dataclasses.replace(known, **told)


def check_window(shapes: Shapes, path: Path) -> None:
    """Raise an InputError if the encoder's windows have another size than ours."""
    for name, shape in shapes.items():
        if name.endswith(POSITIONS) and shape[0] != (2 * WINDOW - 1) ** 2:
            side = (shape[0] ** 0.5 + 1) / 2
            raise InputError(
                f"{path}: its encoder has windows of {side:g} patches; only windows of {WINDOW} "
                "can be imported (Swin-T and Swin-S)"
            )


def check_preset(found: Preset, asked: Preset, name: str, path: Path) -> None:
    """Raise an InputError that lists the sizes that are not those of the preset asked for."""
    differences = [
        f"{each.name} is {_text(getattr(found, each.name))}, not {_text(getattr(asked, each.name))}"
        for each in dataclasses.fields(Preset)
        if getattr(found, each.name) != getattr(asked, each.name)
    ]
    if differences:
        raise InputError(
            f"{path}: holds no model '{name}': {', '.join(differences)}; leave the model away to "
            "take the sizes of the file"
        )


def _text(value: object) -> str:
    return str(list(value)) if isinstance(value, tuple) else str(value)


def _size(shapes: Shapes, name: str, axis: int) -> int:
    """Return a size, 0 if there is none."""
    shape = shapes.get(name, ())
    return shape[axis] if axis < len(shape) else 0


def _count(shapes: Shapes, prefix: str) -> int:
    """Return how many layers there are, by the last one's number; 0 if there is none."""
    pattern = re.compile(rf"{re.escape(prefix)}\.(\d+)\.")
    return max((int(found[1]) + 1 for name in shapes if (found := pattern.match(name))), default=0)
