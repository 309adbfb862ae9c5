"""Draw the paper's figure 3: gradient descent on the reconstruction of one frame."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
import seaborn
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import MaxNLocator

from videottt.evaluation.metrics import headline
from videottt.report.figures.opened import view_of
from videottt.report.figures.panels import Picture, bare_axes, masked_input, show_picture
from videottt.report.figures.style import STYLE, Colour, FigureFiles, save_figure
from videottt.report.figures.view import TaskView
from videottt.store.frames import FrameStore
from videottt.store.traces import FrameTrace, Traces, read_traces

# Steps whose reconstruction is shown, besides the last step.
SHOWN = (0, 1, 5)
# Inches.
PANEL_WIDTH, TITLE_HEIGHT, CURVE_HEIGHT, LEGEND_HEIGHT = 1.6, 0.28, 2.2, 0.35


@matplotlib.rc_context(STYLE)
def steps_figure(view: TaskView, traces: Traces) -> Figure:
    """Draw the reconstruction of single frames through gradient steps, the loss and the metric.

    One row of pictures a frame: the frame, its visible patches, and the reconstructed masked
    patches; visible patches are white, as in the paper. Below, after each step, a line a frame: the
    loss of the masked reconstruction, and the metric of the frame, if it has labels.

    Raises:
        InputError: the frames are not the traced ones.
    """
    store = view.store
    traces.check_video(store)
    last = len(traces.frames[0].loss) - 1
    shown = sorted({step for step in SHOWN if step < last} | {last})
    rows, columns = len(traces.frames), 2 + len(shown)
    height = PANEL_WIDTH * store.shown_size[0] / store.shown_size[1]
    heights = [rows * (height + TITLE_HEIGHT), CURVE_HEIGHT]
    figure = Figure(
        figsize=(PANEL_WIDTH * columns + 0.4, sum(heights) + LEGEND_HEIGHT),
        layout=ConstrainedLayoutEngine(w_pad=0.03, h_pad=0.02, wspace=0.01, hspace=0.01),
    )
    above, below = figure.subfigures(2, 1, height_ratios=heights, squeeze=False)[:, 0]
    pictures = above.subplots(rows, columns, squeeze=False)
    curves = below.subplots(1, 2)
    colours = seaborn.color_palette("colorblind", rows)
    for axes_row, trace, colour in zip(pictures, traces.frames, colours, strict=True):
        _draw_pictures(axes_row, view, trace, shown)
        name = f"frame {trace.index}, {store.timestamps[trace.index]:.1f} s"
        axes_row[0].set_ylabel(name, color=colour, fontsize=9)
        _draw_curve(curves[0], trace.loss, colour, name)
        _draw_curve(curves[1], _values(view, trace), colour, name)
    curves[0].set_ylabel("reconstruction loss")
    metric = headline(view.task)
    curves[1].set_ylabel(f"{metric.name} of the frame ({metric.unit})")
    if not any(view.known[trace.index] for trace in traces.frames):
        curves[1].text(0.5, 0.5, "no labels", transform=curves[1].transAxes, ha="center")
    handles, names = curves[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=min(4, rows))
    return figure


def _draw_pictures(
    axes_row: Sequence[Axes], view: TaskView, trace: FrameTrace, shown: Sequence[int]
) -> None:
    frame = view.observed(trace.index)
    hidden = [np.where(trace.visible[..., None], 255, trace.pixels[step]) for step in shown]
    titles = ["Input", "Masked input", *(_step_name(step) for step in shown)]
    images = [frame, masked_input(frame, trace.visible), *hidden]
    for axes, title, image in zip(axes_row, titles, images, strict=True):
        show_picture(axes, Picture(image), view.store, PANEL_WIDTH)
        bare_axes(axes)
        axes.set_title(title, fontsize=9, pad=3)


def _step_name(step: int) -> str:
    return "Before any step" if step == 0 else f"After {step} step{'s' if step > 1 else ''}"


def _draw_curve(axes: Axes, values: np.ndarray, colour: Colour, name: str) -> None:
    axes.plot(values, "o-", color=colour, linewidth=1.4, markersize=3, label=name)
    axes.set_xlabel("gradient steps on the frame")
    axes.xaxis.set_major_locator(MaxNLocator("auto", steps=[1, 2, 2.5, 5, 10], integer=True))
    axes.grid(axis="y", color="0.9", linewidth=0.6)


def _values(view: TaskView, trace: FrameTrace) -> np.ndarray:
    """Return the metric of the frame in its unit after each step, NaN without labels."""
    truth = view.truth(trace.index)
    return np.array([view.value(prediction, truth) for prediction in trace.prediction])


def plot_steps(frames: Path, traces: Path, scored: bool, files: FigureFiles) -> None:
    """Plot reconstruction, loss and metric of single frames through gradient steps.

    Args:
        frames: frame store of the video.
        traces: file of `trace`.
        scored: whether the video has a ground truth.
        files: to write.

    Raises:
        InputError: a file is absent or has another format.
    """
    read = read_traces(traces)
    with FrameStore(frames) as store:
        figure = steps_figure(view_of(store, read.key.task, scored), read)
    save_figure(figure, files)
