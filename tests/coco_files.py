"""Small data sets in the layouts of COCO, drawn by hand."""

import copy
import json

import numpy as np
from PIL import Image
from pycocotools import mask as coco_mask

from videottt.core.segments import ClassSpace

SMALL = ClassSpace(("sky", "car", "person"), ("car", "person"))
SKY, CAR, PERSON = range(3)
CATEGORIES = [
    {"id": 1, "name": "person", "isthing": 1},
    {"id": 3, "name": "car", "isthing": 1},
    {"id": 187, "name": "sky", "isthing": 0},
]
# Segments by the letters of a drawing; "." is void.
SEGMENTS = {
    "s": {"id": 5, "category_id": 187, "iscrowd": 0},
    "a": {"id": 300, "category_id": 3, "iscrowd": 0},
    "b": {"id": 65536 * 7 + 256 * 2 + 1, "category_id": 3, "iscrowd": 0},
    "p": {"id": 16777215, "category_id": 1, "iscrowd": 0},
    "c": {"id": 1000, "category_id": 1, "iscrowd": 1},
    "v": {"id": 1001, "category_id": 255, "iscrowd": 0},
}
DRAWING = ("ssssss", "saabb.", "saabbv", "ppcc..")
SIZE = (4, 6)


def picture(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


def drawn(drawing=DRAWING):
    letters = np.array([list(row) for row in drawing])
    ids = np.zeros(letters.shape, np.uint32)
    for letter, segment in SEGMENTS.items():
        ids[letters == letter] = segment["id"]
    return np.stack([ids % 256, ids // 256 % 256, ids // 65536], axis=-1).astype(np.uint8)


def entry(number, name, size=SIZE):
    return {"id": number, "file_name": name, "height": size[0], "width": size[1]}


def annotation(number, name):
    segments = [dict(segment) for segment in SEGMENTS.values()]
    return {"image_id": number, "file_name": name, "segments_info": segments}


def videos_set(root):
    """Four frames, of which the first and third are labelled."""
    names = [f"bar_{number:04d}.png" for number in (1, 2, 3, 4)]
    for shade, name in enumerate(names):
        picture(root / "raw_images/bar" / name, np.full((*SIZE, 3), shade, np.uint8))
    for name in names[::2]:
        picture(root / "panoptic_images/bar" / name, drawn())
    return root / "annotations/train/bar.json", {
        # Listed in another order than they follow each other; the last one without an annotation.
        "images": [entry(13, names[2]), entry(11, names[0]), entry(14, names[3])],
        "annotations": [annotation(13, names[2]), annotation(11, names[0])],
        "categories": CATEGORIES,
    }


def panoptic_set(root):
    """Two stills."""
    for number, name in ((1, "x"), (2, "y")):
        picture(root / "val2017" / f"{name}.jpg", np.full((*SIZE, 3), number, np.uint8))
        picture(root / "panoptic_val2017" / f"{name}.png", drawn())
    return root / "annotations/panoptic_val2017.json", {
        "images": [entry(2, "y.jpg"), entry(1, "x.jpg")],
        "annotations": [annotation(1, "x.png"), annotation(2, "y.png")],
        "categories": CATEGORIES,
    }


def instances_set(root):
    """Two stills, the second without annotations."""
    for number, name in ((1, "x"), (2, "y")):
        picture(root / "val2017" / f"{name}.jpg", np.full((*SIZE, 3), number, np.uint8))
    # Column by column: 4 rows, the two upper ones of columns 1 to 3 are set.
    runs = {"size": [4, 6], "counts": [4, 2, 2, 2, 2, 2, 10]}
    compressed = {"size": [4, 6], "counts": coco_mask.frPyObjects(runs, 4, 6)["counts"].decode()}
    square = [[0.0, 0.0, 6.0, 0.0, 6.0, 4.0, 0.0, 4.0]]
    corner = [[0, 0, 2, 0, 2, 1, 0, 1], [4, 3, 6, 3, 6, 4, 4, 4]]
    parts = [(7, 3, square, 0), (8, 1, runs, 0), (9, 1, corner, 0), (10, 1, compressed, 1)]
    return root / "annotations/instances_val2017.json", {
        "images": [entry(2, "y.jpg"), entry(1, "x.jpg")],
        "annotations": [
            {"id": i, "image_id": 1, "category_id": c, "segmentation": s, "iscrowd": crowd}
            for i, c, s, crowd in parts
        ],
        "categories": [{"id": each["id"], "name": each["name"]} for each in CATEGORIES],
    }


SETS = {
    "coco_videos": (videos_set, "bar"),
    "coco_panoptic": (panoptic_set, "val2017"),
    "coco_instances": (instances_set, "val2017"),
}


def written(layout, root, change=lambda document, root: None):
    """Write a set, after a change of its document or files, and return its root."""
    path, document = SETS[layout][0](root)
    document = copy.deepcopy(document)
    change(document, root)
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(document))
    return root
