"""The paper's figure 3: what the model saw, what it made of it, and what it predicted."""

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from videottt.errors import InputError
from videottt.figures.objects import colours_side_by_side
from videottt.figures.overlay import Overlay, overlays_of
from videottt.figures.pairing import check_same_video
from videottt.figures.panels import show_overlay
from videottt.figures.style import STYLE, class_legend
from videottt.frames import FrameStore
from videottt.metrics import label_of
from videottt.predictions import PredictionReader

# Inches.
PANEL_WIDTH = 1.75
TITLE_HEIGHT = 0.45


@dataclass(frozen=True)
class _Panel:
    """A picture, uint8 [h, w, 3], what is laid over it, if anything, and what stands above it."""

    title: str
    image: np.ndarray
    overlay: Overlay | None = None


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
    for axes_row, row, (index, _, _) in zip(grid, rows, looks, strict=True):
        _draw(axes_row, row, store.size)
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
    overlays = [panel.overlay for row in rows for panel in row if panel.overlay is not None]
    class_legend(figure, [overlay.legend for overlay in overlays], store.classes)
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
    truth = [label_of(store, index, readers[0].key.task)] if store.labelled[index] else []
    drawn = [*truth, *(reader.prediction(index) for reader in readers)]
    overlays = overlays_of(drawn, colours_side_by_side(store.space, len(drawn)))
    names = [labels.get(reader.key.method, reader.key.method) for reader in readers]
    panels = [
        _Panel(name, frame, overlay)
        for name, overlay in zip(["Ground truth"][: len(truth)] + names, overlays, strict=True)
    ]
    return [
        _Panel("Input", frame),
        _Panel("Masked input", seen),
        _Panel("Reconstruction", pixels),
        *panels[len(truth) :],
        *panels[: len(truth)],
    ]


def _draw(axes_row: np.ndarray, row: list[_Panel], size: tuple[int, int]) -> None:
    """Draw a row of panels; places without a panel stay empty."""
    for axes in axes_row:
        axes.set_axis_off()
    for axes, panel in zip(axes_row, row, strict=False):
        if panel.overlay is not None:
            show_overlay(axes, panel.image, panel.overlay, PANEL_WIDTH)
        else:
            # Pictures at the model's input size fill the same panel as full frames.
            axes.imshow(panel.image, interpolation="antialiased", extent=(0, size[1], size[0], 0))
