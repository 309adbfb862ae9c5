"""Cityscapes as its archives unpack: stills, which are the "video" of the name of their split.

``leftImg8bit/<video>/<city>/<name>_leftImg8bit.png`` and, in ``gtFine/<video>/<city>/``,

* ``<name>_gtFine_labelTrainIds.png``: classes, 255 = void, which csCreateTrainIdLabelImgs makes;
* ``<name>_gtFine_labelIds.png``: of which they are made here where they are missing;
* ``<name>_gtFine_instanceIds.png``, 16 bit: 1000 label id + number of the object, or the label id
  alone of stuff and of a group of objects that are not told apart.

A split without ``gtFine`` is read without labels, one without instanceIds without instances
(https://github.com/mcordts/cityscapesScripts, README and helpers/labels.py).
"""

import functools
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from videottt.core.errors import InputError, nearest
from videottt.core.segments import VOID, ClassSpace
from videottt.data.layouts.images import read_image, read_map
from videottt.data.layouts.kitti_step import check_classes
from videottt.data.layouts.listing import FrameFiles, LabelMap, Listing, check_size, paired
from videottt.store.source_frame import SourceFrame

IMAGE = "_leftImg8bit.png"
TRAIN_IDS, LABEL_IDS, INSTANCE_IDS = (
    f"_gtFine_{kind}.png" for kind in ("labelTrainIds", "labelIds", "instanceIds")
)
# Label ids of the classes, in the order of their train ids. Those between, of 34, are void, and so
# is the license plate, -1, which is 255 in 8 bits.
IDS = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)
LABELS = 34
TRAIN_ID_OF = np.full(LABELS, VOID, np.uint8)
TRAIN_ID_OF[list(IDS)] = np.arange(len(IDS))
# Of an object; 24 to 33 are the label ids of those that are counted.
WIDTH, FIRST_OBJECT = 1000, 24


def read(root: Path, split: str, video: str, space: ClassSpace) -> Iterator[SourceFrame]:
    """Read the stills of one split, city by city, in the order of their names.

    Args:
        root: the folder that holds ``leftImg8bit`` and ``gtFine``.
        split: not part of the path, therefore unused.
        video: Cityscapes' name of the split, for example "train".
        space: the classes, of which those that are no things have no instances.

    Raises:
        InputError: a folder or file is missing or unreadable, or a map has another size than its
            image, or a value that stands for nothing.
    """
    yield from list_frames(root, split, video, space).read()


def list_frames(root: Path, split: str, video: str, space: ClassSpace) -> Listing:
    """Return the files of one split; arguments as of `read`.

    Raises:
        InputError: there is no image.
    """
    folder, labels = root / "leftImg8bit" / video, root / "gtFine" / video
    images = sorted(folder.glob(f"*/*{IMAGE}"))
    if not images:
        beside = [each.name for each in folder.parent.glob("*") if each.is_dir()]
        hint = nearest(video, beside) if beside else "check data_root in config.yaml"
        raise InputError(f"{folder}: holds no image <city>/<name>{IMAGE}; {hint}")
    if not labels.is_dir():
        bare = [_files(image, None, None, space) for image in images]
        return Listing(bare, stills=True)
    found = sorted(labels.glob("*/*.png"))
    semantic, problems = _label_maps(images, labels, found)
    instances, wrong = _instance_maps(images, labels, found)
    files = [_files(*three, space) for three in zip(images, semantic, instances, strict=True)]
    return Listing(files, problems + wrong, stills=True)


def _beside(images: list[Path], labels: Path, ending: str) -> list[Path]:
    """Return the file of labels of each image, whether it is there or not."""
    return [labels / each.parent.name / (each.name.removesuffix(IMAGE) + ending) for each in images]


def _label_maps(
    images: list[Path], labels: Path, found: list[Path]
) -> tuple[list[Path | None], list[InputError]]:
    """Return the map of classes of each image, of train ids if it is there, and what is wrong."""
    maps = {path for path in found if path.name.endswith((TRAIN_IDS, LABEL_IDS))}
    if not maps:
        problem = InputError(f"{labels}: holds no label map; unpack the archive of gtFine again")
        return [None] * len(images), [problem]
    made, source = (_beside(images, labels, ending) for ending in (TRAIN_IDS, LABEL_IDS))
    chosen = [one if one in maps else other for one, other in zip(made, source, strict=True)]
    # What train ids are made of may lie beside them.
    spare = set(source).difference(chosen)
    return paired(images, chosen, maps - spare, "label map")


def _instance_maps(
    images: list[Path], labels: Path, found: list[Path]
) -> tuple[list[Path | None], list[InputError]]:
    """Return the map of instances of each image, if any image has one, and what is wrong."""
    maps = [path for path in found if path.name.endswith(INSTANCE_IDS)]
    if not maps:
        return [None] * len(images), []
    return paired(images, _beside(images, labels, INSTANCE_IDS), maps, "instance map")


def _files(
    image: Path, semantic: Path | None, instances: Path | None, space: ClassSpace
) -> FrameFiles:
    maps = [LabelMap(semantic, ("L",))] if semantic else []
    # Older versions of Pillow call 16 bits "I".
    maps += [LabelMap(instances, ("I;16", "I"))] if instances else []
    name = image.name.removesuffix(IMAGE)
    load = functools.partial(_read_frame, name, image, tuple(maps), space)
    return FrameFiles(name, image, load, tuple(maps))


def _read_frame(
    name: str, image: Path, maps: tuple[LabelMap, ...], space: ClassSpace
) -> SourceFrame:
    pixels = read_image(image)
    stored = [read_map(each.path, each.modes) for each in maps]
    for each, values in zip(maps, stored, strict=True):
        check_size(each.path, values, pixels)
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
    """Return the classes of a map of label ids: uint8 [H, W], 255 = void.

    Args:
        path: what to call the map in errors.
        labels: uint8 [H, W].

    Raises:
        InputError: there is no such label.
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
    """Return the numbers of the objects of a map of instances: uint16 [H, W], 0 = none.

    Args:
        path: what to call the map in errors.
        ids: integers [H, W].

    Raises:
        InputError: there is no such label, or none whose objects are counted.
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
