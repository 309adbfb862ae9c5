"""One draw of an augmentation: which part of an image is seen, and where it came from."""

from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import nn

from videottt.core.segments import VOID
from videottt.data.transforms.colour_jitter import SsdColours, enhanced, ssd_recoloured


@dataclass(frozen=True)
class View:
    """One draw of the recipe: which part of an image is seen, how large and in which colours.

    Attributes:
        scaled: (H, W) of the whole image after scaling.
        inner: (H, W) of the part that is seen.
        start: (top, left) of that part.
        crop: (H, W) of what the model sees; beyond `inner` it is grey and void.
        padding: grey level there.
        factors: on brightness, contrast and saturation.
        turn: of the hue, in turns of the colour circle.
        recoloured: whether colours change at all.
        flipped: horizontally.
        geometry: how it is cut out; see Augmentation.
        labels_upper_left: whether the nearest label is that to the upper left.
        ssd: in place of factors and turn, colours of SSD's recipe.
    """

    scaled: tuple[int, int]
    inner: tuple[int, int]
    start: tuple[int, int]
    crop: tuple[int, int]
    padding: int
    factors: tuple[float, float, float]
    turn: float
    recoloured: bool
    flipped: bool
    geometry: str = "quick"
    labels_upper_left: bool = False
    ssd: SsdColours | None = None


def crop_resize(picture: Image.Image, view: View, resampling: Image.Resampling) -> Image.Image:
    """Return the part of an image that a view shows, scaled: a picture of view.inner."""
    if view.geometry == "detectron2":
        top, left = view.start
        whole = picture.resize(view.scaled[::-1], resampling)
        return whole.crop((left, top, left + view.inner[1], top + view.inner[0]))
    # PIL cuts and resizes in one go: only the pixels of the crop are ever computed.
    size = (picture.height, picture.width)
    ratio = [size[axis] / view.scaled[axis] for axis in (0, 1)]
    upper, left_edge = (view.start[axis] * ratio[axis] for axis in (0, 1))
    lower, right_edge = ((view.start[axis] + view.inner[axis]) * ratio[axis] for axis in (0, 1))
    box = (left_edge, upper, min(right_edge, size[1]), min(lower, size[0]))
    return picture.resize((view.inner[1], view.inner[0]), resampling, box)


def crop_resize_labels(labels: np.ndarray, view: View) -> np.ndarray:
    """Return the labels [H, W] of what a view shows of an image, of the same type, view.inner."""
    if not view.labels_upper_left:
        return np.asarray(crop_resize(Image.fromarray(labels), view, Image.Resampling.NEAREST))
    rows, columns = (
        _upper_left(labels.shape[a], view.scaled[a])[view.start[a] : view.start[a] + view.inner[a]]
        for a in (0, 1)
    )
    cropped: np.ndarray = labels[rows[:, None], columns]
    return cropped


def _upper_left(edge: int, scaled: int) -> np.ndarray:
    # Mask2Former's semantic mapper holds labels as doubles, and those detectron2 leaves to torch.
    indices = torch.arange(edge, dtype=torch.float64)[None, None]
    return nn.functional.interpolate(indices, scaled, mode="nearest")[0, 0].long().numpy()


def pad(pixels: np.ndarray, view: View, outside: int) -> np.ndarray:
    """Return what is seen as the model gets it: flipped, on `outside`, [*view.crop, ...]."""
    whole = np.full((*view.crop, *pixels.shape[2:]), outside, pixels.dtype)
    if view.geometry == "detectron2":
        whole[: view.inner[0], : view.inner[1]] = pixels[:, ::-1] if view.flipped else pixels
        return whole
    whole[: view.inner[0], : view.inner[1]] = pixels
    return whole[:, ::-1].copy() if view.flipped else whole


def unpad(labels: np.ndarray, view: View) -> np.ndarray:
    """Undo `pad`, without what lies beyond the image."""
    height, width = view.inner
    if not view.flipped:
        return labels[:height, :width]
    if view.geometry == "detectron2":
        return labels[:height, :width][:, ::-1]
    return labels[:, ::-1][:height, :width]


def apply_view(image: np.ndarray, view: View) -> np.ndarray:
    """Return what a view shows of an image uint8 [H, W, 3]: uint8 [*view.crop, 3]."""
    picture = crop_resize(Image.fromarray(image), view, Image.Resampling.BILINEAR)
    if view.recoloured:
        picture = (
            ssd_recoloured(picture, view.ssd)
            if view.ssd
            else enhanced(picture, view.factors, view.turn)
        )
    return pad(np.asarray(picture), view, view.padding)


def invert_view(labels: np.ndarray, view: View, size: tuple[int, int]) -> np.ndarray:
    """Return labels uint8 [*view.crop] where they lie in the image: uint8 [H, W] of `size`.

    What the view did not show is void.
    """
    height, width = view.inner
    top, left = view.start
    whole = np.full(view.scaled, VOID, np.uint8)
    whole[top : top + height, left : left + width] = unpad(labels, view)
    return np.asarray(Image.fromarray(whole).resize(size[::-1], Image.Resampling.NEAREST))
