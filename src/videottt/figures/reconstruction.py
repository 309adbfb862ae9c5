"""The paper's figure 3: what the model saw, what it made of it, and what it predicted."""

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from videottt.errors import InputError
from videottt.figures.pairing import check_same_video
from videottt.figures.style import STYLE, class_colours, class_legend
from videottt.frames import FrameStore
from videottt.predictions import PredictionReader

# Inches.
PANEL_WIDTH = 1.75
TITLE_HEIGHT = 0.45


@dataclass(frozen=True)
class _Panel:
    """A picture uint8 [h, w, 3] or a map of classes uint8 [H, W], and what stands above it."""

    title: str
    image: np.ndarray


@matplotlib.rc_context(STYLE)
def reconstruction_figure(
    store: FrameStore,
    fixed: PredictionReader,
    predictions: PredictionReader,
    labels: Mapping[str, str],
) -> Figure:
    """Draw a row for each reconstruction that was kept when the video was predicted.

    Raises:
        InputError: the files are not of one video, task and seed, or no reconstruction was kept.
    """
    check_same_video(store, fixed, predictions)
    looks = predictions.looks()
    if not looks:
        raise InputError(
            f"{predictions.path}: holds no reconstruction; predict with --looks 4 and a checkpoint "
            "that has the decoder g"
        )
    readers = [fixed] if fixed.key == predictions.key else [fixed, predictions]
    rows = [_row(store, readers, labels, *look) for look in looks]
    columns = max(len(row) for row in rows)
    height = PANEL_WIDTH * store.size[0] / store.size[1]
    figure = Figure(
        figsize=(PANEL_WIDTH * columns + 0.4, height * len(rows) + 2 * TITLE_HEIGHT),
        layout="compressed",
    )
    figure.get_layout_engine().set(w_pad=0.02, h_pad=0.02, wspace=0.01, hspace=0.01)
    grid = figure.subplots(len(rows), columns, squeeze=False)
    palette = class_colours(store.classes)
    for axes_row, row, (index, _, _) in zip(grid, rows, looks, strict=True):
        _draw(axes_row, row, store.size, palette)
        # Upright, the time would reach into the next row of a wide video.
        upright = height > 0.9
        axes_row[0].text(
            -0.04, 0.5, f"t ={' ' if upright else chr(10)}{index / store.fps:.1f} s",
            transform=axes_row[0].transAxes, rotation=90 if upright else 0,
            ha="right", va="center", fontsize=9,
        )  # fmt: skip
    widest = max(rows, key=len)
    for axes, panel in zip(grid[0], widest, strict=True):
        axes.set_title(textwrap.fill(panel.title, 22), fontsize=10, pad=4)
    maps = [panel.image for row in rows for panel in row if panel.image.ndim == 2]
    class_legend(figure, maps, store.classes)
    return figure


def _row(
    store: FrameStore,
    readers: list[PredictionReader],
    labels: Mapping[str, str],
    index: int,
    visible: np.ndarray,
    pixels: np.ndarray,
) -> list[_Panel]:
    frame = store.frame(index)
    seen = np.array(Image.fromarray(frame).resize(visible.shape[::-1], Image.Resampling.BILINEAR))
    seen[~visible] = 0
    row = [
        _Panel("Input", frame),
        _Panel("Masked input", seen),
        _Panel("Reconstruction", pixels),
        *(_Panel(labels.get(r.key.method, r.key.method), r.prediction(index)) for r in readers),
    ]
    if store.labelled[index]:
        row.append(_Panel("Ground truth", store.semantic(index)))
    return row


def _draw(
    axes_row: np.ndarray, row: list[_Panel], size: tuple[int, int], palette: np.ndarray
) -> None:
    """Draw a row of panels; places without a panel stay empty."""
    for axes in axes_row:
        axes.set_axis_off()
    for axes, panel in zip(axes_row, row, strict=False):
        picture = panel.image.ndim == 3
        axes.imshow(
            panel.image if picture else palette[panel.image],
            interpolation="antialiased" if picture else "nearest",
            # Pictures at the model's input size fill the same panel as full frames.
            extent=(0, size[1], size[0], 0),
        )
