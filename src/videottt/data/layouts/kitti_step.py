"""Read and write KITTI-STEP, driving videos with a panoptic map for each frame.

Several layouts of the data set are read:

* frames: ``images/<split>/<video>/%06d.png``, as deeplab2 arranges them, or
  ``training/image_02/<video>/%06d.png``, as KITTI's archive unpacks;
* panoptic maps: ``panoptic_maps/<split>/<video>/%06d.png``, 8-bit RGB: R = class (Cityscapes train
  id, 255 = void), instance id = 256 G + B, 0 = no instance (deeplab2's g3doc/setup/kitti_step.md);
* or, in the same folder, the label maps of the paper's authors: ``%06d_sem.png``, the class alone,
  and ``%06d.json``, ``{"imgHeight": ..., "imgWidth": ...}``. Panoptic maps take precedence.

Frames are numbered from 0 without a gap. A split without panoptic maps, like the official test
split, is read without labels.
"""

import functools
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from videottt.core.errors import InputError
from videottt.core.segments import VOID, ClassSpace
from videottt.data.beside import is_hidden
from videottt.data.layouts.listing import (
    FrameFiles,
    LabelMap,
    Listing,
    check_size,
    paired,
    size_text,
)
from videottt.data.pictures.images import list_images, list_stills, read_image, read_map
from videottt.store.source_frame import SourceFrame

CITYSCAPES = (
    "road", "sidewalk", "building", "wall", "fence", "pole", "traffic light", "traffic sign",
    "vegetation", "terrain", "sky", "person", "rider", "car", "truck", "bus", "train",
    "motorcycle", "bicycle",
)  # fmt: skip

# Endings of the names of label files; the last two are the authors'.
PANOPTIC, SEMANTIC, STATED = ".png", "_sem.png", ".json"


def read(root: Path, split: str, video: str, space: ClassSpace) -> Iterator[SourceFrame]:
    """Read the frames of one sequence in order; `space` is unused, since the classes are fixed.

    Raises:
        InputError: a folder or file is missing or unreadable, the numbering has a gap, or a map
            differs in size from its frame or has an invalid class.
    """
    yield from list_frames(root, split, video, space).read()


def list_frames(root: Path, split: str, video: str, space: ClassSpace) -> Listing:
    """Return the files of one sequence.

    Raises:
        InputError: there is no frame.
    """
    images, missing, problems = _numbered(list_stills(_folder_of_frames(root, split, video)))
    maps = root / "panoptic_maps" / split / video
    if not images or not maps.parent.is_dir():
        return Listing([_files(image) for image in images], problems)
    try:
        pngs = list_images(maps, (".png",))
    except InputError as error:
        return Listing([_files(image) for image in images], [*problems, error])
    panoptic = [path for path in pngs if not path.name.endswith(SEMANTIC)]
    ending = PANOPTIC if panoptic else SEMANTIC
    # A map whose frame is missing is no second problem.
    present = set(panoptic or pngs).difference(_beside(missing, maps, ending))
    labels, unpaired = paired(images, _beside(images, maps, ending), present, "label map")
    if panoptic:
        return Listing(list(map(_files, images, labels)), problems + unpaired)
    sizes, unstated = _stated_sizes(images, missing, maps)
    return Listing(list(map(_files, images, labels, sizes)), problems + unpaired + unstated)


def _beside(images: list[Path], folder: Path, ending: str) -> list[Path]:
    """Return the path of each image's file in another folder, whether it exists or not."""
    return [folder / f"{image.stem}{ending}" for image in images]


def _folder_of_frames(root: Path, split: str, video: str) -> Path:
    arranged, unpacked = root / "images" / split / video, root / "training" / "image_02" / video
    # For a misspelt video, an error in the folder that exists can name a similar one.
    return unpacked if not arranged.is_dir() and unpacked.parent.is_dir() else arranged


def _numbered(paths: list[Path]) -> tuple[list[Path], list[Path], list[InputError]]:
    """Return the frames, the missing ones between them, and an error for each gap or wrong name."""
    images: list[Path] = []
    missing: list[Path] = []
    problems, expected = [], 0
    for path in paths:
        if len(path.stem) != 6 or not path.stem.isdecimal() or int(path.stem) < expected:
            problems.append(
                InputError(f"{path}: is not named like a frame, 000000.png; remove or rename it")
            )
            continue
        gap = [path.with_stem(f"{number:06d}") for number in range(expected, int(path.stem))]
        if gap:
            which, them = "this frame is", "it"
            if len(gap) > 1:
                which, them = f"this frame and {len(gap) - 1} after it are", "them"
            problems.append(
                InputError(
                    f"{gap[0]}: {which} missing ({path.name} comes instead); restore {them} from "
                    "the data set"
                )
            )
        images.append(path)
        missing += gap
        expected = int(path.stem) + 1
    return images, missing, problems


def _stated_sizes(
    images: list[Path], missing: list[Path], folder: Path
) -> tuple[list[tuple[int, int] | None], list[InputError]]:
    """Return the sizes that the authors' JSON files state, and the problems of these files.

    The files are optional, but if one exists, every frame must have one.
    """
    present = {path for path in folder.glob(f"*{STATED}") if not is_hidden(path.name)}
    if not present:
        return [None] * len(images), []
    present -= set(_beside(missing, folder, STATED))
    paths, problems = paired(images, _beside(images, folder, STATED), present, "JSON file")
    sizes: list[tuple[int, int] | None] = []
    for path in paths:
        try:
            stated = json.loads(path.read_bytes()) if path else None
            size = stated and (stated["imgHeight"], stated["imgWidth"])
            if size and not all(type(side) is int for side in size):
                raise TypeError("a size is not a whole number")
            sizes.append(size)
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            sizes.append(None)
            problems.append(
                InputError(
                    f'{path}: is not like {{"imgHeight": 375, "imgWidth": 1242}}; restore it from '
                    "the data set"
                )
            )
    return sizes, problems


def _files(
    image: Path, label: Path | None = None, size: tuple[int, int] | None = None
) -> FrameFiles:
    modes = ("L", "P") if label and label.name.endswith(SEMANTIC) else ("RGB",)
    maps = (LabelMap(label, modes),) if label else ()
    load = functools.partial(_read_frame, image, maps, size)
    return FrameFiles(image.stem, image, load, maps, size)


def _read_frame(
    image: Path, maps: tuple[LabelMap, ...], size: tuple[int, int] | None
) -> SourceFrame:
    pixels = read_image(image)
    if size is not None and pixels.shape[:2] != size:
        raise InputError(
            f"{image}: is {size_text(pixels.shape)}, but its JSON file says "
            f"{size_text(size)}; restore both from the data set"
        )
    if not maps:
        return SourceFrame(image.stem, pixels)
    stored = read_map(maps[0].path, maps[0].modes)
    check_size(maps[0].path, stored, pixels)
    semantic, instance = decode(stored) if stored.ndim == 3 else (stored, None)
    check_classes(maps[0].path, semantic)
    return SourceFrame(image.stem, pixels, semantic, instance)


def check_classes(path: Path, semantic: np.ndarray) -> None:
    """Raise an InputError if a value of a map is neither a Cityscapes train id nor void."""
    unknown = np.flatnonzero(np.bincount(semantic.ravel(), minlength=VOID)[len(CITYSCAPES) : VOID])
    if unknown.size:
        raise InputError(
            f"{path}: has class {unknown[0] + len(CITYSCAPES)}, but classes are "
            f"0..{len(CITYSCAPES) - 1}, and {VOID} for void; restore it from the data set"
        )


def decode(panoptic: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Split a panoptic map into a class map, uint8 [H, W], and an instance map, uint16 [H, W]."""
    instance = panoptic[..., 1].astype(np.uint16) * 256 + panoptic[..., 2]
    return np.ascontiguousarray(panoptic[..., 0]), instance


def encode(semantic: np.ndarray, instance: np.ndarray) -> np.ndarray:
    """Combine a class map and an instance map into a panoptic map, uint8 [H, W, 3]."""
    return np.stack([semantic, instance // 256, instance % 256], axis=-1).astype(np.uint8)


def write(
    root: Path, split: str, video: str, frames: Iterable[SourceFrame], space: ClassSpace
) -> int:
    """Write the frames of one sequence in deeplab2's layout, and return their number.

    Raises:
        InputError: a frame has no labels.
    """
    folders = root / "images" / split / video, root / "panoptic_maps" / split / video
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
    count = 0
    for frame in frames:
        if frame.semantic is None or frame.instance is None:
            raise InputError(
                f"frame {count} of video '{video}' has no labels, but kitti_step labels every "
                "frame; remove label_every, or write another layout, such as coco_videos"
            )
        layers = frame.image, encode(frame.semantic, frame.instance)
        for folder, layer in zip(folders, layers, strict=True):
            Image.fromarray(layer).save(folder / f"{count:06d}.png", compress_level=1)
        count += 1
    return count
