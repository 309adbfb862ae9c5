"""Cut what an update sees of a frame in the window: all of it, a random crop or a random view.

Images are uint8 [H, W, 3]. The arithmetic is that of detectron2 (v0.6, data/transforms), which the
authors' release is built on, so that the same draws give the same pixels; what lies beyond a frame
is filled in before normalisation. Random draws come from a generator on the CPU, image by image.
"""

import numpy as np
import torch

from videottt.data.transforms.resize import Size, resize_image, scaled_size
from videottt.settings.augmentation import Views


def random_crop(image: np.ndarray, crop: Size, draws: torch.Generator) -> np.ndarray:
    """Return a random part of an image, no larger than the image: RandomCrop("absolute")."""
    height, width = (min(crop[axis], image.shape[axis]) for axis in (0, 1))
    top, left = (
        int(torch.randint(image.shape[axis] - edge + 1, (1,), generator=draws))
        for axis, edge in ((0, height), (1, width))
    )
    return image[top : top + height, left : left + width]


def random_view(image: np.ndarray, views: Views, draws: torch.Generator) -> np.ndarray:
    """Return a view of an image, uint8 [*views.crop, 3], by three draws."""
    return view_at(image, views, *torch.rand(3, generator=draws, dtype=torch.float64).tolist())


def view_at(image: np.ndarray, views: Views, flip: float, scale: float, place: float) -> np.ndarray:
    """Flip, scale and cut an image: uint8 [*views.crop, 3].

    The whole image is resized, then cut: cut first, its borders would be resized from less.

    Args:
        image: uint8 [H, W, 3].
        views: the recipe.
        flip: 0..1; the image is flipped below the recipe's probability.
        scale: 0..1, from the smallest scale to the largest.
        place: 0..1, of the cut, from the upper left to the lower right.
    """
    if flip < views.flip:
        image = image[:, ::-1]
    smallest, largest = views.scales
    size = scaled_size(image.shape[:2], views.crop, smallest + (largest - smallest) * scale)
    return fixed_size_crop(resize_image(image, size), views.crop, place, views.padding)


def fixed_size_crop(image: np.ndarray, crop: Size, place: float, padding: int) -> np.ndarray:
    """Return the part of an image at `place`, on grey where the image is smaller: FixedSizeCrop.

    Args:
        image: uint8 [H, W, 3].
        crop: (H, W) of the result.
        place: of the part, 0 = upper left to 1 = lower right; one number for both axes.
        padding: grey level below and to the right of the image.
    """
    top, left = (int(np.round(max(image.shape[a] - crop[a], 0) * place)) for a in (0, 1))
    part = image[top : top + crop[0], left : left + crop[1]]
    short = [crop[axis] - part.shape[axis] for axis in (0, 1)]
    return np.pad(part, ((0, short[0]), (0, short[1]), (0, 0)), constant_values=padding)
