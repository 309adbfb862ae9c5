"""Read Cityscapes as its archives unpack; the stills of a split are one "video" of its name.

``leftImg8bit/<video>/<city>/<name>_leftImg8bit.png``, or another picture of that name, and, in
``gtFine/<video>/<city>/``,

* ``<name>_gtFine_labelTrainIds.png``: classes, 255 = void, made by csCreateTrainIdLabelImgs;
* ``<name>_gtFine_labelIds.png``: label ids, from which the classes are computed if the file above
  is missing;
* ``<name>_gtFine_instanceIds.png``, 16 bit: 1000 * label id + number of the object, or the label id
  alone for stuff and for a group of objects that are not told apart.

A split without ``gtFine`` is read without labels, and one without instanceIds without instances
(https://github.com/mcordts/cityscapesScripts, README and helpers/labels.py).
"""

import functools
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from videottt.core.errors import InputError, nearest
from videottt.core.segments import VOID, ClassSpace
from videottt.data.beside import is_hidden
from videottt.data.layouts.kitti_step import check_classes
from videottt.data.layouts.listing import (
    FrameFiles,
    LabelMap,
    Listing,
    check_size,
    doubled,
    paired,
)
from videottt.data.pictures.images import STILLS, check_read, read_image, read_map
from videottt.store.source_frame import SourceFrame

IMAGE = "_leftImg8bit"
TRAIN_IDS, LABEL_IDS, INSTANCE_IDS = (
    f"_gtFine_{kind}.png" for kind in ("labelTrainIds", "labelIds", "instanceIds")
)
# Label ids of the classes, in the order of their train ids. The other ones of the 34 label ids are
# void, and so is the license plate, -1, which is 255 in 8 bits.
IDS = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)
LABELS = 34
TRAIN_ID_OF = np.full(LABELS, VOID, np.uint8)
TRAIN_ID_OF[list(IDS)] = np.arange(len(IDS))
# An object's id is its label id times WIDTH plus a number; only labels from 24 on have objects.
WIDTH, FIRST_OBJECT = 1000, 24


def read(root: Path, split: str, video: str, space: ClassSpace) -> Iterator[SourceFrame]:
    """Read the stills of one split, city by city, in the order of their names.

    Args:
        root: the folder that holds ``leftImg8bit`` and ``gtFine``.
        split: unused, since `video` names the split.
        video: Cityscapes' name of the split, for example "train".
        space: the classes; only things get instances.

    Raises:
        InputError: a folder or file is missing or unreadable, or a map differs in size from its
            image or has an invalid value.
    """
    yield from list_frames(root, split, video, space).read()


def list_frames(root: Path, split: str, video: str, space: ClassSpace) -> Listing:
    """Return the files of one split; the arguments are those of `read`.

    Raises:
        InputError: there is no image.
    """
    folder, labels = root / "leftImg8bit" / video, root / "gtFine" / video
    pictures = [path for path in _in_cities(folder) if path.stem.endswith(IMAGE)]
    check_read(pictures)
    images = [path for path in pictures if path.suffix.lower() in STILLS]
    if not images:
        beside = [p.name for p in folder.parent.glob("*") if p.is_dir() and not is_hidden(p.name)]
        hint = nearest(video, beside) if beside else "check data_root in config.yaml"
        raise InputError(f"{folder}: holds no image <city>/<name>{IMAGE}.png; {hint}")
    twice = doubled(images)
    if not labels.is_dir():
        unlabelled = [_files(image, None, None, space) for image in images]
        return Listing(unlabelled, twice, stills=True)
    maps = [path for path in _in_cities(labels) if path.suffix == ".png"]
    semantic, label_problems = _label_maps(images, labels, maps)
    instances, instance_problems = _instance_maps(images, labels, maps)
    frames = [_files(*files, space) for files in zip(images, semantic, instances, strict=True)]
    return Listing(frames, twice + label_problems + instance_problems, stills=True)


def _in_cities(folder: Path) -> list[Path]:
    """Return the files in the folders of a folder, but for hidden ones, sorted."""
    files = folder.glob("*/*")
    return sorted(p for p in files if not (is_hidden(p.name) or is_hidden(p.parent.name)))


def _beside(images: list[Path], labels: Path, ending: str) -> list[Path]:
    """Return the path of the label file of each image, whether it exists or not."""
    return [
        labels / image.parent.name / (image.stem.removesuffix(IMAGE) + ending) for image in images
    ]


def _label_maps(
    images: list[Path], labels: Path, files: list[Path]
) -> tuple[list[Path | None], list[InputError]]:
    """Return the class map of each image, of train ids if it exists, and the problems."""
    maps = {path for path in files if path.name.endswith((TRAIN_IDS, LABEL_IDS))}
    if not maps:
        problem = InputError(f"{labels}: holds no label map; unpack the archive of gtFine again")
        return [None] * len(images), [problem]
    train, label = (_beside(images, labels, ending) for ending in (TRAIN_IDS, LABEL_IDS))
    chosen = [a if a in maps else b for a, b in zip(train, label, strict=True)]
    # Maps of label ids beside maps of train ids are not needed.
    unused = set(label).difference(chosen)
    return paired(images, chosen, maps - unused, "label map")


def _instance_maps(
    images: list[Path], labels: Path, files: list[Path]
) -> tuple[list[Path | None], list[InputError]]:
    """Return the instance map of each image, if any image has one, and the problems."""
    maps = [path for path in files if path.name.endswith(INSTANCE_IDS)]
    if not maps:
        return [None] * len(images), []
    return paired(images, _beside(images, labels, INSTANCE_IDS), maps, "instance map")


def _files(
    image: Path, semantic: Path | None, instances: Path | None, space: ClassSpace
) -> FrameFiles:
    maps = [LabelMap(semantic, ("L",))] if semantic else []
    # Older versions of Pillow call 16 bits "I".
    maps += [LabelMap(instances, ("I;16", "I"))] if instances else []
    name = image.stem.removesuffix(IMAGE)
    load = functools.partial(_read_frame, name, image, tuple(maps), space)
    return FrameFiles(name, image, load, tuple(maps))


def _read_frame(
    name: str, image: Path, maps: tuple[LabelMap, ...], space: ClassSpace
) -> SourceFrame:
    pixels = read_image(image)
    stored = [read_map(label_map.path, label_map.modes) for label_map in maps]
    for label_map, values in zip(maps, stored, strict=True):
        check_size(label_map.path, values, pixels)
    if not maps:
        return SourceFrame(name, pixels)
    path, semantic = maps[0].path, stored[0]
    if path.name.endswith(LABEL_IDS):
        semantic = train_ids(path, semantic)
    check_classes(path, semantic)
    if len(maps) == 1:
        return SourceFrame(name, pixels, semantic)
    instance = instance_numbers(maps[1].path, stored[1])
    thing = np.zeros(VOID + 1, bool)
    thing[: len(space.classes)] = space.is_thing
    return SourceFrame(name, pixels, semantic, instance * thing[semantic])


def train_ids(path: Path, labels: np.ndarray) -> np.ndarray:
    """Convert a map of label ids to classes: uint8 [H, W], 255 = void.

    Args:
        path: file of the map, for errors.
        labels: uint8 [H, W].

    Raises:
        InputError: a label id does not exist.
    """
    table = np.full(256, VOID, np.uint8)
    table[:LABELS] = TRAIN_ID_OF
    unknown = np.flatnonzero(np.bincount(labels.ravel(), minlength=256)[LABELS:VOID]) + LABELS
    if unknown.size:
        raise InputError(
            f"{path}: has label {unknown[0]}, but labels are 0..{LABELS - 1}, and {VOID} for void; "
            "restore it from the data set"
        )
    classes: np.ndarray = table[labels]
    return classes


def instance_numbers(path: Path, ids: np.ndarray) -> np.ndarray:
    """Convert an instance map of Cityscapes to numbers of objects: uint16 [H, W], 0 = none.

    Args:
        path: file of the map, for errors.
        ids: integers [H, W].

    Raises:
        InputError: an id has a label that does not exist, or whose objects have no numbers.
    """
    counted = ids >= WIDTH
    label = np.where(counted, ids // WIDTH, ids)
    lowest = np.where(counted, FIRST_OBJECT, 0)
    wrong = ids[(label < lowest) | (label >= LABELS)]
    if wrong.size:
        raise InputError(
            f"{path}: has instance {wrong[0]}, but it must be a label, 0..{LABELS - 1}, or {WIDTH} "
            f"times a label of {FIRST_OBJECT}..{LABELS - 1}, and a number; restore it from the "
            "data set"
        )
    return np.where(counted, ids % WIDTH + 1, 0).astype(np.uint16)
