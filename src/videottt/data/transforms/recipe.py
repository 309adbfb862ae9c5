"""Scale, cut, flip and recolour labelled stills, as the recipe of a training says."""

import numpy as np

from videottt.core.segments import VOID
from videottt.data.transforms.colour_jitter import draw_ssd
from videottt.data.transforms.resize import input_size, scaled_size
from videottt.data.transforms.view import View, apply_view, crop_resize_labels, pad
from videottt.settings.augmentation import Augmentation


def draw_view(size: tuple[int, int], settings: Augmentation, draws: np.random.Generator) -> View:
    """Draw how an image of `size` (H, W) is augmented."""
    scaled = _scaled(size, settings, draws)
    inner = min(scaled[0], settings.crop[0]), min(scaled[1], settings.crop[1])
    start = _start([scaled[axis] - inner[axis] for axis in (0, 1)], settings, draws)
    factors = 1 + settings.colour * draws.uniform(-1, 1, size=3) * (0.25, 1, 1)
    turn = settings.colour * 0.1 * draws.uniform(-1, 1)
    flipped = bool(draws.random() < settings.flip)
    return View(
        scaled=scaled,
        inner=inner,
        start=start,
        crop=settings.crop,
        padding=settings.padding,
        factors=tuple(factors.tolist()),
        turn=turn,
        recoloured=settings.colour != 0,
        flipped=flipped,
        geometry=settings.geometry,
        labels_upper_left=settings.geometry == "detectron2" and settings.scale_to == "edges",
        ssd=draw_ssd(settings.colour, draws) if settings.colours == "ssd" else None,
    )


def _scaled(
    size: tuple[int, int], settings: Augmentation, draws: np.random.Generator
) -> tuple[int, int]:
    if len(settings.scales) == 2:
        scale = draws.uniform(*settings.scales)
    else:
        scale = settings.scales[draws.integers(len(settings.scales))]
    if settings.geometry == "detectron2":
        if settings.scale_to == "crop":
            return scaled_size(size, settings.crop, scale)
        longest = int(settings.longest_edge * max(settings.scales))
        return input_size(size, int(settings.shortest_edge * scale), longest)
    height, width = (max(1, round(edge * scale)) for edge in _at_scale_1(size, settings))
    return height, width


def _at_scale_1(size: tuple[int, int], settings: Augmentation) -> tuple[float, float]:
    if settings.scale_to == "edges":
        return input_size(size, settings.shortest_edge, settings.longest_edge)
    ratio = min(settings.crop[axis] / size[axis] for axis in (0, 1))
    return size[0] * ratio, size[1] * ratio


def _start(free: list[int], settings: Augmentation, draws: np.random.Generator) -> tuple[int, int]:
    """Return (top, left) of a crop beside which as many rows and columns are `free`."""
    if settings.geometry == "detectron2" and settings.scale_to == "crop":
        place = draws.random()
        top, left = (int(np.round(each * place)) for each in free)
    else:
        top, left = (int(draws.integers(each + 1)) for each in free)
    return top, left


def augment(
    image: np.ndarray,
    semantic: np.ndarray,
    instance: np.ndarray,
    settings: Augmentation,
    draws: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scale, crop, flip and recolour an image with its labels.

    Where the scaled image is smaller than the crop, grey and void are added below and at one side:
    at the right, or at the left of a flipped image if the geometry is quick.

    Args:
        image: uint8 [H, W, 3].
        semantic: uint8 [H, W], 255 = void.
        instance: uint16 [H, W], 0 = none.
        settings: the recipe.
        draws: where every random draw comes from.

    Returns:
        image, semantic and, as int32, instance of the crop's size, as new arrays.
    """
    view = draw_view(image.shape[:2], settings, draws)
    classes, numbers = (
        crop_resize_labels(labels, view) for labels in (semantic, instance.astype(np.int32))
    )
    return apply_view(image, view), pad(classes, view, VOID), pad(numbers, view, 0)
