"""Choose a colour for each class, the same in every figure and video."""

import itertools
from collections.abc import Sequence

import numpy as np

from videottt.core.segments import VOID

CITYSCAPES = {
    "road": (128, 64, 128),
    "sidewalk": (244, 35, 232),
    "building": (70, 70, 70),
    "wall": (102, 102, 156),
    "fence": (190, 153, 153),
    "pole": (153, 153, 153),
    "traffic light": (250, 170, 30),
    "traffic sign": (220, 220, 0),
    "vegetation": (107, 142, 35),
    "terrain": (152, 251, 152),
    "sky": (70, 130, 180),
    "person": (220, 20, 60),
    "rider": (255, 0, 0),
    "car": (0, 0, 142),
    "truck": (0, 0, 70),
    "bus": (0, 60, 100),
    "train": (0, 80, 100),
    "motorcycle": (0, 0, 230),
    "bicycle": (119, 11, 32),
}
# CamVid's names of the same classes.
ALIASES = {
    "pavement": "sidewalk",
    "tree": "vegetation",
    "sign": "traffic sign",
    "pedestrian": "person",
    "bicyclist": "rider",
}


def class_colours(classes: Sequence[str]) -> np.ndarray:
    """Return a colour for each class: uint8 [256, 3], RGB; void and unused indices are black.

    Classes of Cityscapes have its colours; others get colours as different from these as possible.
    """
    known = {name: CITYSCAPES.get(ALIASES.get(name, name)) for name in classes}
    taken: list[tuple[int, int, int]] = [(0, 0, 0)]
    for name, colour in known.items():
        # Two names of one class, for example 'pavement' and 'sidewalk', need different colours.
        if colour in taken:
            known[name] = None
        elif colour is not None:
            taken.append(colour)
    palette = np.zeros((VOID + 1, 3), np.uint8)
    for index, name in enumerate(classes):
        colour = known[name]
        if colour is None:
            colour = unlike(taken)
            taken.append(colour)
        palette[index] = colour
    return palette


def unlike(taken: list[tuple[int, int, int]]) -> tuple[int, int, int]:
    """Return the colour of a coarse grid whose nearest taken colour is farthest."""
    grid = np.array(list(itertools.product(range(0, 256, 51), repeat=3)))
    distance = np.linalg.norm(grid[:, None] - np.array(taken)[None], axis=-1).min(axis=1)
    red, green, blue = grid[distance.argmax()].tolist()
    return red, green, blue
