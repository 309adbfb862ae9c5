"""Read COCO instances as COCO 2017 unpacks; the stills of a folder are one "video" of its name.

``<video>/*.jpg`` and ``annotations/instances_<video>.json``, whose masks are polygons or run
lengths and may overlap (https://cocodataset.org/#format-data, "Object Detection").
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from videottt.core.errors import InputError
from videottt.core.rle import check_mask
from videottt.core.segments import VOID, ClassSpace, Instances
from videottt.data.layouts.coco import (
    Categories,
    CocoImage,
    Entry,
    categories_of,
    field,
    flag,
    image_of,
    images_of,
    read_document,
)
from videottt.store.source_frame import SourceFrame

SHORTEST_POLYGON = 6  # numbers: three corners


def read(root: Path, split: str, video: str, space: ClassSpace) -> Iterator[SourceFrame]:
    """Read the images that the JSON file lists, in the order of their names.

    Every image counts as labelled; one without an annotation shows no object. Where masks overlap,
    the smaller one lies on top in the class map and the instance map; pixels of no mask are void.

    Args:
        root: the folder that holds ``annotations``.
        split: unused, since `video` names the split.
        video: COCO's name of the split, for example "val2017".
        space: the classes of the data set.

    Raises:
        InputError: a file is missing or unreadable, or files contradict each other.
    """
    source = root / "annotations" / f"instances_{video}.json"
    document = read_document(source)
    images = images_of(document, source)
    annotations = _annotations_of(document, images, source)
    categories = categories_of(document, space, source)
    for image in images.values():
        pixels = image.read(root / video)
        labels = labels_of(annotations.get(image.id, []), image.size, categories)
        yield SourceFrame(image.name, pixels, *labels)


def _annotations_of(
    document: Entry, images: dict[int, CocoImage], source: Path
) -> dict[int, list[Entry]]:
    """Return the annotations of each image that has any, by the image's id."""
    annotations: dict[int, list[Entry]] = {}
    seen = set()
    for annotation in document["annotations"]:
        number = field(annotation, "id", int, f"{source}: an entry of 'annotations'")
        where = f"{source}: annotation {number}"
        if number in seen:
            raise InputError(f"{where} is listed twice; give every annotation a unique id")
        seen.add(number)
        annotations.setdefault(image_of(annotation, images, where).id, []).append(annotation)
    return annotations


def labels_of(
    annotations: list[Entry], size: tuple[int, int], categories: Categories
) -> tuple[np.ndarray, np.ndarray, Instances]:
    """Return the class map, the instance map and the instances of one image.

    Args:
        annotations: entries with ``id``, ``category_id`` and ``segmentation``; ``iscrowd``.
        size: (H, W) of the image.
        categories: the meaning of ``category_id``; stuff is in the class map only.

    Returns:
        uint8 [H, W], 255 = void; uint16 [H, W], 0 = none or a crowd; masks as in the file.

    Raises:
        InputError: an annotation is invalid.
    """
    classes, masks, crowds = [], [], []
    for annotation in annotations:
        where = f"{categories.source}: annotation {annotation['id']}"
        classes.append(categories.index(field(annotation, "category_id", int, where), where))
        masks.append(mask_of(annotation.get("segmentation"), size, where))
        crowds.append(flag(annotation, "iscrowd", where))
    crowd = np.array(crowds, bool)
    space = categories.space
    named = [index != VOID and space.classes[index] in space.things for index in classes]
    thing = np.array(named, bool)
    numbers = np.cumsum(thing & ~crowd) * (thing & ~crowd)
    semantic, instance = np.full(size, VOID, np.uint8), np.zeros(size, np.uint16)
    coded = [{"size": list(size), "counts": counts} for counts in masks]
    areas = coco_mask.area(coded) if coded else np.zeros(0)
    for place in np.argsort(-areas.astype(np.int64), kind="stable"):
        inside = coco_mask.decode(coded[place]).astype(bool)
        semantic[inside], instance[inside] = classes[place], numbers[place]
    chosen = np.flatnonzero(thing)
    return (
        semantic,
        instance,
        Instances(
            size,
            np.array(classes, np.uint8)[chosen],
            np.ones(len(chosen), np.float32),
            tuple(masks[place] for place in chosen),
            crowd[chosen],
        ),
    )


def mask_of(segmentation: Any, size: tuple[int, int], where: str) -> bytes:
    """Convert a ``segmentation`` of COCO to compressed run lengths.

    Args:
        segmentation: polygons ``[[x, y, x, y, ...], ...]``, or ``{"size", "counts"}`` with run
            lengths as a list or compressed as a text.
        size: (H, W) of the image.
        where: the annotation, for errors.

    Raises:
        InputError: the segmentation has another form or another size, or is damaged.
    """
    height, width = size
    if isinstance(segmentation, list):
        _check_polygons(segmentation, size, where)
        drawn: bytes = coco_mask.merge(coco_mask.frPyObjects(segmentation, height, width))["counts"]
        return drawn
    if not isinstance(segmentation, dict) or not {"size", "counts"} <= segmentation.keys():
        raise InputError(f"{where} has no 'segmentation' of polygons or run lengths; add it")
    if segmentation["size"] != [height, width]:
        raise InputError(
            f"{where} has run lengths of size {segmentation['size']}, but its image has "
            f"{[height, width]} (height, width); make the mask again at the size of the image"
        )
    counts = segmentation["counts"]
    if isinstance(counts, list):
        whole = all(type(run) is int and run >= 0 for run in counts)
        if not whole or sum(counts) != height * width:
            raise InputError(
                f"{where} has run lengths that do not add up to {height} x {width}; make the mask "
                "again"
            )
        listed: bytes = coco_mask.frPyObjects(segmentation, height, width)["counts"]
        return listed
    try:
        compressed = counts.encode() if isinstance(counts, str) else b""
        check_mask(compressed, height * width)
    except ValueError:
        raise InputError(
            f"{where} has compressed run lengths that are damaged; make the mask again"
        ) from None
    return compressed


def _check_polygons(polygons: list[Any], size: tuple[int, int], where: str) -> None:
    if not polygons:
        raise InputError(f"{where} has no polygon; add one or remove the annotation")
    for polygon in polygons:
        numbers = isinstance(polygon, list) and all(type(x) in (int, float) for x in polygon)
        if not numbers or len(polygon) < SHORTEST_POLYGON or len(polygon) % 2:
            count = len(polygon) if isinstance(polygon, list) else 0
            raise InputError(
                f"{where} has a polygon of {count} numbers; it needs an even number of at least "
                f"{SHORTEST_POLYGON} (x and y of three corners): correct or remove it"
            )
        # Corners a little outside are clipped. The comparison is false for NaN, too.
        if not all(abs(x) <= 2 * max(size) for x in polygon):
            raise InputError(
                f"{where} has a polygon with a corner far from its image of {size[1]}x{size[0]}; "
                "correct it"
            )
