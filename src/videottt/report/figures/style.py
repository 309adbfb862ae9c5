"""How every figure looks: fonts, sizes, a colour per method and per class, and how it is saved."""

import itertools
import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
import seaborn
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from videottt.core.files import complete_file
from videottt.core.segments import VOID

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

# One colour a method in every figure. The fixed model, the offline oracle and online TTT-MAE are
# blue, yellow and green as in the paper's figure 2; methods of one kind are of like hues.
METHODS = {
    "left_grey": "#c4c4c4",
    "zhang2016": "#17becf",
    "main_task_only": "#0173b2",
    "temporal_smoothing": "#0b3c5d",
    "majority_vote": "#7a8fc9",
    "mae_joint_training": "#56b4e9",
    "ttt_mae_no_memory": "#d55e00",
    "offline_ttt_mae_all_frames": "#ecc813",
    "offline_ttt_mae_fixed_iteration": "#a37b00",
    "online_ttt_mae": "#029e73",
    "online_ttt_mae_temporal_smoothing": "#8bd450",
    "online_ttt_mae_majority_vote": "#1f5a34",
    "implicit_memory_only": "#cc78bc",
    "explicit_memory_only": "#6a3d9a",
    "ln_adapt": "#5c3317",
    "tent": "#949494",
    "tent_class_balance": "#3f3f3f",
    "self_train": "#f2a07b",
    "self_train_class_balance": "#b2182b",
    "self_train_plain": "#fbafe4",
    "segformer_b4": "#e6007e",
    "deeplabv3plus_r101": "#800040",
}
# How pale the last of several variants of a method is; 1 would be white.
PALEST = 0.7
LEGEND_COLUMNS = 8

# RGB, each in 0..1.
Colour = tuple[float, float, float]

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


def method_colours(methods: Sequence[str]) -> dict[str, Colour]:
    """Return a colour for each method: RGB in 0..1, all different.

    A method of `METHODS` has the same colour in every figure, whatever stands beside it. Its
    variants, ``<method>,<setting>=<value>``, are paler the later they come. Other methods get
    colours unlike all those, by their order.
    """
    bases: dict[str, list[str]] = {}
    for method in methods:
        bases.setdefault(method.partition(",")[0], []).append(method)
    taken = [(255, 255, 255), *(_bytes(colour) for colour in METHODS.values())]
    colours = {}
    for base, members in bases.items():
        if base not in METHODS:
            taken.append(_unlike(taken))
        own = np.array(_bytes(METHODS[base]) if base in METHODS else taken[-1]) / 255
        variants = [method for method in members if method != base]
        colours[base] = own
        for place, method in enumerate(variants, start=1):
            colours[method] = own + (1 - own) * PALEST * place / len(variants)
    return {method: tuple(colours[method].tolist()) for method in methods}


def _bytes(colour: str) -> tuple[int, int, int]:
    red, green, blue = (round(255 * part) for part in to_rgb(colour))
    return red, green, blue


def seeds_text(counts: Collection[int], shown: str = "mean and standard deviation") -> str | None:
    """Return over how many seeds a figure shows means, or None where there is one seed.

    Args:
        counts: how many seeds each of its numbers is of; not empty.
        shown: what is shown of them.
    """
    low, high = int(min(counts)), int(max(counts))
    if high == 1:
        return None
    return f"{shown} over {low if low == high else f'{low} to {high}'} seeds"


def class_legend(figure: Figure, shown: Sequence[np.ndarray], classes: Sequence[str]) -> None:
    """Name below a figure the colours of the classes that it shows; no legend if it shows none.

    Args:
        figure: to draw on.
        shown: uint8 each, of any shape: classes that are told by their colours, 255 = void.
        classes: names of all classes.
    """
    palette = class_colours(classes)
    if not any(each.size for each in shown):
        return
    found = np.unique(np.concatenate([each.ravel() for each in shown]))
    names = {index: classes[index] for index in found if index < len(classes)}
    if VOID in found:
        names[VOID] = "void"
    handles = [Patch(facecolor=palette[i] / 255, label=name) for i, name in names.items()]
    figure.legend(
        handles=handles,
        loc="outside lower center",
        # As many in each line, or nearly.
        ncols=-(-len(handles) // -(-len(handles) // LEGEND_COLUMNS)),
        handlelength=1.2,
        handleheight=1,
        columnspacing=1.4,
    )


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


@dataclass(frozen=True)
class FigureFiles:
    """Where a figure is written.

    Attributes:
        png: to look at.
        pdf: to print.
    """

    png: Path
    pdf: Path


@matplotlib.rc_context(STYLE)
def save_figure(figure: Figure, files: FigureFiles) -> None:
    """Write a figure as PNG and PDF, without what differs between two runs, such as the date."""
    nameless = {"png": {"Software": None}, "pdf": {"CreationDate": None}}
    with complete_file(files.png) as png_part, complete_file(files.pdf) as pdf_part:
        for kind, part in (("png", png_part), ("pdf", pdf_part)):
            figure.savefig(
                part,
                format=kind,
                dpi=DPI[kind],
                metadata=nameless[kind],
                bbox_inches="tight",
                pad_inches=0.06,
            )
