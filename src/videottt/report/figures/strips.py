"""Draw the paper's figures 7 and 8: a fixed and a learning model on adjacent frames."""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from videottt.core.errors import InputError
from videottt.evaluation.metrics import Headline, headline
from videottt.report.figures.objects import colours_side_by_side
from videottt.report.figures.opened import PairFiles, open_pair
from videottt.report.figures.pairing import check_same_video
from videottt.report.figures.panels import (
    Picture,
    bare_axes,
    pictures_of,
    quality_text,
    show_picture,
)
from videottt.report.figures.style import STYLE, FigureFiles, class_legend, save_figure
from videottt.report.figures.view import TaskView, scored_view
from videottt.store.frames import FrameStore
from videottt.store.predictions import PredictionReader

LENGTH = 3  # adjacent frames of one strip
# Inches: panels of strips side by side, panels of strips one below the other, and what is around.
NARROW, WIDE, TITLE_HEIGHT, LABEL_WIDTH, LEGEND_HEIGHT = 1.75, 3.3, 0.19, 0.3, 0.5
# Strips stand one below the other if frames are wider than this many heights.
WIDE_FROM = 2.0


@dataclass(frozen=True)
class Strip:
    """Adjacent frames, and the gain of a method over the fixed model on them.

    Attributes:
        start: first frame.
        length: number of frames.
        gain: metric of a single frame, the method's less the fixed model's, in points or dB, mean
            over the frames where it is defined.
    """

    start: int
    length: int
    gain: float


def frame_values(view: TaskView, predictions: PredictionReader) -> np.ndarray:
    """Return the headline metric of every frame alone, in its unit: float64 [T].

    NaN: the frame has no labels, or the metric is not defined.
    """
    values = np.full(len(view.store), np.nan)
    for index in np.flatnonzero(view.known).tolist():
        values[index] = view.value(predictions.prediction(index), view.truth(index))
    return values


def extreme_strips(gains: np.ndarray, length: int) -> list[Strip]:
    """Return the strip of adjacent frames with the largest gain, and the one with the smallest.

    Candidates are the runs of `length` frames with the most labelled frames; among equals, the run
    with its labelled frames nearest to the middle, then the first. With a single candidate, a
    single strip is returned.

    Args:
        gains: float64 [T], in the metric of single frames; NaN for frames without labels.
        length: frames of a strip; a shorter video is one strip.

    Raises:
        InputError: no frame has a gain.
    """
    if np.isnan(gains).all():
        raise InputError(
            "strips: no frame of the video is labelled; draw strips of a labelled video"
        )
    length = min(length, len(gains))
    runs = np.lib.stride_tricks.sliding_window_view(gains, length)
    known = ~np.isnan(runs)
    scored = known.sum(axis=1)
    starts = np.flatnonzero(scored == scored.max())
    # With sparse labels, runs around one labelled frame have equal gains.
    aside = np.abs(known[starts] @ (np.arange(length) - (length - 1) / 2))
    starts = starts[np.argsort(aside, kind="stable")]
    means = np.nanmean(runs[starts], axis=1)
    chosen = dict.fromkeys((int(means.argmax()), int(means.argmin())))
    return [Strip(int(starts[i]), length, float(means[i])) for i in chosen]


@matplotlib.rc_context(STYLE)
def strips_figure(
    store: FrameStore,
    fixed: PredictionReader,
    predictions: PredictionReader,
    labels: Mapping[str, str],
) -> Figure:
    """Draw the adjacent frames on which a method gains most over a fixed model, and loses most.

    One column a frame; rows are the input, both predictions with the metric of the frame, and the
    ground truth. An object has one colour in all of a strip.

    Raises:
        InputError: the files are not of one video, task and seed, or no frame is labelled.
    """
    check_same_video(store, fixed, predictions)
    readers = (fixed, predictions)
    view = scored_view(store, fixed.key.task)
    metric = headline(view.task)
    values = [frame_values(view, reader) for reader in readers]
    strips = extreme_strips(values[1] - values[0], LENGTH)
    names = [
        textwrap.fill(labels.get(r.key.method, r.key.method), 16, break_long_words=False)
        for r in readers
    ]
    aspect = store.shown_size[1] / store.shown_size[0]
    below = aspect >= WIDE_FROM or len(strips) == 1
    blocks = (len(strips), 1) if below else (1, len(strips))
    panel = WIDE if below else NARROW
    frames = strips[0].length
    figure = Figure(
        figsize=(
            blocks[1] * (frames * panel + LABEL_WIDTH) + LABEL_WIDTH,
            blocks[0] * (4 * (panel / aspect + TITLE_HEIGHT) + 0.45),
        ),
        layout=ConstrainedLayoutEngine(w_pad=0.02, h_pad=0.02, wspace=0.01, hspace=0.01),
    )
    drawn = []
    for part, strip in zip(figure.subfigures(*blocks, squeeze=False).flat, strips, strict=True):
        part.suptitle(_title(strip, strips, metric))
        grid = part.subplots(4, frames, squeeze=False)
        indices = range(strip.start, strip.start + strip.length)
        drawn += _draw(grid, view, readers, indices, panel)
        for column, index in zip(grid.T, indices, strict=True):
            for axes, of_reader in zip(column[1:3], values, strict=True):
                text = quality_text(metric, of_reader[index])
                unknown = f"{metric.name} undefined" if view.known[index] else "not labelled"
                axes.set_title(text or unknown, fontsize=8.5, pad=2)
        for axes, row_name in zip(grid[:, 0], ("Input", *names, view.truth_name), strict=True):
            axes.set_ylabel(row_name, fontsize=9)
    if any(classes.size for classes in drawn):
        figure.set_figheight(figure.get_figheight() + LEGEND_HEIGHT)
    class_legend(figure, drawn, store.classes)
    return figure


def _draw(
    grid: np.ndarray,
    view: TaskView,
    readers: Sequence[PredictionReader],
    indices: range,
    inches: float,
) -> list[np.ndarray]:
    """Draw one strip on axes [4, frames]; return the classes of its panels' legends."""
    store = view.store
    objects = colours_side_by_side(store.space, 1 + len(readers))
    legends = []
    for column, index in zip(grid.T, indices, strict=True):
        for axes in column:
            bare_axes(axes)
        frame = view.observed(index)
        column[0].set_title(f"frame {index}, {store.timestamps[index]:.1f} s", fontsize=9, pad=3)
        row = [view.truth(index), *(reader.prediction(index) for reader in readers)]
        truth, *predicted = pictures_of(frame, row, objects)
        for axes, picture in zip(column, [Picture(frame), *predicted, truth], strict=True):
            if picture is not None:
                show_picture(axes, picture, store, inches)
                legends += [picture.overlay.legend] if picture.overlay else []
    return legends


def _title(strip: Strip, strips: Sequence[Strip], metric: Headline) -> str:
    """Return the title of a strip: the largest gain may be a loss, the smallest may be a gain."""
    what = "loss" if strip.gain < 0 else "gain"
    if len(strips) > 1:
        gains = [other.gain for other in strips]
        outer = max(gains) if what == "gain" else min(gains)
        what = f"{'Largest' if strip.gain == outer else 'Smallest'} {what}"
    unit = "points" if metric.unit == "%" else metric.unit
    text = f"{what.capitalize()}: {strip.gain:+.1f} {unit} of frame {metric.name}"
    return text.replace("-", "−")


def plot_strips(
    pair_files: PairFiles,
    labels: Mapping[str, str],
    files: FigureFiles,
) -> None:
    """Plot adjacent frames on which a method gains most over the fixed model, and loses most.

    Args:
        pair_files: the video and its predictions.
        labels: method -> name to show.
        files: to write.

    Raises:
        InputError: a file is absent or has another format, or no frame is labelled.
    """
    with open_pair(pair_files) as pair:
        figure = strips_figure(pair.store, pair.fixed, pair.predictions, labels)
    save_figure(figure, files)
