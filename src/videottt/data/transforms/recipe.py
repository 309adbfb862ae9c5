"""The recipe of augmentation: how a labelled still is scaled, cut, flipped and recoloured."""

from dataclasses import dataclass

import numpy as np

from videottt.core.errors import InputError, nearest
from videottt.core.segments import VOID
from videottt.data.transforms.colour_jitter import draw_ssd
from videottt.data.transforms.resize import input_size, scaled_size
from videottt.data.transforms.view import View, apply_view, crop_resize_labels, pad

CHOICES = {
    "scale_to": ("edges", "crop"),
    "geometry": ("quick", "detectron2"),
    "colours": ("enhanced", "ssd"),
}


@dataclass(frozen=True)
class Augmentation:
    """Mask2Former's recipe: for semantic segmentation, or large-scale jitter for COCO.

    Large-scale jitter (Ghiasi et al., CVPR 2021) is ``scale_to="crop"``, scales from 0.1 to 2.0,
    no change of colours and grey beyond the image.

    The defaults are quicker than what Mask2Former's dataset mappers do, and differ in the pixels at
    the border of a crop, in where a crop lies and in the shape of the ranges of colours.
    ``geometry="detectron2"`` and ``colours="ssd"`` are those mappers: for Cityscapes with the 16
    scales 0.5, 0.6, ..., 2.0 (shortest edges int(0.1 · x · 1024), x = 5 ... 20); the constraint on
    the area of one class in a crop is off in both (SINGLE_CATEGORY_MAX_AREA 1.0). What is left
    different then: an image smaller than the crop is completed to the crop before normalisation,
    where the semantic mapper leaves it to the model (of Cityscapes, none is); and hues are rounded
    to 1/256 of a turn, not 1/180.

    Attributes:
        shortest_edge: of the image at scale 1, in pixels.
        longest_edge: but no longer than this; with the geometry of detectron2 no longer than this
            times the largest scale, at any scale.
        crop: (H, W) of what the model trains on, multiples of 32.
        scale_to: what an image at scale 1 fits: "edges", the two above, or "crop", as large as fits
            into it (detectron2's ResizeScale).
        padding: grey level in 0..255 of what the model sees beyond the image.
        scales: smallest and largest factor on the size at scale 1; of more than two, one is chosen.
        flip: probability of a horizontal flip.
        colour: largest relative change of contrast and saturation; brightness changes by up to a
            quarter of it, hue by a tenth of it in turns of the colour circle. 0.5 has about the
            ranges of SSD's recipe, which Mask2Former uses; with the colours "ssd" it is that.
        geometry: "quick" resizes only what is seen. "detectron2" resizes the whole image, then cuts
            it, rounds as detectron2 does, takes the nearest label as it does, places large-scale
            jitter by one number for both axes (FixedSizeCrop), and pads below and to the right.
        colours: "enhanced" changes all of brightness, contrast, saturation and hue, "ssd" each of
            them with probability 1/2.
    """

    shortest_edge: int
    longest_edge: int
    crop: tuple[int, int]
    scales: tuple[float, ...] = (0.5, 2.0)
    flip: float = 0.5
    colour: float = 0.5
    scale_to: str = "edges"
    padding: int = 0
    geometry: str = "quick"
    colours: str = "enhanced"

    def __post_init__(self) -> None:
        """Check what a schema would."""
        for name, allowed in CHOICES.items():
            value = getattr(self, name)
            if value not in allowed:
                raise InputError(f"augmentation: {name} is '{value}'; {nearest(value, allowed)}")
        if len(self.scales) < 2:
            raise InputError(
                f"augmentation: scales is {list(self.scales)}, but must be the smallest and the "
                "largest, or more to choose from"
            )
        if not 0 <= self.padding <= 255:
            raise InputError(f"augmentation: padding is {self.padding}, but must be in 0..255")


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
