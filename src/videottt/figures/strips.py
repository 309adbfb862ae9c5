"""The paper's figures 7 and 8: a fixed model and a learning one on adjacent frames."""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from videottt.errors import InputError
from videottt.figures.objects import colours_side_by_side
from videottt.figures.overlay import overlays_of
from videottt.figures.pairing import check_same_video
from videottt.figures.panels import quality_text, show_overlay
from videottt.figures.style import STYLE, class_legend
from videottt.frames import FrameStore
from videottt.metrics import frame_value, headline, label_of
from videottt.predictions import PredictionReader

LENGTH = 3  # adjacent frames of one strip
# Inches: of a panel beside another strip, of one below another, and of what is around panels.
NARROW, WIDE, TITLE_HEIGHT, LABEL_WIDTH = 1.75, 3.3, 0.19, 0.3
# Frames wider than this many heights are shown one strip below the other.
WIDE_FROM = 2.0


@dataclass(frozen=True)
class Strip:
    """Adjacent frames, and how much better a method does on them than the fixed model.

    Attributes:
        start: first frame.
        length: number of frames.
        gain: what the task's metric says of single frames, of the method less that of the fixed
            model, in points, mean over the frames that have it.
    """

    start: int
    length: int
    gain: float


def frame_values(store: FrameStore, predictions: PredictionReader) -> np.ndarray:
    """Return the task's metric of every frame by itself, in percent: float64 [T].

    NaN where nothing is labelled, and where the metric is not defined. The metric is that of
    `metrics.headline`.
    """
    task = predictions.key.task
    found = np.full(len(store), np.nan)
    for index in np.flatnonzero(store.labelled).tolist():
        label = label_of(store, index, task)
        found[index] = 100 * frame_value(task, predictions.prediction(index), label, store.space)
    return found


def extreme_strips(gains: np.ndarray, length: int) -> list[Strip]:
    """Return the strip of adjacent frames with the largest gain, and the one with the smallest.

    Candidates are all runs of `length` frames with as many labelled frames as such a run has at
    most; of equals, those with these frames in the middle, and of these the first. One strip is
    returned where there is one candidate only.

    Args:
        gains: float64 [T], points of the metric of single frames; NaN where nothing is labelled.
        length: frames of a strip; a shorter video is one strip.

    Raises:
        InputError: no frame has a gain.
    """
    if np.isnan(gains).all():
        raise InputError("strips: no frame of the video is labelled, so none can be compared")
    length = min(length, len(gains))
    runs = np.lib.stride_tricks.sliding_window_view(gains, length)
    known = ~np.isnan(runs)
    scored = known.sum(axis=1)
    starts = np.flatnonzero(scored == scored.max())
    # Where labels are sparse, runs around one labelled frame differ in nothing else.
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

    One column a frame; rows are the frame, both predictions with the task's metric of the frame,
    and the ground truth. An object has one colour in all of a strip.

    Raises:
        InputError: the files are not of one video, task and seed, or no frame is labelled.
    """
    check_same_video(store, fixed, predictions)
    readers = (fixed, predictions)
    name = headline(fixed.key.task).name
    shares = [frame_values(store, reader) for reader in readers]
    strips = extreme_strips(shares[1] - shares[0], LENGTH)
    names = [
        textwrap.fill(labels.get(r.key.method, r.key.method), 16, break_long_words=False)
        for r in readers
    ]
    aspect = store.size[1] / store.size[0]
    below = aspect >= WIDE_FROM or len(strips) == 1
    blocks = (len(strips), 1) if below else (1, len(strips))
    panel = WIDE if below else NARROW
    frames = strips[0].length
    figure = Figure(
        figsize=(
            blocks[1] * (frames * panel + LABEL_WIDTH) + LABEL_WIDTH,
            blocks[0] * (4 * (panel / aspect + TITLE_HEIGHT) + 0.45) + 0.5,
        ),
        layout="constrained",
    )
    figure.get_layout_engine().set(w_pad=0.02, h_pad=0.02, wspace=0.01, hspace=0.01)
    drawn = []
    for part, strip in zip(figure.subfigures(*blocks, squeeze=False).flat, strips, strict=True):
        part.suptitle(_title(strip, strips, name))
        grid = part.subplots(4, frames, squeeze=False)
        indices = range(strip.start, strip.start + strip.length)
        drawn += _draw(grid, store, readers, indices, panel)
        for column, index in zip(grid.T, indices, strict=True):
            for axes, percent in zip(column[1:3], shares, strict=True):
                text = quality_text(name, percent[index])
                unknown = f"{name} undefined" if store.labelled[index] else "not labelled"
                axes.set_title(text or unknown, fontsize=8.5, pad=2)
        for axes, row_name in zip(grid[:, 0], ("Input", *names, "Ground truth"), strict=True):
            axes.set_ylabel(row_name, fontsize=9)
    class_legend(figure, drawn, store.classes)
    return figure


def _draw(
    grid: np.ndarray,
    store: FrameStore,
    readers: Sequence[PredictionReader],
    indices: range,
    inches: float,
) -> list[np.ndarray]:
    """Draw one strip on axes [4, frames], and return the classes of its panels' legends."""
    task = readers[0].key.task
    objects = colours_side_by_side(store.space, 1 + len(readers))
    legends = []
    for column, index in zip(grid.T, indices, strict=True):
        for axes in column:
            axes.set(xticks=[], yticks=[])
            for spine in axes.spines.values():
                spine.set_visible(False)
        frame = store.frame(index)
        column[0].imshow(frame, interpolation="antialiased")
        column[0].set_title(f"frame {index}, {index / store.fps:.1f} s", fontsize=9, pad=3)
        truth = label_of(store, index, task) if store.labelled[index] else None
        row = [truth, *(reader.prediction(index) for reader in readers)]
        drawn = overlays_of(row, objects)
        for axes, overlay in zip(column[[3, 1, 2]], drawn, strict=True):
            if overlay is not None:
                show_overlay(axes, frame, overlay, inches)
                legends.append(overlay.legend)
    return legends


def _title(strip: Strip, strips: Sequence[Strip], name: str) -> str:
    """Return what a strip is: the largest gain may be a loss, the smallest may be a gain."""
    what = "loss" if strip.gain < 0 else "gain"
    if len(strips) > 1:
        gains = [each.gain for each in strips]
        outer = max(gains) if what == "gain" else min(gains)
        what = f"{'Largest' if strip.gain == outer else 'Smallest'} {what}"
    return f"{what.capitalize()}: {strip.gain:+.1f} points of frame {name}".replace("-", "−")
