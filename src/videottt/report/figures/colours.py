"""Draw the paper's figure 9: a video in the colours of several methods."""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from videottt.evaluation.metrics import headline
from videottt.report.figures.opened import open_predictions, view_of
from videottt.report.figures.pairing import as_image, check_images, check_same_video
from videottt.report.figures.panels import Picture, bare_axes, quality_text, show_picture
from videottt.report.figures.style import STYLE, FigureFiles, save_figure
from videottt.report.figures.view import TaskView
from videottt.store.predictions import PredictionReader

FRAMES = 5
# Inches: longer edge of a panel, note below it, titles above all panels, labels left of them.
PANEL, QUALITY_HEIGHT, TITLE_HEIGHT, LABEL_WIDTH = 1.6, 0.17, 0.25, 0.55
# Height of a panel in inches from which an upright name fits beside it.
UPRIGHT_FROM = 0.8


@dataclass(frozen=True)
class _Row:
    """Images uint8 [H, W, 3], the name left of the first and the note below each."""

    name: str
    images: list[np.ndarray]
    notes: list[str]


@matplotlib.rc_context(STYLE)
def colours_figure(
    view: TaskView,
    predictions: Sequence[PredictionReader],
    labels: Mapping[str, str],
    frames: int = FRAMES,
) -> Figure:
    """Draw frames spread over a video, grey and in the colours of each method.

    One column a frame; rows are the input, the original if it is shown, and the methods in their
    order, with the metric of each frame.

    Args:
        view: of the video.
        predictions: images, of one seed.
        labels: names to show of methods; a method without a name shows its id.
        frames: largest number of columns.

    Raises:
        InputError: the files differ in video, task or seed, or hold no images.
    """
    check_same_video(view.store, *predictions)
    for reader in predictions:
        check_images(reader)
    size, indices = view.store.shown_size, spread(len(view.store), frames)
    rows = _rows(view, predictions, labels, indices)
    height, width = (PANEL * edge / max(size) for edge in size)
    noted = sum(any(row.notes) for row in rows)
    figure = Figure(
        figsize=(
            width * len(indices) + LABEL_WIDTH,
            height * len(rows) + QUALITY_HEIGHT * noted + TITLE_HEIGHT,
        ),
        layout=ConstrainedLayoutEngine(compress=True, w_pad=0.015, h_pad=0.015, wspace=0, hspace=0),
    )
    grid = figure.subplots(len(rows), len(indices), squeeze=False)
    standing = {} if height > UPRIGHT_FROM else {"rotation": 0, "ha": "right", "va": "center"}
    for axes_row, row in zip(grid, rows, strict=True):
        axes_row[0].set_ylabel(textwrap.fill(row.name, 16), fontsize=9, **standing)
        for axes, image, note in zip(axes_row, row.images, row.notes, strict=True):
            bare_axes(axes)
            show_picture(axes, Picture(image), view.store, width)
            axes.set_xlabel(note, fontsize=8, labelpad=2)
    for axes, index in zip(grid[0], indices, strict=True):
        axes.set_title(f"{view.store.timestamps[index]:.1f} s", fontsize=9, pad=3)
    return figure


def _rows(
    view: TaskView,
    predictions: Sequence[PredictionReader],
    labels: Mapping[str, str],
    indices: Sequence[int],
) -> list[_Row]:
    truths = [view.truth(index) for index in indices]
    none = [""] * len(indices)
    rows = [_Row("Input", [view.observed(index) for index in indices], none)]
    if view.known.any():
        rows.append(_Row(view.truth_name, [as_image(truth) for truth in truths], none))
    metric = headline(view.task)
    for reader in predictions:
        images = [as_image(reader.prediction(index)) for index in indices]
        values = [view.value(*pair) for pair in zip(images, truths, strict=True)]
        notes = [quality_text(metric, value) for value in values]
        rows.append(_Row(labels.get(reader.key.method, reader.key.method), images, notes))
    return rows


def spread(length: int, count: int) -> list[int]:
    """Return the frames in the middle of `count` equal parts of a video; at most all frames."""
    count = min(count, length)
    result: list[int] = ((np.arange(count) + 0.5) * length / count).astype(int).tolist()
    return result


def plot_colours(
    frames: Path,
    predictions: Sequence[Path],
    labels: Mapping[str, str],
    scored: bool,
    files: FigureFiles,
) -> None:
    """Plot frames of a video in the colours of several methods.

    Args:
        frames: frame store of the video.
        predictions: files of images, one a row.
        labels: method -> name to show.
        scored: whether the video has a ground truth to show.
        files: to write.

    Raises:
        InputError: a file is absent or has another format.
    """
    with open_predictions(frames, predictions) as (store, read):
        figure = colours_figure(view_of(store, read[0].key.task, scored), read, labels)
    save_figure(figure, files)
