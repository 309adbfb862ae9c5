"""Colour objects, each the same from frame to frame."""

import colorsys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from videottt.core.segments import ClassSpace, Instances
from videottt.report.figures.class_colours import class_colours

COLOURS = 40  # of objects; with more objects at once, some share a colour
SAME = 0.1  # least IoU of one object in two frames
DARKEST = 45  # least lightness of an object's colour, in 0..100, to be visible at night
# Frames for which a missed object keeps its colour.
MEMORY = 5


@dataclass(frozen=True)
class _Seen:
    """An object of an earlier frame.

    Attributes:
        label: class.
        mask: run lengths of its last mask, in the form of pycocotools.
        place: index of its colour.
        age: frames since it was last seen.
    """

    label: int
    mask: dict[str, Any]
    place: int
    age: int


class ObjectColours:
    """Colours of the objects in a method's predictions of a video, or in its labels.

    An object has the colour of the object of its class in an earlier frame that it overlaps most
    (assigned one to one, by IoU). A new object takes the colour of the object that it overlaps in a
    row beside, or else an unused colour.

    Args:
        space: the classes.
        beside: colours of the rows beside; in every frame, ask them first.

    Attributes:
        space: the classes.
        classes: uint8 [256, 3], RGB, the colours of the classes.
    """

    def __init__(self, space: ClassSpace, beside: "Sequence[ObjectColours]" = ()) -> None:
        self.space = space
        self.classes = class_colours(space.classes)
        self._palette = object_colours(self.classes[: len(space.classes)][~space.is_thing])
        self._beside = tuple(beside)
        self._seen: list[_Seen] = []

    def of(self, found: Instances) -> np.ndarray:
        """Return the colours of the objects of the next frame: uint8 [N, 3], RGB."""
        earlier = _matches(found, self._seen)
        places = {row: self._seen[match].place for row, match in earlier.items()}
        lost = [seen for row, seen in enumerate(self._seen) if row not in earlier.values()]
        in_use = [*places.values(), *(seen.place for seen in lost)]
        uses = np.bincount(np.array(in_use, np.int64), minlength=len(self._palette))
        for beside in self._beside:
            for row, match in _matches(found, beside._seen).items():
                place = beside._seen[match].place
                if row not in places and not uses[place]:
                    places[row] = place
                    uses[place] += 1
        for row in range(len(found)):
            if row not in places:
                places[row] = int(uses.argmin())
                uses[places[row]] += 1
        masks = found.run_lengths
        self._seen = [
            _Seen(int(found.classes[row]), masks[row], place, 0) for row, place in places.items()
        ] + [replace(seen, age=seen.age + 1) for seen in lost if seen.age < MEMORY]
        return self._palette[[places[row] for row in range(len(found))]].reshape(-1, 3)


def colours_side_by_side(space: ClassSpace, number: int) -> list[ObjectColours]:
    """Return the colours of `number` rows of labels or predictions of one video.

    The same object has the same colour in all rows.
    """
    rows: list[ObjectColours] = []
    for _ in range(number):
        rows.append(ObjectColours(space, beside=rows))
    return rows


def _matches(found: Instances, seen: Sequence[_Seen]) -> dict[int, int]:
    """Return object -> the earlier object that it is, for those that were seen."""
    if not (len(found) and seen):
        return {}
    # Here, because figures of semantic maps and colours have no objects, and scipy takes long.
    from scipy.optimize import linear_sum_assignment

    overlap = coco_mask.iou(found.run_lengths, [earlier.mask for earlier in seen], [0] * len(seen))
    labels = np.array([earlier.label for earlier in seen])
    overlap = np.where(found.classes[:, None] == labels, overlap, 0)
    pairs = zip(*linear_sum_assignment(overlap, maximize=True), strict=True)
    return {int(row): int(column) for row, column in pairs if overlap[row, column] >= SAME}


def object_colours(stuff: np.ndarray) -> np.ndarray:
    """Return bright colours for objects: uint8 [COLOURS, 3], RGB.

    Each is as different as possible from those before it and from the colours of stuff.

    Args:
        stuff: uint8 [N, 3], RGB.
    """
    grid = [
        colorsys.hsv_to_rgb(hue / 24, saturation, value)
        for hue in range(24)
        for saturation in (0.6, 0.8, 1.0)
        for value in (0.7, 0.85, 1.0)
    ]
    candidates = np.rint(255 * np.array(grid)).astype(np.uint8)
    places = _lab(candidates)
    bright = places[:, 0] >= DARKEST
    candidates, places = candidates[bright], places[bright]
    # Telling objects apart matters more than telling them from stuff, hence the factor 2.
    distance = 2 * _distance(places, _lab(stuff)).min(axis=1, initial=100.0)
    chosen: list[int] = []
    for _ in range(COLOURS):
        chosen.append(int(distance.argmax()))
        distance = np.minimum(distance, _distance(places, places[chosen[-1:]])[:, 0])
    result: np.ndarray = candidates[chosen]
    return result


def _distance(some: np.ndarray, others: np.ndarray) -> np.ndarray:
    result: np.ndarray = np.linalg.norm(some[:, None] - others[None], axis=-1)
    return result


def _lab(colours: np.ndarray) -> np.ndarray:
    """Return CIELAB, in which distances match perception, of sRGB colours uint8 [N, 3], D65.

    Reference: IEC 61966-2-1 and CIE 15.
    """
    parts = colours.reshape(-1, 3) / 255
    linear = np.where(parts > 0.04045, ((parts + 0.055) / 1.055) ** 2.4, parts / 12.92)
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    ratios = linear @ np.array(to_xyz).T / [0.95047, 1.0, 1.08883]
    bent = np.where(ratios > (6 / 29) ** 3, np.cbrt(ratios), ratios / (3 * (6 / 29) ** 2) + 4 / 29)
    x, y, z = bent.T
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)
