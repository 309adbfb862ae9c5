"""Read COCO panoptic as COCO 2017 unpacks; the stills of a folder are one "video" of its name.

``<video>/*.jpg``, ``annotations/panoptic_<video>.json`` and, in ``annotations/panoptic_<video>/``
or ``panoptic_<video>/``, a PNG for each image, whose pixels are segment ids: R + 256 G + 65536 B,
0 = void (https://cocodataset.org/#format-data, "Panoptic Segmentation").
"""

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from videottt.core.errors import InputError
from videottt.core.segments import VOID, ClassSpace
from videottt.data.beside import is_hidden
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
    field,
    file_name,
    flag,
    identity,
    integer,
    is_file,
    read_document,
    stored_map,
    warn_of_left_out,
    without_suffix,
)
from videottt.data.layouts.listing import FrameFiles, LabelMap, Listing
from videottt.data.pictures.images import STILLS, read_map
from videottt.store.source_frame import LAST_INSTANCE, SourceFrame

LAST_SEGMENT = 2**24 - 1  # the largest id in three bytes


def read(root: Path, split: str, video: str, space: ClassSpace) -> Iterator[SourceFrame]:
    """Read the images that the JSON file lists, in the order of their names.

    Args:
        root: the folder that holds ``annotations``.
        split: unused, since `video` names the split.
        video: COCO's name of the split, for example "val2017".
        space: the classes of the data set.

    Raises:
        InputError: a file is missing or unreadable, or files contradict each other.
    """
    yield from list_frames(root, split, video, space).read()


def list_frames(root: Path, split: str, video: str, space: ClassSpace) -> Listing:
    """Return the files of the images that the JSON file lists; arguments as for `read`.

    Raises:
        InputError: the JSON file is missing, unreadable or contradicts itself.
    """
    source = root / "annotations" / f"panoptic_{video}.json"
    document = read_document(source)
    beside = root / "annotations" / f"panoptic_{video}"
    maps = beside if beside.is_dir() else root / f"panoptic_{video}"
    images = images_of(document, source, root / video)
    annotations = annotations_of(document, images, source, maps)
    categories = categories_of(document, space, source)
    frames = [
        files_of(image, root / video, annotations.get(image.id), maps, categories)
        for image in images.values()
    ]
    return Listing(frames, strays=strays(frames, root / video, maps), stills=True)


def files_of(
    image: CocoImage, folder: Path, annotation: Entry | None, maps: Path, categories: Categories
) -> FrameFiles:
    """Return the files of one image: the image in `folder`, and its map of segments in `maps`."""
    path = None if annotation is None else stored_map(maps, annotation["file_name"])

    def load() -> SourceFrame:
        pixels = image.read(folder)
        if annotation is None or path is None:
            return SourceFrame(image.name, pixels)
        height, width = pixels.shape[:2]
        labels = labels_of(image, (height, width), annotation, path, categories)
        return SourceFrame(image.name, pixels, *labels)

    labels = () if path is None else (LabelMap(path, ("RGB",)),)
    return FrameFiles(image.name, image.path(folder), load, labels, image.size)


def strays(frames: Sequence[FrameFiles], *folders: Path) -> list[Path]:
    """Return the pictures in folders that belong to no frame."""
    images = {frame.image for frame in frames}
    maps = {label_map.path for frame in frames for label_map in frame.maps}
    files = {path for folder in folders if folder.is_dir() for path in folder.iterdir()}
    return sorted(
        path
        for path in files - images - maps
        if path.suffix.lower() in STILLS and not is_hidden(path.name)
    )


def annotations_of(
    document: Entry, images: dict[Id, CocoImage], source: Path, maps: Path
) -> dict[Id, Entry]:
    """Return the annotation of each image that has one, by the image's id; warn of those left out.

    Raises:
        InputError: no annotation belongs to an image, or two share an image or a file in `maps`.
    """
    annotation_of: dict[Id, Entry] = {}
    owners: dict[str, Id] = {}
    pairs, left_out = with_images(document, images, source)
    for place, annotation, image in pairs:
        name = file_name(annotation, maps, f"{source}: entry {place} of 'annotations'")
        if image.id in annotation_of:
            other = annotation_of[image.id]["file_name"]
            raise InputError(
                f"{image.where} has two annotations, '{other}' and '{name}'; remove one"
            )
        owner = owners.setdefault(without_suffix(name), image.id)
        if owner != image.id:
            raise InputError(
                f"{image.where} and image {owner!r} both name the map '{name}'; give each image a "
                "map"
            )
        annotation_of[image.id] = {**annotation, "file_name": name}
    warn_of_left_out(source, left_out)
    return annotation_of


def labels_of(
    image: CocoImage, size: tuple[int, int], annotation: Entry, path: Path, categories: Categories
) -> tuple[np.ndarray, np.ndarray]:
    """Read the class map and the instance map of an image from its PNG.

    Args:
        image: the image.
        size: (H, W) of its pixels.
        annotation: its entry.
        path: the PNG.
        categories: the meaning of ``category_id``.

    Returns:
        uint8 [H, W], 255 = void, and uint16 [H, W], 0 = none.

    Raises:
        InputError: the PNG is missing, unreadable or does not fit the annotation.
    """
    if not is_file(path):
        raise InputError(
            f"{path}: this map of segments of image {image.id!r} in {image.source} is missing; "
            "restore it from the data set or remove the annotation"
        )
    colours = read_map(path, ("RGB",)).astype(np.uint32)
    image.check_size(path, colours, size)
    ids = colours[..., 0] + 256 * colours[..., 1] + 65536 * colours[..., 2]
    segments = field(annotation, "segments_info", list, image.where)
    return decode(ids, segments, categories, path)


def decode(
    ids: np.ndarray, segments: list[Entry], categories: Categories, path: Path
) -> tuple[np.ndarray, np.ndarray]:
    """Convert a map of segments to a class map and an instance map.

    The number of an instance is the ``instance_id`` of its segment, if the file has this key, or
    else the first unused number. Crowds have no number, and neither has the first segment of a
    stuff class.

    Args:
        ids: uint32 [H, W], 0 = void.
        segments: entries with ``id``, ``category_id`` (255 = void) and, for things, ``iscrowd``.
        categories: the meaning of ``category_id``.
        path: file of the map, for errors.

    Returns:
        uint8 [H, W], 255 = void, and uint16 [H, W], 0 = none.

    Raises:
        InputError: the segments differ from those of the map, or an entry is invalid.
    """
    numbers = [integer(entry, "id", f"{path}: an entry of its segments") for entry in segments]
    for segment, count in zip(*np.unique(numbers, return_counts=True), strict=True):
        if count > 1 or not 0 < segment <= LAST_SEGMENT:
            raise InputError(
                f"{path}: segment {segment} is {count} times in {categories.source}; segment ids "
                f"are 1..{LAST_SEGMENT}, each once in an image; correct them"
            )
    # A table of all ids takes little memory: the system allocates only the pages that are written.
    place_of = np.zeros(LAST_SEGMENT + 1, np.uint16)
    place_of[numbers] = np.arange(1, len(numbers) + 1)
    places = place_of[ids]
    pixels = np.bincount(places.ravel(), minlength=len(numbers) + 1)
    for segment, count in zip(numbers, pixels[1:], strict=True):
        if not count:
            raise InputError(
                f"{path}: segment {segment} of {categories.source} has no pixel; restore the map "
                "or remove the segment"
            )
    stray = ids[(places == 0) & (ids != 0)]
    if stray.size:
        raise InputError(
            f"{path}: segment {stray[0]} has pixels, but is not in {categories.source}; add it "
            "there or make its pixels black (void)"
        )
    numbered = dict(zip(numbers, segments, strict=True))
    classes = [
        categories.index(
            identity(entry, "category_id", f"{path}: segment {segment}"),
            f"{path}: segment {segment}",
        )
        for segment, entry in numbered.items()
    ]
    instances = _instances(numbered, classes, categories.space, path)
    return (
        np.array([VOID, *classes], np.uint8)[places],
        np.array([0, *instances], np.uint16)[places],
    )


def _instances(
    segments: dict[int, Entry], classes: list[int], space: ClassSpace, path: Path
) -> list[int]:
    """Return the instance number of each segment."""
    given = [
        None
        if entry.get("instance_id") is None
        else integer(entry, "instance_id", f"{path}: segment {segment}")
        for segment, entry in segments.items()
    ]
    free = (number for number in itertools.count(1) if number not in given)
    owners: dict[tuple[int, int], int] = {}
    numbers = []
    for (segment, entry), index, number in zip(segments.items(), classes, given, strict=True):
        thing = index != VOID and space.classes[index] in space.things
        where = f"{path}: segment {segment}"
        crowd = flag(entry, "iscrowd", where) and thing
        if index == VOID or crowd:
            number = 0
        elif number is None:
            number = next(free) if thing or (index, 0) in owners else 0
        if not int(thing and not crowd) <= number <= LAST_INSTANCE:
            raise InputError(
                f"{where} has instance_id {number}; it must be 1..{LAST_INSTANCE}, or 0 for stuff"
            )
        if (index, number) in owners and index != VOID and not crowd:
            raise InputError(
                f"{where} has instance_id {number}, as segment {owners[index, number]} of its "
                "class has; give each segment a unique one"
            )
        owners[index, number] = segment
        numbers.append(number)
    return numbers
