"""Convert the ``segmentation`` of a COCO object to compressed run lengths."""

import itertools
import math
from types import NoneType
from typing import Any

from pycocotools import mask as coco_mask

from videottt.core.errors import InputError
from videottt.core.rle import check_mask

# A polygon as [x, y, x, y, ...], or run lengths as {"size", "counts"}.
Part = list[float] | dict[str, Any]

SHORTEST_POLYGON = 6  # numbers: three corners
CORNERS = 3
# Lists may lie in lists: an object's polygons, a polygon's rings, a ring's numbers.
DEEPEST = 2
# In pixels; a triangle of no larger area is a line.
SMALLEST_AREA = 1e-6
# Corners farther away are not of this image, and are refused when it is known.
FARTHEST = 1e9


def parts_of(segmentation: Any, where: str) -> tuple[list[Part], int]:
    """Return the parts of a ``segmentation``, and the number of polygons that are none.

    A polygon is none, as in detectron2, if it has an odd number of numbers or fewer than six, and
    if it has a value that is no finite number (null in JSON) or has no area.

    Args:
        segmentation: polygons ``[[x, y, x, y, ...], ...]``, which may be a level deeper, or one
            without the outer list; corners may be pairs ``[x, y]``. Or ``{"size", "counts"}`` with
            run lengths as a list or compressed as a text. Nothing or null has no part.
        where: the annotation, for errors.

    Raises:
        InputError: the segmentation has another form.
    """
    if segmentation in (None, [], {}, ""):
        return [], 0
    if isinstance(segmentation, dict):
        return [segmentation], 0
    if not isinstance(segmentation, list):
        raise _no_segmentation(where)
    parts = _flat(segmentation, DEEPEST, where)
    valid = [part for part in parts if isinstance(part, dict) or _is_polygon(part)]
    return valid, len(parts) - len(valid)


def _flat(stored: list[Any], levels: int, where: str) -> list[Part]:
    kinds = set(map(type, stored))
    if kinds <= {int, float, NoneType}:
        return [stored]
    if levels and len(stored) >= CORNERS and all(map(_is_corner, stored)):
        return [list(itertools.chain.from_iterable(stored))]
    if not levels or not kinds <= {list, dict, NoneType}:
        raise InputError(
            f"{where} has a polygon of {len(stored)} values that are not all numbers; correct or "
            "remove it"
        )
    parts: list[Part] = []
    for each in stored:
        parts += [each] if isinstance(each, dict) else _flat(each or [], levels - 1, where)
    return parts


def _is_corner(stored: Any) -> bool:
    return isinstance(stored, list) and len(stored) == 2 and set(map(type, stored)) <= {int, float}


def _is_polygon(numbers: list[Any]) -> bool:
    """Return whether numbers are the corners of a polygon that has an area."""
    if len(numbers) < SHORTEST_POLYGON or len(numbers) % 2 or None in numbers:
        return False
    if all(abs(number) <= FARTHEST for number in numbers):
        return _has_area(numbers)
    # The comparison is false for NaN, too.
    return all(abs(number) < math.inf for number in numbers)


def _has_area(numbers: list[float]) -> bool:
    """Return whether a triangle of the first corner and two that follow each other has an area."""
    left, top = numbers[:2]
    sides = ((x - left, y - top) for x, y in zip(numbers[2::2], numbers[3::2], strict=True))
    return any(
        abs(width * y - height * x) > 2 * SMALLEST_AREA
        for (width, height), (x, y) in itertools.pairwise(sides)
    )


def mask_of(parts: list[Part], size: tuple[int, int], where: str) -> bytes:
    """Convert the parts of an object to compressed run lengths; the object is all of them.

    Args:
        parts: as `parts_of` returns them, at least one.
        size: (H, W) of the image.
        where: the annotation, for errors.

    Raises:
        InputError: a part has another form or another size, or is damaged.
    """
    counts = [
        _from_run_lengths(part, size, where)
        if isinstance(part, dict)
        else _from_polygon(part, size, where)
        for part in parts
    ]
    if len(counts) == 1:
        return counts[0]
    merged: bytes = coco_mask.merge([{"size": list(size), "counts": each} for each in counts])[
        "counts"
    ]
    return merged


def _from_polygon(polygon: list[float], size: tuple[int, int], where: str) -> bytes:
    # Corners a little outside are clipped.
    if any(abs(number) > 2 * max(size) for number in polygon):
        raise InputError(
            f"{where} has a polygon with a corner far from its image of {size[1]}x{size[0]}; "
            "correct it"
        )
    drawn: bytes = coco_mask.frPyObjects([polygon], *size)[0]["counts"]
    return drawn


def _from_run_lengths(part: dict[str, Any], size: tuple[int, int], where: str) -> bytes:
    height, width = size
    if not {"size", "counts"} <= part.keys():
        raise _no_segmentation(where)
    if part["size"] != [height, width]:
        raise InputError(
            f"{where} has run lengths of size {part['size']}, but its image has "
            f"{[height, width]} (height, width); make the mask again at the size of the image"
        )
    counts = part["counts"]
    if isinstance(counts, list):
        whole = all(type(run) in (int, float) and run >= 0 and run % 1 == 0 for run in counts)
        if not whole or sum(counts) != height * width:
            raise InputError(
                f"{where} has run lengths that do not add up to {height} x {width}; make the mask "
                "again"
            )
        runs = {"size": [height, width], "counts": list(map(int, counts))}
        listed: bytes = coco_mask.frPyObjects(runs, height, width)["counts"]
        return listed
    try:
        compressed = counts.encode() if isinstance(counts, str) else b""
        check_mask(compressed, height * width)
    except ValueError:
        raise InputError(
            f"{where} has compressed run lengths that are damaged; make the mask again"
        ) from None
    return compressed


def _no_segmentation(where: str) -> InputError:
    return InputError(f"{where} has no 'segmentation' of polygons or run lengths; add it")
