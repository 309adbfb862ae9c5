"""Read COCO instances as COCO 2017 unpacks; the stills of a folder are one "video" of its name.

``<video>/*.jpg`` and ``annotations/instances_<video>.json``, whose masks are polygons or run
lengths and may overlap (https://cocodataset.org/#format-data, "Object Detection").
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pycocotools import mask as coco_mask

from videottt.core.errors import InputError
from videottt.core.segments import VOID, ClassSpace, Instances
from videottt.data.layouts.coco import (
    Categories,
    CocoImage,
    categories_of,
    images_of,
    with_images,
)
from videottt.data.layouts.coco_entries import (
    Entry,
    Id,
    flag,
    identity,
    read_document,
    warn_of_left_out,
)
from videottt.data.layouts.coco_masks import Part, mask_of, parts_of
from videottt.store.source_frame import SourceFrame


@dataclass(frozen=True, slots=True)
class CocoObject:
    """One annotation of a JSON file.

    Attributes:
        id: id of the annotation.
        index: index of its class, or 255 = void.
        parts: polygons and run lengths; together they are the object.
        crowd: whether it groups objects that are not told apart.
    """

    id: Id
    index: int
    parts: list[Part]
    crowd: bool


def read(root: Path, split: str, video: str, space: ClassSpace) -> Iterator[SourceFrame]:
    """Read the images that the JSON file lists, in the order of their names.

    Every image counts as labelled; one without an annotation shows no object. Where masks overlap,
    the smaller one lies on top in the class map and the instance map; pixels of no mask are void.
    An object without a mask is left out, whether it has a box or not.

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
    images = images_of(document, source, root / video)
    categories = categories_of(document, space, source)
    objects = _objects_of(document, images, categories)
    for image in images.values():
        pixels = image.read(root / video)
        height, width = pixels.shape[:2]
        labels = labels_of(objects.get(image.id, []), (height, width), categories)
        yield SourceFrame(image.name, pixels, *labels)


def _objects_of(
    document: Entry, images: dict[Id, CocoImage], categories: Categories
) -> dict[Id, list[CocoObject]]:
    """Return the objects of each image that has any, by the image's id; warn of those left out."""
    source = categories.source
    pairs, left_out = with_images(document, images, source)
    objects: dict[Id, list[CocoObject]] = {}
    seen: set[Id] = set()
    bare: list[Id] = []
    parts_left, parts_in_all = 0, 0
    for place, annotation, image in pairs:
        number = identity(annotation, "id", f"{source}: entry {place} of 'annotations'")
        where = f"{source}: annotation {number!r}"
        if number in seen:
            raise InputError(f"{where} is listed twice; give every annotation a unique id")
        seen.add(number)
        index = categories.index(identity(annotation, "category_id", where), where)
        parts, invalid = parts_of(annotation.get("segmentation"), where)
        found = CocoObject(number, index, parts, flag(annotation, "iscrowd", where))
        parts_left += invalid
        parts_in_all += len(parts) + invalid
        if parts:
            objects.setdefault(image.id, []).append(found)
        else:
            bare.append(number)
    if bare and not objects:
        raise InputError(
            f"{source}: none of its {len(bare)} objects has a mask (first: annotation "
            f"{bare[0]!r}); add a 'segmentation' of polygons with three corners or more, or of run "
            "lengths"
        )
    if bare:
        said = f"{len(bare)} of {len(pairs)} objects"
        left_out.append(f"{said} (they have no mask; first: annotation {bare[0]!r})")
    if parts_left:
        said = f"{parts_left} of {parts_in_all} polygons and other parts of masks"
        left_out.append(f"{said} (they have no area)")
    warn_of_left_out(source, left_out)
    return objects


def labels_of(
    objects: list[CocoObject], size: tuple[int, int], categories: Categories
) -> tuple[np.ndarray, np.ndarray, Instances]:
    """Return the class map, the instance map and the instances of one image.

    Args:
        objects: the objects of the image.
        size: (H, W) of the image.
        categories: the classes; stuff is in the class map only.

    Returns:
        uint8 [H, W], 255 = void; uint16 [H, W], 0 = none or a crowd; masks as in the file.

    Raises:
        InputError: a mask is invalid.
    """
    classes = [each.index for each in objects]
    masks = [
        mask_of(each.parts, size, f"{categories.source}: annotation {each.id!r}")
        for each in objects
    ]
    crowd = np.array([each.crowd for each in objects], bool)
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
