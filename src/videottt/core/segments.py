"""Define the panoptic map and the instances of one frame, for predictions and labels alike.

Labels and predictions have the same two forms, so that code that scores or draws the one takes the
other.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from videottt.core.errors import InputError, nearest

# The value of unlabelled pixels in a class map.
VOID = 255


@dataclass(frozen=True)
class ClassSpace:
    """The classes of a data set, in the order of their indices.

    Attributes:
        classes: names of the classes.
        things: names of the classes whose objects are told apart; the others are stuff.
    """

    classes: tuple[str, ...]
    things: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in self.things:
            if name not in self.classes:
                raise InputError(f"things: no class '{name}'; {nearest(name, self.classes)}")

    @property
    def is_thing(self) -> np.ndarray:
        """Return whether each class is a thing: bool [classes]."""
        return np.array([name in self.things for name in self.classes], bool)


def stored_space(classes: str, things: str) -> ClassSpace:
    """Read the classes of a file, stored as two JSON lists of names.

    Raises:
        ValueError: they are not two lists of names, or a thing is not among the classes.
    """
    lists = json.loads(classes), json.loads(things)
    if not all(isinstance(names, list) and all(map(_is_text, names)) for names in lists):
        raise ValueError("its classes or things are not lists of names")
    try:
        return ClassSpace(*map(tuple, lists))
    except InputError as error:
        raise ValueError(str(error)) from None


def _is_text(name: object) -> bool:
    return isinstance(name, str)


@dataclass(frozen=True)
class Panoptic:
    """Segments that share no pixel (COCO panoptic).

    Attributes:
        ids: uint16 [H, W], the segment of each pixel, 1 ... S; 0 = void.
        classes: uint8 [S], the class of segment i + 1.
        scores: float32 [S], in 0..1; 1 in labels.
        crowd: bool [S], whether a segment of a thing class groups objects that are not told apart;
            only labels have such segments.
    """

    ids: np.ndarray
    classes: np.ndarray
    scores: np.ndarray
    crowd: np.ndarray

    @property
    def semantic(self) -> np.ndarray:
        """Return the class of each pixel: uint8 [H, W], 255 = void."""
        class_of = np.concatenate([[np.uint8(VOID)], self.classes]).astype(np.uint8)
        semantic: np.ndarray = class_of[self.ids]
        return semantic


@dataclass(frozen=True)
class Instances:
    """Objects of one frame; their masks may overlap (COCO instances).

    Attributes:
        size: (H, W).
        classes: uint8 [N], indices into all classes of the data set.
        scores: float32 [N], in 0..1, not sorted; 1 in labels.
        masks: N masks as COCO's compressed run lengths ("counts").
        crowd: bool [N], whether a mask groups objects that are not told apart; only labels have
            such masks.
    """

    size: tuple[int, int]
    classes: np.ndarray
    scores: np.ndarray
    masks: tuple[bytes, ...]
    crowd: np.ndarray

    def __len__(self) -> int:
        return len(self.masks)

    @property
    def run_lengths(self) -> list[dict[str, Any]]:
        """Return the masks in the form that pycocotools takes."""
        return [{"size": list(self.size), "counts": counts} for counts in self.masks]

    def pixels(self) -> np.ndarray:
        """Decode the masks to pixels: bool [N, H, W]."""
        if not self.masks:
            return np.zeros((0, *self.size), bool)
        columns: np.ndarray = coco_mask.decode(self.run_lengths).astype(bool)
        return columns.transpose(2, 0, 1)


# The prediction of one frame: a class map, uint8 [H, W], 255 = void; a panoptic map; instances; or
# an RGB image, uint8 [H, W, 3].
Prediction = np.ndarray | Panoptic | Instances


def instances_from(
    masks: np.ndarray,
    classes: Sequence[int] | np.ndarray,
    scores: Sequence[float] | np.ndarray | None = None,
    crowd: Sequence[bool] | np.ndarray | None = None,
) -> Instances:
    """Make instances from masks given as pixels.

    Args:
        masks: bool [N, H, W].
        classes: integers [N].
        scores: floats [N]; None means 1 for all, as in labels.
        crowd: booleans [N]; None means that no mask is a crowd.
    """
    number, *size = masks.shape
    columns = np.asfortranarray(masks.transpose(1, 2, 0).astype(np.uint8))
    encoded = coco_mask.encode(columns) if number else []
    return Instances(
        size=(int(size[0]), int(size[1])),
        classes=np.asarray(classes, np.uint8).reshape(number),
        scores=_column(scores, 1, np.float32, number),
        masks=tuple(mask["counts"] for mask in encoded),
        crowd=_column(crowd, False, np.bool_, number),
    )


def panoptic_from(semantic: np.ndarray, instance: np.ndarray, space: ClassSpace) -> Panoptic:
    """Combine a class map and an instance map: each pair of class and instance is a segment.

    Pixels of a thing class that belong to no instance are a crowd, as in Cityscapes.

    Args:
        semantic: uint8 [H, W], 255 = void.
        instance: integer [H, W], 0 = none.
        space: the classes.
    """
    # Counting the pairs in a table takes a tenth of the time of sorting all pixels.
    width = int(instance.max(initial=0)) + 1
    pairs = semantic.astype(np.int64) * width + instance
    present = np.flatnonzero(np.bincount(pairs.ravel())[: VOID * width])
    place_of = np.zeros((VOID + 1) * width, np.uint16)
    place_of[present] = np.arange(1, len(present) + 1)
    classes, numbered = (present // width).astype(np.uint8), present % width > 0
    return Panoptic(
        ids=place_of[pairs],
        classes=classes,
        scores=np.ones(len(classes), np.float32),
        crowd=space.is_thing[classes] & ~numbered,
    )


def instances_of(panoptic: Panoptic, space: ClassSpace) -> Instances:
    """Return the segments of thing classes, crowds included, as instances."""
    chosen = np.flatnonzero(space.is_thing[panoptic.classes])
    masks = panoptic.ids[None] == (chosen + 1)[:, None, None]
    columns = (values[chosen] for values in (panoptic.classes, panoptic.scores, panoptic.crowd))
    return instances_from(masks, *columns)


def _column(
    values: Sequence[Any] | np.ndarray | None, default: object, dtype: type, length: int
) -> np.ndarray:
    return np.asarray([default] * length if values is None else values, dtype).reshape(length)
