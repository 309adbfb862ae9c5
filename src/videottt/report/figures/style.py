"""Style and save figures: fonts, sizes, a colour for each method, legends of classes."""

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
from videottt.report.figures.class_colours import class_colours, unlike

# Otherwise it logs every glyph that it leaves out of a PDF.
logging.getLogger("fontTools").setLevel(logging.WARNING)

# Decorate functions that draw with `@matplotlib.rc_context(STYLE)`.
STYLE = {
    **seaborn.axes_style("ticks"),
    # Part of matplotlib, so that figures do not depend on the machine's fonts.
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
# blue, yellow and green as in the paper's figure 2; methods of one kind have similar hues.
METHODS = {
    "left_grey": "#c4c4c4",
    "zhang2016": "#17becf",
    "main_task_only": "#0173b2",
    "main_task_continued": "#3c3cf0",
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
# Paleness of the last of several variants of a method; 1 is white.
PALEST = 0.7
LEGEND_COLUMNS = 8

# RGB, each in 0..1.
Colour = tuple[float, float, float]


def method_colours(methods: Sequence[str]) -> dict[str, Colour]:
    """Return a colour for each method: RGB in 0..1, all different.

    A method of `METHODS` has the same colour in every figure. Its variants,
    ``<method>,<setting>=<value>``, are paler the later they come. Other methods get colours
    different from all these, in their order.
    """
    bases: dict[str, list[str]] = {}
    for method in methods:
        bases.setdefault(method.partition(",")[0], []).append(method)
    taken = [(255, 255, 255), *(_bytes(colour) for colour in METHODS.values())]
    colours = {}
    for base, members in bases.items():
        if base not in METHODS:
            taken.append(unlike(taken))
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
    """Return the number of seeds of a figure as text, or None for one seed.

    Args:
        counts: number of seeds of each of its numbers; not empty.
        shown: the statistics shown.
    """
    low, high = int(min(counts)), int(max(counts))
    if high == 1:
        return None
    return f"{shown} over {low if low == high else f'{low} to {high}'} seeds"


def class_legend(figure: Figure, shown: Sequence[np.ndarray], classes: Sequence[str]) -> None:
    """Draw a legend of the classes shown, below a figure; none without classes.

    Args:
        figure: to draw on.
        shown: uint8 arrays of any shape: class indices, 255 = void.
        classes: names of all classes.
    """
    palette = class_colours(classes)
    if not any(array.size for array in shown):
        return
    indices = np.unique(np.concatenate([array.ravel() for array in shown]))
    names = {index: classes[index] for index in indices if index < len(classes)}
    if VOID in indices:
        names[VOID] = "void"
    handles = [Patch(facecolor=palette[i] / 255, label=name) for i, name in names.items()]
    figure.legend(
        handles=handles,
        loc="outside lower center",
        # Lines of nearly equal length.
        ncols=-(-len(handles) // -(-len(handles) // LEGEND_COLUMNS)),
        handlelength=1.2,
        handleheight=1,
        columnspacing=1.4,
    )


@dataclass(frozen=True)
class FigureFiles:
    """The files of a figure.

    Attributes:
        png: to look at.
        pdf: to print.
    """

    png: Path
    pdf: Path


@matplotlib.rc_context(STYLE)
def save_figure(figure: Figure, files: FigureFiles) -> None:
    """Write a figure as PNG and PDF, without a date, so that two runs give equal files."""
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
