"""Derive a model's sizes from the shapes of its parameters, and check them against a preset."""

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from videottt.core.errors import InputError
from videottt.settings.presets import Preset, SwinSizes

Shapes = Mapping[str, tuple[int, ...]]

STAGES = "encoder.swin.encoder.layers"
POSITIONS = "attention.relative_position_bias.relative_position_bias_table"
# Side of an attention window of Swin-T and Swin-S, in patches.
WINDOW = 7
# Weights of deformable attention: 3 levels of 4 points for each head.
WEIGHTS_PER_HEAD = 12


def sizes_in(shapes: Shapes, known: Preset, *, head: bool) -> Preset:
    """Return the sizes that parameter shapes determine; take all others from a known preset.

    Args:
        shapes: shape of each parameter by our name; parameters may be missing.
        known: preset with a Swin encoder that supplies the drop path rate, the points of the loss,
            the mask's patch, and every size whose parameter is missing.
        head: whether `shapes` include the head h.
    """
    stages: dict[str, Any] = {
        "embed_dim": _size(shapes, "encoder.swin.embeddings.norm.weight", 0),
        "depths": tuple(_count(shapes, f"{STAGES}.{stage}.blocks") for stage in range(4)),
        "num_heads": tuple(
            _size(shapes, f"{STAGES}.{stage}.blocks.0.{POSITIONS}", 1) for stage in range(4)
        ),
    }
    sizes: dict[str, int] = {}
    if head:
        pixels, queries = "head.pixel_decoder", "head.query_decoder"
        weights = _size(shapes, f"{pixels}.encoder.layers.0.self_attn.attention_weights.bias", 0)
        sizes = {
            "hidden_dim": _size(shapes, f"{queries}.queries_features.weight", 1),
            "mask_dim": _size(shapes, f"{pixels}.mask_projection.bias", 0),
            "queries": _size(shapes, f"{queries}.queries_features.weight", 0),
            "pixel_decoder_layers": _count(shapes, f"{pixels}.encoder.layers"),
            "pixel_decoder_feedforward": _size(shapes, f"{pixels}.encoder.layers.0.fc1.bias", 0),
            "decoder_layers": _count(shapes, f"{queries}.decoder.layers"),
            "feedforward": _size(shapes, f"{queries}.decoder.layers.0.fc1.bias", 0),
            "attention_heads": weights // WEIGHTS_PER_HEAD,
        }
    swin = known.encoder
    assert isinstance(swin, SwinSizes)
    if not stages["embed_dim"]:
        del stages["embed_dim"]
    for name in ("depths", "num_heads"):
        pairs = zip(stages[name], getattr(swin, name), strict=True)
        stages[name] = tuple(size or default for size, default in pairs)
    return dataclasses.replace(
        known,
        encoder=dataclasses.replace(swin, **stages),
        **{name: size for name, size in sizes.items() if size},
    )


def check_window(shapes: Shapes, path: Path) -> None:
    """Check that the encoder's attention windows have 7 x 7 patches.

    Raises:
        InputError: they have another size.
    """
    for name, shape in shapes.items():
        if name.endswith(POSITIONS) and shape[0] != (2 * WINDOW - 1) ** 2:
            side = (shape[0] ** 0.5 + 1) / 2
            raise InputError(
                f"{path}: its encoder has windows of {side:g} patches; only windows of {WINDOW} "
                "can be imported; take a checkpoint of Swin-T or Swin-S"
            )


def check_preset(derived: Preset, requested: Preset, name: str, path: Path) -> None:
    """Check that a file's model has the sizes of the requested preset.

    Args:
        derived: sizes of the model in the file.
        requested: the preset.
        name: of the preset.
        path: of the file.

    Raises:
        InputError: sizes differ; the message lists all of them.
    """
    sizes, expected = (_flat(preset) for preset in (derived, requested))
    differences = [
        f"{size} is {_text(value)}, not {_text(expected[size])}"
        for size, value in sizes.items()
        if value != expected[size]
    ]
    if differences:
        raise InputError(
            f"{path}: holds no model '{name}': {', '.join(differences)}; leave the model away to "
            "take the sizes of the file"
        )


def _flat(preset: Preset) -> dict[str, object]:
    """Return a preset's sizes by name, those of its encoder beside the others."""
    sizes = dataclasses.asdict(preset)
    return {**sizes.pop("encoder"), **sizes}


def _text(value: object) -> str:
    return str(list(value)) if isinstance(value, tuple) else str(value)


def _size(shapes: Shapes, name: str, axis: int) -> int:
    """Return a parameter's size along an axis; 0 if the parameter is missing."""
    shape = shapes.get(name, ())
    return shape[axis] if axis < len(shape) else 0


def _count(shapes: Shapes, prefix: str) -> int:
    """Return the number of layers below a prefix: the largest layer number plus 1, or 0."""
    pattern = re.compile(rf"{re.escape(prefix)}\.(\d+)\.")
    return max((int(match[1]) + 1 for name in shapes if (match := pattern.match(name))), default=0)
