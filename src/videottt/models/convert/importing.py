"""Import a checkpoint of Mask2Former, the authors' release or Swin Transformer."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from videottt.core.errors import InputError, nearest
from videottt.models.convert.layouts import LAYOUTS, SWIN, Layout
from videottt.models.convert.sizes import check_preset, check_window, sizes_in
from videottt.models.weights import read_tensors
from videottt.models.y_shaped import YShapedModel
from videottt.settings.presets import Preset, SwinSizes, preset_named

# Preset of the sizes that no parameter's shape determines: drop path rate, loss points, mask patch.
PAPER = "swin_small"
FOURTH_CHANNEL = ("zeros", "scratch")
PROJECTION = "encoder.swin.embeddings.patch_embeddings.projection.weight"
# transformers gives its Swin encoder a final norm that it never applies; no file stores this norm.
UNUSED = "encoder.swin.layernorm."
# A Swin Transformer for classification has no norms of the four feature maps.
MAP_NORMS = "encoder.hidden_states_norms."


@dataclass(frozen=True)
class Imported:
    """A model imported from a foreign checkpoint.

    Attributes:
        model: in eval mode, on the CPU.
        classes: names of the classes that the head h predicts; empty if h predicts colours.
        title: the program whose layout the file has.
        has_head: whether the file contained h; if not, h has new weights.
        has_decoder: whether the file contained g; if not, g has new weights.
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
    """Read a checkpoint of Mask2Former, of the authors' release, or of Swin Transformer.

    Args:
        path: a detectron2 .pkl or .pth, a Hugging Face .safetensors or .bin, or the .pth of a
            Swin Transformer trained on ImageNet.
        task: task of the head h; for messages.
        classes: names of the classes of h, in the order of the file's class indices.
        head: output of h: "segments" or "colours".
        model: preset whose sizes the file must have; by default any. The preset also supplies the
            drop path rate, loss points and mask patch; by default they are swin_small's.
        fourth_channel: initial weights of the patch embedding's fourth channel, which marks visible
            pixels (paper section 4.3), for files with three channels: "zeros" leaves every
            prediction as it was, "scratch" draws new weights, as the paper does before joint
            training.
        seed: of new weights.

    Raises:
        InputError: the file cannot be read, has none of these layouts or belongs to another model;
            parameters are missing, unknown or of another shape (all are listed); the number of
            classes is not the task's; or the file has three channels and `fourth_channel` is None.
    """
    known = preset_named(model or PAPER)
    if not isinstance(known.encoder, SwinSizes):
        raise InputError(
            f"{path}: only models with a Swin encoder are imported, and '{model}' has another; its "
            "encoder takes published weights by itself when it is trained"
        )
    layout, theirs = _recognised(read_tensors(path, _is_known), path)
    tensors, unknown = _renamed(theirs, layout)
    has_head = any(name.startswith("head.") for name in tensors)
    has_decoder = any(name.startswith("decoder.") for name in tensors)
    if has_head:
        _check_head(tensors, task, head, classes, path)
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    check_window(shapes, path)
    try:
        preset = sizes_in(shapes, known, head=has_head)
    except InputError as error:
        raise _no_model(path, error) from None
    if model:
        check_preset(preset, known, model, path)
    imported = _new_model(preset, len(classes), seed, head, path)
    stored = ("encoder.", *["head."] * has_head, *["decoder."] * has_decoder)
    expected = {
        name: tensor
        for name, tensor in imported.state_dict().items()
        if name.startswith(stored)
        and not name.startswith(UNUSED)
        and not (layout is SWIN and name.startswith(MAP_NORMS) and name not in tensors)
    }
    if PROJECTION in tensors:
        tensors[PROJECTION] = _four_channels(
            tensors[PROJECTION], expected[PROJECTION], fourth_channel, path
        )
    _check_fit(tensors, expected, unknown, layout, path)
    imported.load_state_dict(tensors, strict=False)
    return Imported(imported.eval(), list(classes), layout.title, has_head, has_decoder)


def _new_model(preset: Preset, classes: int, seed: int, head: str, path: Path) -> YShapedModel:
    """Return a model with new weights.

    Raises:
        InputError: the sizes contradict each other.
    """
    try:
        return YShapedModel(preset, classes, seed, head)
    except (ValueError, RuntimeError, ZeroDivisionError) as error:
        raise _no_model(path, error) from None


def _no_model(path: Path, error: Exception) -> InputError:
    return InputError(
        f"{path}: its shapes fit no model ({error}); take a checkpoint as it was published"
    )


def _is_known(name: str) -> bool:
    """Return whether a layout has a name."""
    return any(layout.ours(layout.current_name(name)) for layout in LAYOUTS)


def _recognised(tensors: dict[str, Tensor], path: Path) -> tuple[Layout, dict[str, Tensor]]:
    """Recognise a file's layout; return it with the file's parameters under current foreign names.

    Raises:
        InputError: the file has none of the layouts, or two tensors for one name.
    """
    for layout in LAYOUTS:
        spelt: dict[str, Tensor] = {}
        for name, tensor in tensors.items():
            current = layout.current_name(name)
            if current in spelt:
                raise InputError(
                    f"{path}: has two tensors for '{current}', one of them named '{name}'; take a "
                    "checkpoint as it was published"
                )
            spelt[current] = tensor
        if layout.mark in spelt:
            kept = {name: spelt[name] for name in spelt if not layout.is_dropped(name)}
            return layout, kept
    titles = "; ".join(layout.title for layout in LAYOUTS)
    raise InputError(
        f"{path}: has none of the names of {titles}, but {_grouped(tensors)}; take the checkpoint "
        "of one of these programs"
    )


def _renamed(theirs: dict[str, Tensor], layout: Layout) -> tuple[dict[str, Tensor], list[str]]:
    """Return tensors under our names, q, k and v split, and the foreign names that are unknown."""
    tensors: dict[str, Tensor] = {}
    unknown = []
    for name, tensor in theirs.items():
        ours = layout.ours(name)
        if ours and tensor.ndim:
            # Contiguous copies, so that q does not keep the memory of k and v allocated.
            parts = tensor.tensor_split(len(ours))
            tensors |= {own: part.contiguous() for own, part in zip(ours, parts, strict=True)}
        else:
            unknown.append(name)
    return tensors, unknown


def _check_head(
    tensors: dict[str, Tensor], task: str, head: str, classes: Sequence[str], path: Path
) -> None:
    """Check that the file's head predicts classes, and as many as the task has.

    Raises:
        InputError: the task is colorization, or the number of classes differs.
    """
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
    """Return the patch embedding's weights with a fourth channel: float [C, 4, 4, 4].

    Raises:
        InputError: the weights have three channels, and `fourth_channel` is None or unknown.
    """
    fourth = expected[:, 3:]
    if weights.shape != expected[:, :3].shape:
        return weights
    if fourth_channel is None:
        raise InputError(
            f"{path}: its patch embedding has three channels, but f needs a fourth that marks "
            "visible pixels; add '--fourth-channel scratch' (new weights to be trained, as in the "
            "paper) or '--fourth-channel zeros' (keeps the predictions of the file's model)"
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
    """Check that a file's parameters are those of the model.

    Raises:
        InputError: parameters are missing, unknown or misshapen; one line lists all of them.
    """
    missing = {_theirs(name, layout) for name in expected.keys() - tensors.keys()}
    unknown = [*unknown, *{_theirs(name, layout) for name in tensors.keys() - expected.keys()}]
    misshapen = {
        f"{_theirs(name, layout)} {_stored(tensors, name, layout)}, expected "
        f"{_stored(expected, name, layout)}"
        for name in expected.keys() & tensors.keys()
        if tensors[name].shape != expected[name].shape
    }
    wrong = [
        f"{len(names)} {fault}: {_grouped(names)}"
        for fault, names in (("missing", missing), ("unknown", unknown), ("misshapen", misshapen))
        if names
    ]
    if wrong:
        raise InputError(
            f"{path}: does not fit {layout.title}: {'; '.join(wrong)}; take a checkpoint as it was "
            "published"
        )


def _theirs(name: str, layout: Layout) -> str:
    return layout.theirs(name) or name


def _stored(tensors: dict[str, Tensor], name: str, layout: Layout) -> list[int]:
    """Return the shape that a layout stores for our parameter; q, k and v count as one tensor."""
    names = layout.ours(_theirs(name, layout))
    shapes = [tensors[part].shape for part in names if part in tensors]
    return [sum(shape[0] for shape in shapes), *shapes[0][1:]]


def _grouped(names: Iterable[str]) -> str:
    """Return names in one line; names that differ only in numbers become one with their count."""
    groups: dict[str, list[str]] = {}
    for name in sorted(names):
        groups.setdefault(re.sub(r"(?<=\.)\d+(?=\.)", "*", name), []).append(name)
    return ", ".join(
        same[0] if len(same) == 1 else f"{pattern} ({len(same)})"
        for pattern, same in groups.items()
    )
