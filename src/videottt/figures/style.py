"""How every figure looks: fonts, sizes, a colour per method and per class, and how it is saved."""

import itertools
import logging
from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
import seaborn
from matplotlib.figure import Figure

from videottt.files import complete_file
from videottt.frames import VOID

# It tells the log of every glyph that it leaves out of a PDF.
logging.getLogger("fontTools").setLevel(logging.WARNING)

# Use as a decorator of whatever draws: `@matplotlib.rc_context(STYLE)`.
STYLE = {
    **seaborn.axes_style("ticks"),
    # Comes with matplotlib, so that a figure does not depend on the machine's fonts.
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.labelsize": 10,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "legend.fontsize": 9,
    "legend.title_fontsize": 8.5,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    # Text stays text in a PDF.
    "pdf.fonttype": 42,
}
DPI = {"png": 150, "pdf": 300}

# Of seaborn's colour-blind palette, so ordered that the first ones are the least alike.
PALETTE = [seaborn.color_palette("colorblind")[i] for i in (0, 1, 2, 3, 4, 9, 7, 5, 8, 6)]

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
# CamVid's names of the same things.
ALIASES = {
    "pavement": "sidewalk",
    "tree": "vegetation",
    "sign": "traffic sign",
    "pedestrian": "person",
    "bicyclist": "rider",
}


def method_colours(methods: Sequence[str]) -> dict[str, tuple[float, float, float]]:
    """Return a colour for each method by its position: RGB in 0..1."""
    many = len(methods) > len(PALETTE)
    palette = seaborn.color_palette("husl", len(methods)) if many else PALETTE
    return dict(zip(methods, palette, strict=False))


def class_colours(classes: Sequence[str]) -> np.ndarray:
    """Return a colour for each class: uint8 [256, 3], RGB; void and unused indices are black.

    Classes that Cityscapes has are coloured as it does, others as unlike all those as can be.
    """
    known = {name: CITYSCAPES.get(ALIASES.get(name, name)) for name in classes}
    taken: list[tuple[int, int, int]] = [(0, 0, 0)]
    for name, colour in known.items():
        # Two names of one thing, such as 'pavement' and 'sidewalk', must not look the same.
        if colour in taken:
            known[name] = None
        elif colour is not None:
            taken.append(colour)
    palette = np.zeros((VOID + 1, 3), np.uint8)
    for index, name in enumerate(classes):
        colour = known[name]
        if colour is None:
            colour = _unlike(taken)
            taken.append(colour)
        palette[index] = colour
    return palette


def _unlike(taken: list[tuple[int, int, int]]) -> tuple[int, int, int]:
    """Return the colour of a coarse grid that is farthest from its nearest taken one."""
    grid = np.array(list(itertools.product(range(0, 256, 51), repeat=3)))
    distance = np.linalg.norm(grid[:, None] - np.array(taken)[None], axis=-1).min(axis=1)
    red, green, blue = grid[distance.argmax()].tolist()
    return red, green, blue


@matplotlib.rc_context(STYLE)
def save_figure(figure: Figure, png: Path, pdf: Path) -> None:
    """Write a figure as PNG and PDF, without what differs between two runs, such as the date."""
    nameless = {"png": {"Software": None}, "pdf": {"CreationDate": None}}
    with complete_file(png) as png_part, complete_file(pdf) as pdf_part:
        for kind, part in (("png", png_part), ("pdf", pdf_part)):
            figure.savefig(
                part,
                format=kind,
                dpi=DPI[kind],
                metadata=nameless[kind],
                bbox_inches="tight",
                pad_inches=0.06,
            )
