"""Labelled still images for joint training, and their augmentation: scale, crop, flip, colour."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image, ImageEnhance
from torch import Tensor
from torch.utils.data import Dataset

from videottt.errors import InputError
from videottt.frames import VOID, FrameStore
from videottt.models.inputs import input_size
from videottt.randomness import generator, numpy_generator


@dataclass(frozen=True)
class Augmentation:
    """Mask2Former's recipe for semantic segmentation.

    Attributes:
        shortest_edge: of the image at scale 1, in pixels.
        longest_edge: but no longer than this.
        crop: (H, W) of what the model trains on, multiples of 32.
        scales: smallest and largest factor on the size at scale 1.
        flip: probability of a horizontal flip.
        colour: largest relative change of contrast and saturation; brightness changes by up to a
            quarter of it, hue by a tenth of it in turns of the colour circle. 0.5 has about the
            ranges of SSD's recipe, which Mask2Former uses.
    """

    shortest_edge: int
    longest_edge: int
    crop: tuple[int, int]
    scales: tuple[float, float] = (0.5, 2.0)
    flip: float = 0.5
    colour: float = 0.5


class StillImages(Dataset):
    """The labelled frames of several frame stores as an endless, shuffled, augmented sequence.

    Sample i is a function of (seed, i) alone: epoch i // n has its own permutation, and every draw
    of the augmentation is keyed by i.

    Raises:
        InputError: there is no labelled frame.
    """

    def __init__(
        self, stores: Sequence[FrameStore], augmentation: Augmentation, seed: int, samples: int
    ) -> None:
        self._stores = stores
        self._augmentation = augmentation
        self._seed = seed
        self._samples = samples
        self._stills = [
            (store, int(index)) for store in stores for index in np.flatnonzero(store.labelled)
        ]
        if not self._stills:
            where = ", ".join(str(store.path) for store in stores) or "the list of frame stores"
            raise InputError(f"{where}: no labelled frame to train on")

    def __len__(self) -> int:
        return self._samples

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        """Return an image uint8 [H, W, 3] and its labels uint8 [H, W], both of the crop's size."""
        epoch, position = divmod(index, len(self._stills))
        order = torch.randperm(
            len(self._stills), generator=generator(self._seed, "training order", epoch)
        )
        store, frame = self._stills[order[position]]
        draws = numpy_generator(self._seed, "augmentation", index)
        image, labels = augmented(
            store.frame(frame), store.semantic(frame), self._augmentation, draws
        )
        return torch.from_numpy(image), torch.from_numpy(labels)


def augmented(
    image: np.ndarray, labels: np.ndarray, settings: Augmentation, draws: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Scale, crop, flip and recolour an image with its labels.

    Where the scaled image is smaller than the crop, black and void are added below and at one side.

    Args:
        image: uint8 [H, W, 3].
        labels: uint8 [H, W].
        settings: the recipe.
        draws: where every random draw comes from.

    Returns:
        image and labels of the crop's size, as new arrays.
    """
    base = input_size(image.shape[:2], settings.shortest_edge, settings.longest_edge)
    scale = draws.uniform(*settings.scales)
    scaled = [max(1, round(edge * scale)) for edge in base]
    inner = [min(scaled[axis], settings.crop[axis]) for axis in (0, 1)]
    start = [draws.integers(scaled[axis] - inner[axis] + 1) for axis in (0, 1)]
    # PIL cuts and resizes in one go: only the pixels of the crop are ever computed.
    ratio = [image.shape[axis] / scaled[axis] for axis in (0, 1)]
    top, left = (start[axis] * ratio[axis] for axis in (0, 1))
    bottom, right = ((start[axis] + inner[axis]) * ratio[axis] for axis in (0, 1))
    box = (left, top, min(right, image.shape[1]), min(bottom, image.shape[0]))
    size = (inner[1], inner[0])
    picture = Image.fromarray(image).resize(size, Image.Resampling.BILINEAR, box)
    classes = Image.fromarray(labels).resize(size, Image.Resampling.NEAREST, box)
    pixels = np.asarray(_recoloured(picture, settings.colour, draws))
    new_image = np.zeros((*settings.crop, 3), np.uint8)
    new_labels = np.full(settings.crop, VOID, np.uint8)
    new_image[: inner[0], : inner[1]] = pixels
    new_labels[: inner[0], : inner[1]] = np.asarray(classes)
    if draws.random() < settings.flip:
        new_image, new_labels = new_image[:, ::-1].copy(), new_labels[:, ::-1].copy()
    return new_image, new_labels


def _recoloured(picture: Image.Image, strength: float, draws: np.random.Generator) -> Image.Image:
    factors = 1 + strength * draws.uniform(-1, 1, size=3) * (0.25, 1, 1)
    turn = strength * 0.1 * draws.uniform(-1, 1)
    if strength == 0:
        return picture
    kinds = (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color)
    for kind, factor in zip(kinds, factors, strict=True):
        picture = kind(picture).enhance(factor)
    hue, *rest = picture.convert("HSV").split()
    shift = round(turn * 255)
    hue = hue.point([(value + shift) % 256 for value in range(256)])
    return Image.merge("HSV", (hue, *rest)).convert("RGB")
