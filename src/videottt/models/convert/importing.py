"""Models that others trained, as Y-shaped models."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from videottt.core.errors import InputError, nearest
from videottt.models.convert.layouts import LAYOUTS, SWIN, Layout
from videottt.models.convert.sizes import check_preset, check_window, sizes_in
from videottt.models.presets import Preset, preset_named
from videottt.models.weights import read_tensors
from videottt.models.y_shaped import YShapedModel

# Whose drop path rate, loss points and mask patch a model has that no shape tells.
PAPER = "swin_small"
FOURTH_CHANNEL = ("zeros", "scratch")
PROJECTION = "encoder.swin.embeddings.patch_embeddings.projection.weight"
# transformers adds a norm to the encoder that it never uses and nobody stores.
UNUSED = "encoder.swin.layernorm."
# A plain Swin Transformer has no norms of its four maps.
MAP_NORMS = "encoder.hidden_states_norms."


@dataclass(frozen=True)
class Imported:
    """A model that others trained.

    Attributes:
        model: in eval mode, on the CPU.
        classes: that h names; none where it says colours.
        title: of the program whose names the file has.
        has_head: whether h was in the file; otherwise it has new weights.
        has_decoder: whether g was in the file; otherwise it has new weights.
    """

    model: YShapedModel
    classes: list[str]
    title: str
    has_head: bool
    has_decoder: bool


def import_checkpoint(
    path: Path,
    task: str,
    classes: Sequence[str],
    head: str,
    *,
    model: str | None = None,
    fourth_channel: str | None = None,
    seed: int = 0,
) -> Imported:
    """Return a model from a file of Mask2Former, of the authors' release, or of Swin Transformer.

    Args:
        path: of a detectron2 .pkl or .pth, a Hugging Face .safetensors or .bin, or the .pth of a
            Swin Transformer that was trained on ImageNet.
        task: that h was, or is to be, trained for; for messages.
        classes: that h names or is to name, in the order of the file's class indices.
        head: what h says: "segments" or "colours".
        model: preset that the file must have the sizes of; by default any. What no shape tells
            (drop path rate, loss points, mask patch) is the preset's, by default swin_small's.
        fourth_channel: how a patch embedding of three channels gets its fourth, which says what is
            visible (section 4.3): "zeros" leaves every prediction as it was, "scratch" draws new
            weights, as the paper does before joint training.
        seed: of new weights.

    Raises:
        InputError: the file cannot be read, is of none of these programs or of another model, has
            parameters missing, unknown or of another shape (all are listed), names another number
            of classes than the task, or has three channels and nothing says what to do.
    """
    known = preset_named(model or PAPER)
    layout, theirs = _recognised(read_tensors(path), path)
    tensors, unknown = _renamed(theirs, layout)
    has_head = any(name.startswith("head.") for name in tensors)
    has_decoder = any(name.startswith("decoder.") for name in tensors)
    if has_head:
        _check_head(tensors, task, head, classes, path)
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    check_window(shapes, path)
    preset = sizes_in(shapes, known, head=has_head)
    if model:
        check_preset(preset, known, model, path)
    made = _new_model(preset, len(classes), seed, head, path)
    stored = ("encoder.", *["head."] * has_head, *["decoder."] * has_decoder)
    expected = {
        name: tensor
        for name, tensor in made.state_dict().items()
        if name.startswith(stored)
        and not name.startswith(UNUSED)
        and not (layout is SWIN and name.startswith(MAP_NORMS) and name not in tensors)
    }
    if PROJECTION in tensors:
        tensors[PROJECTION] = _four_channels(
            tensors[PROJECTION], expected[PROJECTION], fourth_channel, path
        )
    _check_fit(tensors, expected, unknown, layout, path)
    made.load_state_dict(tensors, strict=False)
    return Imported(made.eval(), list(classes), layout.title, has_head, has_decoder)


def _new_model(preset: Preset, classes: int, seed: int, head: str, path: Path) -> YShapedModel:
    """Return a model with new weights.

    Raises:
        InputError: there can be no model of these sizes.
    """
    try:
        return YShapedModel(preset, classes, seed, head)
    except (ValueError, RuntimeError, ZeroDivisionError) as error:
        raise InputError(f"{path}: its shapes fit no model ({error}); check the file") from None


def _recognised(tensors: dict[str, Tensor], path: Path) -> tuple[Layout, dict[str, Tensor]]:
    """Return how a file names things, and what of it are parameters, by today's names.

    Raises:
        InputError: it is of none of the programs, or has two tensors for one name.
    """
    for layout in LAYOUTS:
        spelt: dict[str, Tensor] = {}
        for name, tensor in tensors.items():
            today = layout.spelt_today(name)
            if today in spelt:
                raise InputError(
                    f"{path}: has two tensors for '{today}', one of them called '{name}'; take a "
                    "checkpoint as it was published"
                )
            spelt[today] = tensor
        if layout.mark in spelt:
            kept = {name: spelt[name] for name in spelt if not layout.is_dropped(name)}
            return layout, kept
    raise InputError(
        f"{path}: has none of the names of {'; '.join(each.title for each in LAYOUTS)}, but "
        f"{_grouped(tensors)}; take the checkpoint of one of these"
    )


def _renamed(theirs: dict[str, Tensor], layout: Layout) -> tuple[dict[str, Tensor], list[str]]:
    """Return tensors by our names, cut where they hold three of ours, and the unknown names."""
    tensors: dict[str, Tensor] = {}
    unknown = []
    for name, tensor in theirs.items():
        ours = layout.ours(name)
        if ours and tensor.ndim:
            # Contiguous: a parameter must not keep two others alive.
            parts = tensor.tensor_split(len(ours))
            tensors |= {own: part.contiguous() for own, part in zip(ours, parts, strict=True)}
        else:
            unknown.append(name)
    return tensors, unknown


def _check_head(
    tensors: dict[str, Tensor], task: str, head: str, classes: Sequence[str], path: Path
) -> None:
    """Raise an InputError if h does not say what is asked of it, or not of as many classes."""
    if head != "segments":
        raise InputError(
            f"{path}: its head names classes, but the task '{task}' paints; start from a Swin "
            "Transformer that was trained on ImageNet"
        )
    predictor = tensors.get("head.class_predictor.bias")
    if predictor is not None and len(predictor) != len(classes) + 1:
        raise InputError(
            f"{path}: names {len(predictor) - 1} classes, but the task '{task}' on this data set "
            f"has {len(classes)}; take the checkpoint of the same task and data set"
        )


def _four_channels(
    weights: Tensor, expected: Tensor, fourth_channel: str | None, path: Path
) -> Tensor:
    """Return the weights of the patch embedding, float [C, 4, 4, 4], if they have three channels.

    Raises:
        InputError: nothing says how they get their fourth.
    """
    fourth = expected[:, 3:]
    if weights.shape != expected[:, :3].shape:
        return weights
    if fourth_channel is None:
        raise InputError(
            f"{path}: its patch embedding takes three channels, but f takes a fourth that says "
            "what is visible; add '--fourth-channel scratch' (drawn anew, as in the paper, to be "
            "trained) or 'zeros' (predicts as the file's model does)"
        )
    if fourth_channel not in FOURTH_CHANNEL:
        raise InputError(
            f"fourth channel '{fourth_channel}' is unknown; "
            + nearest(fourth_channel, FOURTH_CHANNEL)
        )
    new = torch.zeros_like(fourth) if fourth_channel == "zeros" else fourth
    return torch.cat([weights, new], dim=1)


def _check_fit(
    tensors: dict[str, Tensor],
    expected: dict[str, Tensor],
    unknown: list[str],
    layout: Layout,
    path: Path,
) -> None:
    """Raise one InputError that lists every missing, unknown and misshapen parameter."""
    missing = {_theirs(name, layout) for name in expected.keys() - tensors.keys()}
    unknown = [*unknown, *{_theirs(name, layout) for name in tensors.keys() - expected.keys()}]
    misshapen = {
        f"{_theirs(name, layout)} {_stored(tensors, name, layout)}, expected "
        f"{_stored(expected, name, layout)}"
        for name in expected.keys() & tensors.keys()
        if tensors[name].shape != expected[name].shape
    }
    wrong = [
        f"{len(names)} {what}: {_grouped(names)}"
        for what, names in (("missing", missing), ("unknown", unknown), ("misshapen", misshapen))
        if names
    ]
    if wrong:
        raise InputError(f"{path}: does not fit {layout.title}: {'; '.join(wrong)}")


def _theirs(name: str, layout: Layout) -> str:
    return layout.theirs(name) or name


def _stored(tensors: dict[str, Tensor], name: str, layout: Layout) -> list[int]:
    """Return the shape under which a layout stores a parameter of ours, alone or one of three."""
    parts = [tensors[each].shape for each in layout.ours(_theirs(name, layout)) if each in tensors]
    return [sum(part[0] for part in parts), *parts[0][1:]]


def _grouped(names: Iterable[str]) -> str:
    """Return names in one line; those that differ only in numbers once, with how many they are."""
    groups: dict[str, list[str]] = {}
    for name in sorted(names):
        groups.setdefault(re.sub(r"(?<=\.)\d+(?=\.)", "*", name), []).append(name)
    return ", ".join(
        same[0] if len(same) == 1 else f"{pattern} ({len(same)})"
        for pattern, same in groups.items()
    )
