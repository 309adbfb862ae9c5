"""KITTI-STEP: ``images/<split>/<video>/%06d.png`` and ``panoptic_maps/<split>/<video>/%06d.png``.

A panoptic map is 8-bit RGB: R = class (Cityscapes train id, 255 = void), instance id = 256 G + B,
0 = no instance (deeplab2's g3doc/setup/kitti_step.md). Frames are numbered from 0 without a gap. A
split without panoptic maps, like the official test split, is read without labels.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from videottt.datasets.images import list_images, pair_labels, read_image, read_map
from videottt.errors import InputError
from videottt.frames import SourceFrame
from videottt.segments import ClassSpace

CITYSCAPES = (
    "road", "sidewalk", "building", "wall", "fence", "pole", "traffic light", "traffic sign",
    "vegetation", "terrain", "sky", "person", "rider", "car", "truck", "bus", "train",
    "motorcycle", "bicycle",
)  # fmt: skip


def read(root: Path, split: str, video: str, space: ClassSpace) -> Iterator[SourceFrame]:
    """Read the frames of one sequence in order; `space` is that of the layout.

    Raises:
        InputError: a folder or file is missing or unreadable, or the numbering has a gap.
    """
    images = list_images(root / "images" / split / video)
    for number, path in enumerate(images):
        if path.stem != f"{number:06d}":
            raise InputError(
                f"{path.parent / f'{number:06d}.png'}: this frame is missing ({path.name} comes "
                "instead); restore it from the data set"
            )
    maps = root / "panoptic_maps" / split / video
    labels = pair_labels(images, maps) if maps.parent.is_dir() else [None] * len(images)
    for image, label in zip(images, labels, strict=True):
        if label is None:
            yield SourceFrame(image.stem, read_image(image))
        else:
            semantic, instance = decode(read_map(label, ("RGB",)))
            yield SourceFrame(image.stem, read_image(image), semantic, instance)


def decode(panoptic: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the class map uint8 [H, W] and instance map uint16 [H, W] of a panoptic map."""
    instance = panoptic[..., 1].astype(np.uint16) * 256 + panoptic[..., 2]
    return np.ascontiguousarray(panoptic[..., 0]), instance


def encode(semantic: np.ndarray, instance: np.ndarray) -> np.ndarray:
    """Return the panoptic map uint8 [H, W, 3] of a class map and an instance map."""
    return np.stack([semantic, instance // 256, instance % 256], axis=-1).astype(np.uint8)


def write(
    root: Path, split: str, video: str, frames: Iterable[SourceFrame], space: ClassSpace
) -> int:
    """Write the frames of one sequence in this layout and return how many there were.

    Raises:
        InputError: a frame has no labels.
    """
    folders = root / "images" / split / video, root / "panoptic_maps" / split / video
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
    count = 0
    for frame in frames:
        if frame.semantic is None:
            raise InputError(
                f"frame {count} of video '{video}' has no labels, but kitti_step labels every "
                "frame; leave out label_every or write another layout, such as coco_videos"
            )
        layers = frame.image, encode(frame.semantic, frame.instance)
        for folder, layer in zip(folders, layers, strict=True):
            Image.fromarray(layer).save(folder / f"{count:06d}.png", compress_level=1)
        count += 1
    return count
