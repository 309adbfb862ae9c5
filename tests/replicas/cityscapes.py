"""Cityscapes as published: images, and fine labels without the train ids, which one makes oneself.

https://github.com/mcordts/cityscapesScripts, README.md and cityscapesscripts/helpers/labels.py.
"""

import json
from pathlib import Path

import numpy as np

from replicas import scenes
from replicas.archives import Member, png, with_folders, write_zip
from videottt.data.synthetic import RenderedFrame

SIZE = (64, 128)
# Split -> city -> images.
CITIES = {
    "train": {"aachen": 5, "bremen": 3},
    "val": {"frankfurt": 3, "munster": 1},
    "test": {"berlin": 1},
}
# Label ids of the train ids 0..18.
LABELS = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)
THINGS = range(11, 19)  # train ids
EGO_VEHICLE, RECTIFICATION_BORDER, OUT_OF_ROI = 1, 2, 3


def write_images(path: Path, seed: int) -> None:
    """Write leftImg8bit."""
    members: list[Member] = [("README", b"The Cityscapes Dataset\n"), ("license.txt", b"\n")]
    for split, name, frame in frames_of(seed):
        members.append((f"leftImg8bit/{split}/{name}_leftImg8bit.png", png(frame.image)))
    write_zip(path, with_folders(members))


def write_labels(path: Path, seed: int) -> None:
    """Write gtFine; of the test split, all is out of the region of interest."""
    members: list[Member] = [("README", b"The Cityscapes Dataset\n"), ("license.txt", b"\n")]
    for split, name, frame in frames_of(seed):
        labels, instances = _maps(frame, split)
        place = f"gtFine/{split}/{name}_gtFine"
        outline = {"imgHeight": SIZE[0], "imgWidth": SIZE[1], "objects": []}
        members += [
            (f"{place}_color.png", png(np.stack([labels * 7] * 3 + [labels | 255], axis=-1))),
            (f"{place}_instanceIds.png", png(instances)),
            (f"{place}_labelIds.png", png(labels)),
            (f"{place}_polygons.json", json.dumps(outline).encode()),
        ]
    write_zip(path, with_folders(members))


def _maps(frame: RenderedFrame, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Return label ids uint8 [H, W], and instance ids uint16 [H, W].

    An instance id is 1000 x label id + number from 0, or the label id where nothing is counted.
    """
    labels = np.array(LABELS, np.uint8)[frame.semantic]
    number = scenes.objects(frame, THINGS).astype(np.uint16)
    instances = labels.astype(np.uint16)
    for thing in THINGS:
        mine = frame.semantic == thing
        _, places = np.unique(number[mine], return_inverse=True)
        instances[mine] = 1000 * np.uint16(LABELS[thing]) + places
    for rows, label in ((slice(-4, None), EGO_VEHICLE), (slice(0, 1), RECTIFICATION_BORDER)):
        labels[rows] = instances[rows] = label
    if split == "test":
        labels[:] = instances[:] = OUT_OF_ROI
    return labels, instances


def frames_of(seed: int) -> list[tuple[str, str, RenderedFrame]]:
    """Return split, ``<city>/<city>_<sequence>_<frame>`` and the picture of each image."""
    found = []
    for split, cities in CITIES.items():
        for city, count in cities.items():
            frames = scenes.stills(count, SIZE, seed, "cityscapes", city)
            found += [
                (split, f"{city}/{city}_{number:06d}_000019", frame)
                for number, frame in enumerate(frames)
            ]
    return found
