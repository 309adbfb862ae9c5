"""Read and write COCO Videos in the layout of the paper's authors; most frames have no labels.

* ``raw_images/<video>/*.png``, or other pictures: all frames, in the order of their names, which
  end in ``_`` and the number of the frame;
* ``annotations/train/<video>.json``: labels in COCO's panoptic format. The authors' code does not
  use the files of ``annotations/val/``;
* ``panoptic_images/<video>/<frame>.png``: segment ids, R + 256 G + 65536 B;
* ``semantic_images/<video>/<frame>.png``: classes; this module writes them and does not read them.
"""

import colorsys
import dataclasses
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage

from videottt.core.errors import InputError
from videottt.core.files import write_text
from videottt.core.segments import VOID, ClassSpace, panoptic_from
from videottt.data.layouts.coco import categories_of, images_of
from videottt.data.layouts.coco_entries import Entry, read_document
from videottt.data.layouts.coco_panoptic import annotations_of, files_of, strays
from videottt.data.layouts.listing import FrameFiles, Listing, doubled
from videottt.data.pictures.images import list_stills, read_image
from videottt.store.source_frame import SourceFrame

DOCUMENTS = ("train", "val")


def read(root: Path, split: str, video: str, space: ClassSpace) -> Iterator[SourceFrame]:
    """Read the frames of one video in order.

    Args:
        root: the folder that holds ``raw_images`` and ``annotations``.
        split: unused, since this layout has no splits.
        video: id of the video, for example "bangkok".
        space: the classes of the data set.

    Raises:
        InputError: a file is missing or unreadable, the numbering has a gap, or files contradict
            each other.
    """
    yield from list_frames(root, split, video, space).read()


def list_frames(root: Path, split: str, video: str, space: ClassSpace) -> Listing:
    """Return the files of one video; the arguments are those of `read`.

    Raises:
        InputError: there is no frame.
    """
    folder, maps = root / "raw_images" / video, root / "panoptic_images" / video
    paths = list_stills(folder)
    problems = doubled(paths) or _gaps(paths)
    source = root / "annotations" / "train" / f"{video}.json"
    try:
        document = read_document(source)
        images = images_of(document, source, folder)
        annotations = annotations_of(document, images, source, maps)
        categories = categories_of(document, space, source)
    except InputError as error:
        return Listing([_unlabelled(path) for path in paths], [*problems, error])
    of_name = {image.name: image for image in images.values()}
    for name in sorted(of_name.keys() - {path.stem for path in paths}):
        problems.append(
            InputError(
                f"{of_name[name].where} is not in {folder}; restore that file from the data set"
            )
        )
    frames = []
    for path in paths:
        image = of_name.get(path.stem)
        if image is None:
            frames.append(_unlabelled(path))
            continue
        # The JSON file may give the name another suffix.
        stored = dataclasses.replace(image, file_name=path.name)
        frames.append(files_of(stored, folder, annotations.get(image.id), maps, categories))
    return Listing(frames, problems, strays(frames, maps))


def _unlabelled(path: Path) -> FrameFiles:
    """Return the files of a frame without labels."""
    return FrameFiles(path.stem, path, lambda: SourceFrame(path.stem, read_image(path)))


def _gaps(paths: list[Path]) -> list[InputError]:
    """Return an error for each gap between the numbers of frames, and each wrong name."""
    problems, last = [], None
    for path in paths:
        text = path.stem.rpartition("_")[2]
        if not text.isdecimal():
            problems.append(
                InputError(
                    f"{path}: the name does not end in the number of the frame; name it like "
                    f"{path.parent.name}_000001.png"
                )
            )
            continue
        if last is not None and int(text) != last + 1:
            problems.append(
                InputError(
                    f"{path}: this frame comes after number {last}; restore the missing frames, or "
                    "write all numbers with the same number of digits"
                )
            )
        last = int(text)
    return problems


def write(
    root: Path, split: str, video: str, frames: Iterable[SourceFrame], space: ClassSpace
) -> int:
    """Write the frames of one video in this layout, and return their number.

    Segments get the key ``instance_id`` beside COCO's keys, so that objects keep their numbers.

    Args:
        root: the folder to write.
        split: unused, since this layout has no splits.
        video: id of the video.
        frames: the frames in order; those without `semantic` get no labels.
        space: the classes; category ids are their indices + 1.
    """
    folders = {kind: root / f"{kind}_images" / video for kind in ("raw", "panoptic", "semantic")}
    for folder in folders.values():
        folder.mkdir(parents=True, exist_ok=True)
    document: Entry = {"images": [], "annotations": [], "categories": _categories(space)}
    count = 0
    for count, frame in enumerate(frames, start=1):
        name = f"{video}_{count:06d}.png"
        layers = {"raw": frame.image}
        if frame.semantic is not None:
            instance = np.zeros_like(frame.semantic) if frame.instance is None else frame.instance
            ids, segments = encode(frame.semantic, instance, space)
            layers |= {"panoptic": ids, "semantic": frame.semantic}
            height, width = frame.semantic.shape
            document["images"].append(
                {"id": count, "file_name": name, "height": height, "width": width}
            )
            document["annotations"].append(
                {"image_id": count, "file_name": name, "segments_info": segments}
            )
        for kind, layer in layers.items():
            Image.fromarray(layer).save(folders[kind] / name, compress_level=1)
    for folder_name in DOCUMENTS:
        write_text(root / "annotations" / folder_name / f"{video}.json", json.dumps(document))
    return count


def encode(
    semantic: np.ndarray, instance: np.ndarray, space: ClassSpace
) -> tuple[np.ndarray, list[Entry]]:
    """Combine a class map and an instance map into segment ids, uint8 [H, W, 3], and segments.

    The id of a segment is its instance + 65536 (class + 1).
    """
    panoptic = panoptic_from(semantic, instance, space)
    ids = instance + 65536 * (semantic.astype(np.uint32) + 1)
    ids[semantic == VOID] = 0
    number_of = np.zeros(len(panoptic.classes) + 1, np.int64)
    number_of[panoptic.ids] = instance
    areas = np.bincount(panoptic.ids.ravel(), minlength=len(number_of))
    boxes = ndimage.find_objects(panoptic.ids.astype(np.int32))
    segments = [
        {
            "id": int(number_of[place]) + 65536 * (int(panoptic.classes[place - 1]) + 1),
            "category_id": int(panoptic.classes[place - 1]) + 1,
            "iscrowd": int(panoptic.crowd[place - 1]),
            "instance_id": int(number_of[place]),
            "area": int(areas[place]),
            "bbox": [x.start, y.start, x.stop - x.start, y.stop - y.start],
        }
        for place, (y, x) in enumerate(boxes, start=1)
    ]
    return np.stack([ids & 255, ids >> 8 & 255, ids >> 16], axis=-1).astype(np.uint8), segments


def _categories(space: ClassSpace) -> list[Entry]:
    """Return the classes as COCO's categories, each with a different colour."""
    return [
        {
            "id": index + 1,
            "name": name,
            "supercategory": name,
            "isthing": int(name in space.things),
            # Steps of the golden ratio keep the hues of neighbouring classes apart.
            "color": [
                round(255 * part) for part in colorsys.hsv_to_rgb(index * 0.618 % 1, 0.7, 0.9)
            ],
        }
        for index, name in enumerate(space.classes)
    ]
