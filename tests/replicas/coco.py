"""COCO 2017 and COCO Videos as published: original category ids, and segment ids without a pattern.

https://cocodataset.org/#format-data, and the layout of the paper's authors
(https://github.com/renwang435/video-ttt-release).
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as run_lengths

from replicas import scenes
from replicas.archives import Member, jpeg, png, with_folders, write_zip, zip_of
from videottt.core.randomness import numpy_generator
from videottt.data.layouts.coco_categories import STUFF, THINGS
from videottt.data.synthetic import RenderedFrame

Entry = dict[str, Any]

# Split -> (ids of images, (height, width)): COCO's images are of many sizes.
IMAGES = {
    "train2017": [(9, (60, 80)), (25, (54, 80)), (30, (80, 60)), (34, (66, 80)), (36, (80, 64)),
                  (49, (60, 80)), (61, (60, 80)), (64, (80, 54))],
    "val2017": [(139, (54, 80)), (285, (80, 74)), (632, (60, 80))],
}  # fmt: skip
VIDEO_SIZE = (72, 128)
VIDEO_FRAMES = 6
VIDEOS = ("bangkok", "school")
LABEL_EVERY = 2
# Categories of the train ids 0..18; there is none of poles.
CATEGORIES = (149, 191, 197, 171, 185, None, 10, 13, 184, 193, 187, 1, 1, 3, 8, 6, 7, 4, 2)


def write_images(split: str, path: Path, seed: int) -> None:
    """Write the images of one split."""
    members = [
        (f"{split}/{name}.jpg", jpeg(frame.image)) for _, name, frame in frames_of(split, seed)
    ]
    write_zip(path, with_folders(members))


def write_panoptic(path: Path, seed: int) -> None:
    """Write the panoptic annotations: JSON files, and an archive of maps for each split."""
    members: list[Member] = []
    for split in IMAGES:
        maps: list[Member] = []
        document = _document(panoptic=True)
        for number, name, frame in frames_of(split, seed):
            colours, segments = panoptic(frame, seed, name)
            document["images"].append(_image(number, name, frame, ".jpg"))
            document["annotations"].append(
                {"segments_info": segments, "file_name": f"{name}.png", "image_id": number}
            )
            maps.append((f"panoptic_{split}/{name}.png", png(colours)))
        maps.append((f"__MACOSX/panoptic_{split}/._{name}.png", b"\0\5\26\7"))
        members += [
            (f"annotations/panoptic_{split}.json", json.dumps(document).encode()),
            (f"annotations/panoptic_{split}.zip", zip_of(with_folders(maps))),
        ]
    write_zip(path, with_folders(members))


def write_annotations(path: Path, seed: int) -> None:
    """Write the annotations of instances, whose masks are run lengths as those of crowds are."""
    members: list[Member] = []
    for split in IMAGES:
        document = _document(panoptic=False)
        for number, name, frame in frames_of(split, seed):
            document["images"].append(_image(number, name, frame, ".jpg"))
            for place, (category, mask) in enumerate(_segments(frame), start=1):
                if category in THINGS:
                    entry = {"id": 1000 * number + place, "image_id": number}
                    document["annotations"].append({**entry, **_instance(category, mask)})
        captions = {"info": document["info"], "images": document["images"], "annotations": []}
        members += [
            (f"annotations/instances_{split}.json", json.dumps(document).encode()),
            (f"annotations/captions_{split}.json", json.dumps(captions).encode()),
        ]
    write_zip(path, with_folders(members))


def write_videos(path: Path, seed: int) -> None:
    """Write COCO Videos, of which every second frame has labels."""
    members: list[Member] = []
    for video in VIDEOS:
        document: Entry = {"images": [], "annotations": []}
        frames = scenes.video(VIDEO_FRAMES, VIDEO_SIZE, seed, "coco_videos", video)
        for number, frame in enumerate(frames, start=1):
            name = f"{video}_{number:06d}"
            members.append((f"coco_videos/raw_images/{video}/{name}.png", png(frame.image)))
            if number % LABEL_EVERY != 1:
                continue
            colours, segments = panoptic(frame, seed, name)
            document["images"].append(_image(number, name, frame, ".png"))
            document["annotations"].append(
                {"image_id": number, "file_name": f"{name}.png", "segments_info": segments}
            )
            place = f"images/{video}/{name}.png"
            members += [
                (f"coco_videos/panoptic_{place}", png(colours)),
                (f"coco_videos/semantic_{place}", png(frame.semantic)),
            ]
        members += [
            (f"coco_videos/annotations/{split}/{video}.json", json.dumps(document).encode())
            for split in ("train", "val")
        ]
    write_zip(path, with_folders(members))


def panoptic(frame: RenderedFrame, *key: str | int) -> tuple[np.ndarray, list[Entry]]:
    """Return the map uint8 [H, W, 3] of segment ids R + 256 G + 65536 B, and its segments."""
    segments = _segments(frame)
    draws = numpy_generator("replicas", "colours", *key)
    numbers = draws.choice(np.arange(1, 2**24), len(segments), replace=False)
    ids = np.zeros(frame.semantic.shape, np.uint32)
    entries = []
    for number, (category, mask) in zip(numbers.tolist(), segments, strict=True):
        ids[mask] = number
        entry = {"id": number, "category_id": category, "iscrowd": 0}
        entries.append({**entry, "bbox": _box(mask), "area": int(mask.sum())})
    return np.stack([ids & 255, ids >> 8 & 255, ids >> 16], axis=-1).astype(np.uint8), entries


def _segments(frame: RenderedFrame) -> list[tuple[int, np.ndarray]]:
    """Return category and mask of each object and of each category of stuff."""
    things = [place for place, category in enumerate(CATEGORIES) if category in THINGS]
    number = scenes.objects(frame, things)
    found = []
    for place, category in enumerate(CATEGORIES):
        inside = frame.semantic == place
        if category is None or not inside.any():
            continue
        if category in STUFF:
            found.append((category, inside))
        else:
            found += [(category, inside & (number == n)) for n in np.unique(number[inside])]
    return found


def _instance(category: int, mask: np.ndarray) -> Entry:
    coded = run_lengths.encode(np.asfortranarray(mask.astype(np.uint8)))
    return {
        "category_id": category,
        "segmentation": {"size": coded["size"], "counts": coded["counts"].decode()},
        "iscrowd": 0,
        "bbox": _box(mask),
        "area": int(mask.sum()),
    }


def _box(mask: np.ndarray) -> list[int]:
    """Return x, y, width and height."""
    rows, columns = (np.flatnonzero(mask.any(axis)) for axis in (1, 0))
    return [
        int(columns[0]),
        int(rows[0]),
        int(np.ptp(columns)) + 1,
        int(np.ptp(rows)) + 1,
    ]


def _image(number: int, name: str, frame: RenderedFrame, suffix: str) -> Entry:
    height, width = frame.semantic.shape
    return {
        "license": 1,
        "file_name": name + suffix,
        "coco_url": f"http://images.cocodataset.org/{name}{suffix}",
        "height": height,
        "width": width,
        "date_captured": "2013-11-14 17:02:52",
        "id": number,
    }


def _document(panoptic: bool) -> Entry:
    """Return a document without images, with COCO's categories."""
    kinds: Iterable[tuple[dict[int, str], int]] = [(THINGS, 1), *([(STUFF, 0)] if panoptic else [])]
    return {
        "info": {"description": "COCO 2017 Dataset", "year": 2017},
        "licenses": [{"id": 1, "name": "Attribution-NonCommercial-ShareAlike License"}],
        "images": [],
        "annotations": [],
        "categories": [
            {"supercategory": name, "id": number, "name": name}
            | ({"isthing": thing} if panoptic else {})
            for names, thing in kinds
            for number, name in names.items()
        ],
    }


def frames_of(split: str, seed: int) -> list[tuple[int, str, RenderedFrame]]:
    """Return the id, the name and the picture of each image of a split."""
    found = []
    for number, size in IMAGES[split]:
        (frame,) = scenes.stills(1, size, seed, "coco", number)
        found.append((number, f"{number:012d}", frame))
    return found
