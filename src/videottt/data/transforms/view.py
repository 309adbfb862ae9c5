"""Apply one draw of an augmentation to an image and its labels, and invert it for labels."""

from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import nn

from videottt.core.segments import VOID
from videottt.data.transforms.colour_jitter import SsdColours, enhanced, ssd_recoloured


@dataclass(frozen=True)
class View:
    """One draw of an augmentation: the part of an image that is shown, its size and its colours.

    Attributes:
        scaled: (H, W) of the whole image after scaling.
        inner: (H, W) of the part that is shown.
        start: (top, left) of that part in the scaled image.
        crop: (H, W) of the model's input; outside `inner` it is grey, and its labels are void.
        padding: grey level outside `inner`.
        factors: factors on brightness, contrast and saturation.
        turn: shift of the hue, in turns of the colour circle.
        recoloured: whether colours change at all.
        flipped: whether the part is flipped horizontally.
        geometry: geometry of the crop; see Augmentation.
        labels_upper_left: whether labels are resized by taking the pixel to the upper left.
        ssd: changes of colour by SSD's recipe, in place of `factors` and `turn`.
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
    """Crop and resize an image to the part that a view shows, of size `view.inner`."""
    if view.geometry == "detectron2":
        top, left = view.start
        whole = picture.resize(view.scaled[::-1], resampling)
        return whole.crop((left, top, left + view.inner[1], top + view.inner[0]))
    # PIL crops and resizes at once, and computes only the pixels of the crop.
    size = (picture.height, picture.width)
    ratio = [size[axis] / view.scaled[axis] for axis in (0, 1)]
    upper, left_edge = (view.start[axis] * ratio[axis] for axis in (0, 1))
    lower, right_edge = ((view.start[axis] + view.inner[axis]) * ratio[axis] for axis in (0, 1))
    box = (left_edge, upper, min(right_edge, size[1]), min(lower, size[0]))
    return picture.resize((view.inner[1], view.inner[0]), resampling, box)


def crop_resize_labels(labels: np.ndarray, view: View) -> np.ndarray:
    """Crop and resize labels [H, W] to the part that a view shows, of size `view.inner`."""
    if not view.labels_upper_left:
        return np.asarray(crop_resize(Image.fromarray(labels), view, Image.Resampling.NEAREST))
    rows, columns = (
        _upper_left(labels.shape[a], view.scaled[a])[view.start[a] : view.start[a] + view.inner[a]]
        for a in (0, 1)
    )
    cropped: np.ndarray = labels[rows[:, None], columns]
    return cropped


def _upper_left(edge: int, scaled: int) -> np.ndarray:
    # Mask2Former's semantic mapper has labels as doubles, which detectron2 resizes by torch.
    indices = torch.arange(edge, dtype=torch.float64)[None, None]
    return nn.functional.interpolate(indices, scaled, mode="nearest")[0, 0].long().numpy()


def pad(pixels: np.ndarray, view: View, outside: int) -> np.ndarray:
    """Flip pixels if the view says so, and pad them with `outside` to [*view.crop, ...]."""
    whole = np.full((*view.crop, *pixels.shape[2:]), outside, pixels.dtype)
    if view.geometry == "detectron2":
        whole[: view.inner[0], : view.inner[1]] = pixels[:, ::-1] if view.flipped else pixels
        return whole
    whole[: view.inner[0], : view.inner[1]] = pixels
    return whole[:, ::-1].copy() if view.flipped else whole


def unpad(labels: np.ndarray, view: View) -> np.ndarray:
    """Invert `pad`: remove the padding and undo the flip."""
    height, width = view.inner
    if not view.flipped:
        return labels[:height, :width]
    if view.geometry == "detectron2":
        return labels[:height, :width][:, ::-1]
    return labels[:, ::-1][:height, :width]


def apply_view(image: np.ndarray, view: View) -> np.ndarray:
    """Apply a view to an image uint8 [H, W, 3]; return uint8 [*view.crop, 3]."""
    picture = crop_resize(Image.fromarray(image), view, Image.Resampling.BILINEAR)
    if view.recoloured:
        picture = (
            ssd_recoloured(picture, view.ssd)
            if view.ssd
            else enhanced(picture, view.factors, view.turn)
        )
    return pad(np.asarray(picture), view, view.padding)


def invert_view(labels: np.ndarray, view: View, size: tuple[int, int]) -> np.ndarray:
    """Map labels uint8 [*view.crop] back to the image; return uint8 [H, W] of `size`.

    Pixels that the view does not show are void.
    """
    height, width = view.inner
    top, left = view.start
    whole = np.full(view.scaled, VOID, np.uint8)
    whole[top : top + height, left : left + width] = unpad(labels, view)
    return np.asarray(Image.fromarray(whole).resize(size[::-1], Image.Resampling.NEAREST))
