"""Draw the paper's figure 3: masked input, reconstruction and prediction."""

import textwrap
from collections.abc import Mapping

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from videottt.core.errors import InputError
from videottt.report.figures.objects import colours_side_by_side
from videottt.report.figures.opened import PairFiles, open_pair
from videottt.report.figures.pairing import check_same_video, distinct
from videottt.report.figures.panels import Picture, masked_input, pictures_of, show_picture
from videottt.report.figures.style import STYLE, FigureFiles, class_legend, save_figure
from videottt.report.figures.view import TaskView
from videottt.store.predictions import PredictionReader

# Inches.
PANEL_WIDTH = 1.75
TITLE_HEIGHT = 0.45

# Pictures of a row, by title.
_Row = dict[str, Picture]


@matplotlib.rc_context(STYLE)
def reconstruction_figure(
    view: TaskView,
    fixed: PredictionReader,
    predictions: PredictionReader,
    labels: Mapping[str, str],
) -> Figure:
    """Draw a row for each reconstruction kept with the predictions.

    Raises:
        InputError: the files differ in video, task or seed, or no reconstruction was kept.
    """
    store = view.store
    check_same_video(store, fixed, predictions)
    looks = predictions.looks()
    if not looks:
        raise InputError(
            f"{predictions.path}: holds no reconstruction; predict with --looks 4 and a checkpoint "
            "that has the decoder g"
        )
    readers = distinct(fixed, predictions)
    rows = [_row(view, readers, labels, *look) for look in looks]
    widest = max(rows, key=len)
    height = PANEL_WIDTH * store.shown_size[0] / store.shown_size[1]
    figure = Figure(
        figsize=(PANEL_WIDTH * len(widest) + 0.4, height * len(rows) + 2 * TITLE_HEIGHT),
        layout=ConstrainedLayoutEngine(
            compress=True, w_pad=0.02, h_pad=0.02, wspace=0.01, hspace=0.01
        ),
    )
    grid = figure.subplots(len(rows), len(widest), squeeze=False)
    for axes_row, row, (index, _, _) in zip(grid, rows, looks, strict=True):
        for axes in axes_row:
            axes.set_axis_off()
        # Without labels, the last place stays empty.
        for axes, picture in zip(axes_row, row.values(), strict=False):
            show_picture(axes, picture, store, PANEL_WIDTH)
        # In rows of a wide video, upright text would reach into the next row.
        upright = height > 0.9
        axes_row[0].text(
            -0.04, 0.5, f"t ={' ' if upright else chr(10)}{store.timestamps[index]:.1f} s",
            transform=axes_row[0].transAxes, rotation=90 if upright else 0,
            ha="right", va="center", fontsize=9,
        )  # fmt: skip
    for axes, title in zip(grid[0], widest, strict=True):
        axes.set_title(textwrap.fill(title, 22), fontsize=10, pad=4)
    overlays = [picture.overlay for row in rows for picture in row.values() if picture.overlay]
    class_legend(figure, [overlay.legend for overlay in overlays], store.classes)
    return figure


def _row(
    view: TaskView,
    readers: list[PredictionReader],
    labels: Mapping[str, str],
    index: int,
    visible: np.ndarray,
    pixels: np.ndarray,
) -> _Row:
    frame = view.observed(index)
    row = [view.truth(index), *(reader.prediction(index) for reader in readers)]
    objects = colours_side_by_side(view.store.space, len(row))
    truth, *predicted = pictures_of(frame, row, objects)
    names = [labels.get(reader.key.method, reader.key.method) for reader in readers]
    return {
        "Input": Picture(frame),
        "Masked input": Picture(masked_input(frame, visible)),
        "Reconstruction": Picture(pixels),
        **dict(zip(names, predicted, strict=True)),
        **({} if truth is None else {view.truth_name: truth}),
    }


def plot_reconstruction(
    pair_files: PairFiles,
    labels: Mapping[str, str],
    scored: bool,
    files: FigureFiles,
) -> None:
    """Plot masked input, reconstruction and prediction of single frames.

    Args:
        pair_files: the video and its predictions.
        labels: method -> name to show.
        scored: whether the video has a ground truth to show.
        files: to write.

    Raises:
        InputError: a file is absent or has another format.
    """
    with open_pair(pair_files) as pair:
        view = pair.view(scored)
        figure = reconstruction_figure(view, pair.fixed, pair.predictions, labels)
    save_figure(figure, files)
