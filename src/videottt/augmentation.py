"""Labelled still images for joint training, and their augmentation: scale, crop, flip, colour."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image, ImageEnhance
from torch import Tensor
from torch.utils.data import Dataset

from videottt.datasets.imagenet import StillFolder
from videottt.errors import InputError, nearest
from videottt.frames import FrameStore
from videottt.models.inputs import input_size
from videottt.randomness import generator, numpy_generator
from videottt.segments import VOID

SCALES_TO = ("edges", "crop")


@dataclass(frozen=True)
class Augmentation:
    """Mask2Former's recipe: for semantic segmentation, or large-scale jitter for COCO.

    Large-scale jitter (Ghiasi et al., CVPR 2021) is ``scale_to="crop"``, scales from 0.1 to 2.0,
    no change of colours and grey beyond the image.

    Attributes:
        shortest_edge: of the image at scale 1, in pixels.
        longest_edge: but no longer than this.
        crop: (H, W) of what the model trains on, multiples of 32.
        scale_to: what an image at scale 1 fits: "edges", the two above, or "crop", as large as fits
            into it (detectron2's ResizeScale).
        padding: grey level in 0..255 of what the model sees beyond the image.
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
    scale_to: str = "edges"
    padding: int = 0

    def __post_init__(self) -> None:
        """Check what a schema would."""
        if self.scale_to not in SCALES_TO:
            raise InputError(
                f"augmentation: scale_to is '{self.scale_to}'; {nearest(self.scale_to, SCALES_TO)}"
            )
        if not 0 <= self.padding <= 255:
            raise InputError(f"augmentation: padding is {self.padding}, but must be in 0..255")


class StillImages(Dataset):
    """The labelled frames of several frame stores as an endless, shuffled, augmented sequence.

    Sample i is a function of (seed, i) alone: epoch i // n has its own permutation, and every draw
    of the augmentation is keyed by i.

    Raises:
        InputError: there is no labelled frame.
    """

    def __init__(
        self,
        stores: Sequence[FrameStore | StillFolder],
        augmentation: Augmentation,
        seed: int,
        samples: int,
    ) -> None:
        self._stores = stores
        self._augmentation = augmentation
        self._seed = seed
        self._samples = samples
        self._drawn = -1, torch.empty(0, dtype=torch.int64)
        self._stills = [
            (store, int(index)) for store in stores for index in np.flatnonzero(store.labelled)
        ]
        if not self._stills:
            where = ", ".join(str(store.path) for store in stores) or "the list of frame stores"
            raise InputError(f"{where}: no labelled frame to train on")

    def __len__(self) -> int:
        return self._samples

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return an image with its labels, all of the crop's size.

        Returns:
            image uint8 [H, W, 3], classes uint8 [H, W] (255 = void), instances int32 [H, W] (0 =
            none).
        """
        epoch, position = divmod(index, len(self._stills))
        store, frame = self._stills[self._order(epoch)[position]]
        draws = numpy_generator(self._seed, "augmentation", index)
        layers = store.frame(frame), store.semantic(frame), store.instance(frame)
        found = augmented(*layers, self._augmentation, draws)
        image, semantic, instance = (torch.from_numpy(layer) for layer in found)
        return image, semantic, instance

    def _order(self, epoch: int) -> Tensor:
        # Drawn once an epoch: of a million images it takes longer than to read one.
        if self._drawn[0] != epoch:
            draws = generator(self._seed, "training order", epoch)
            self._drawn = epoch, torch.randperm(len(self._stills), generator=draws)
        return self._drawn[1]


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


def draw_view(size: tuple[int, int], settings: Augmentation, draws: np.random.Generator) -> View:
    """Draw how an image of `size` (H, W) is augmented."""
    base = _at_scale_1(size, settings)
    scale = draws.uniform(*settings.scales)
    scaled = tuple(max(1, round(edge * scale)) for edge in base)
    inner = tuple(min(scaled[axis], settings.crop[axis]) for axis in (0, 1))
    start = tuple(int(draws.integers(scaled[axis] - inner[axis] + 1)) for axis in (0, 1))
    factors = 1 + settings.colour * draws.uniform(-1, 1, size=3) * (0.25, 1, 1)
    turn = settings.colour * 0.1 * draws.uniform(-1, 1)
    return View(
        scaled=scaled,
        inner=inner,
        start=start,
        crop=settings.crop,
        padding=settings.padding,
        factors=tuple(factors.tolist()),
        turn=turn,
        recoloured=settings.colour != 0,
        flipped=bool(draws.random() < settings.flip),
    )


def _at_scale_1(size: tuple[int, int], settings: Augmentation) -> tuple[float, float]:
    if settings.scale_to == "edges":
        return input_size(size, settings.shortest_edge, settings.longest_edge)
    ratio = min(settings.crop[axis] / size[axis] for axis in (0, 1))
    return size[0] * ratio, size[1] * ratio


def augmented(
    image: np.ndarray,
    semantic: np.ndarray,
    instance: np.ndarray,
    settings: Augmentation,
    draws: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scale, crop, flip and recolour an image with its labels.

    Where the scaled image is smaller than the crop, grey and void are added below and at one side.

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
        np.asarray(_seen(Image.fromarray(labels), view, Image.Resampling.NEAREST))
        for labels in (semantic, instance.astype(np.int32))
    )
    return viewed(image, view), _placed(classes, view, VOID), _placed(numbers, view, 0)


def viewed(image: np.ndarray, view: View) -> np.ndarray:
    """Return what a view shows of an image uint8 [H, W, 3]: uint8 [*view.crop, 3]."""
    picture = _seen(Image.fromarray(image), view, Image.Resampling.BILINEAR)
    if view.recoloured:
        picture = _recoloured(picture, view)
    return _placed(np.asarray(picture), view, view.padding)


def unviewed(labels: np.ndarray, view: View, size: tuple[int, int]) -> np.ndarray:
    """Return labels uint8 [*view.crop] where they lie in the image: uint8 [H, W] of `size`.

    What the view did not show is void.
    """
    height, width = view.inner
    top, left = view.start
    whole = np.full(view.scaled, VOID, np.uint8)
    seen = labels[:, ::-1] if view.flipped else labels
    whole[top : top + height, left : left + width] = seen[:height, :width]
    return np.asarray(Image.fromarray(whole).resize(size[::-1], Image.Resampling.NEAREST))


def _seen(picture: Image.Image, view: View, resampling: Image.Resampling) -> Image.Image:
    # PIL cuts and resizes in one go: only the pixels of the crop are ever computed.
    size = (picture.height, picture.width)
    ratio = [size[axis] / view.scaled[axis] for axis in (0, 1)]
    top, left = (view.start[axis] * ratio[axis] for axis in (0, 1))
    bottom, right = ((view.start[axis] + view.inner[axis]) * ratio[axis] for axis in (0, 1))
    box = (left, top, min(right, size[1]), min(bottom, size[0]))
    return picture.resize((view.inner[1], view.inner[0]), resampling, box)


def _placed(pixels: np.ndarray, view: View, outside: int) -> np.ndarray:
    whole = np.full((*view.crop, *pixels.shape[2:]), outside, pixels.dtype)
    whole[: view.inner[0], : view.inner[1]] = pixels
    return whole[:, ::-1].copy() if view.flipped else whole


def _recoloured(picture: Image.Image, view: View) -> Image.Image:
    kinds = (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color)
    for kind, factor in zip(kinds, view.factors, strict=True):
        picture = kind(picture).enhance(factor)
    hue, *rest = picture.convert("HSV").split()
    shift = round(view.turn * 255)
    hue = hue.point([(value + shift) % 256 for value in range(256)])
    return Image.merge("HSV", (hue, *rest)).convert("RGB")
