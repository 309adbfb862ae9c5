"""Draw diagnoses: reconstruction, gradients, and what one step does, for every video of a study."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from videottt.core.files import write_text
from videottt.evaluation.diagnosis.summary import over_seeds, read_quantities
from videottt.report.figures.style import STYLE, FigureFiles, save_figure, seeds_text
from videottt.report.tables.diagnosis import TITLE, diagnosis_caption, diagnosis_sheets
from videottt.report.tables.formats import csv_text, markdown

VIDEO = ["dataset", "task", "video"]
# Share of a video's width that its points take.
FILLED = 0.66
# Inches.
VIDEO_WIDTH, LABEL_WIDTH, PANEL_HEIGHT = 1.35, 3.6, 1.85


@dataclass(frozen=True)
class Series:
    """One quantity of a panel.

    Attributes:
        name: of the quantity; see `evaluation.diagnosis.summary.quantities`.
        label: in the legend.
        colour: of its points.
        marker: of its points.
        over: the quantity that it is divided by; None: none.
    """

    name: str
    label: str
    colour: str
    marker: str = "o"
    over: str | None = None


@dataclass(frozen=True)
class Panel:
    """One measure of all videos.

    Attributes:
        title: of the axis.
        series: side by side.
        level: where a line says that nothing happens; None draws none.
        logarithmic: whether the axis is.
    """

    title: str
    series: Sequence[Series]
    level: float | None = None
    logarithmic: bool = False


G, MEAN, DISTANCE = "#029e73", "#949494", "#0173b2"
ALONG, AGAINST, RANDOM = "#029e73", "#d55e00", "#949494"
PANELS = (
    Panel(
        "error of\nmasked pixels",
        (
            Series("video_error_decoder", "video: g", G),
            Series("video_error_inverse_distance", "video: inverse distance", DISTANCE),
            Series("video_error_mean", "video: mean", MEAN),
            Series("stills_error_decoder", "training stills: g", G, "D"),
            Series("stills_error_inverse_distance", "training stills: inverse d.", DISTANCE, "D"),
            Series("stills_error_mean", "training stills: mean", MEAN, "D"),
        ),
    ),
    Panel(
        "‖∇ℓ$_m$‖ / ‖∇ℓ$_s$‖",
        (Series("gradient_ratio", "of the encoder", "0.15"),),
        level=1.0,
        logarithmic=True,
    ),
    Panel("cosine of\n∇ℓ$_m$ and ∇ℓ$_s$", (Series("cosine", "of the encoder", "0.15"),), level=0.0),
    Panel(
        "change of metric\n(points or dB)",
        (
            Series("metric_change_along", "one step along", ALONG),
            Series("metric_change_against", "against", AGAINST),
            Series("metric_change_random", "at random", RANDOM),
        ),
        level=0.0,
    ),
    Panel(
        "loss after a step,\nrelative to before",
        (
            Series(
                "main_task_loss_along", "ℓ$_m$", "#cc78bc", "o", "main_task_loss_checkpoint"
            ),
            Series("own_loss_along", "ℓ$_s$ with g₀, other masks", "#56b4e9", "o",
                   "own_loss_checkpoint"),
            Series("step_loss_own_after", "ℓ$_s$ of f and g, its masks", "#0173b2", "o",
                   "step_loss_own_before"),
            Series("step_loss_fresh_after", "ℓ$_s$ of f and g, other masks", "#0173b2", "D",
                   "step_loss_fresh_before"),
        ),
        level=1.0,
        logarithmic=True,
    ),
)  # fmt: skip


@matplotlib.rc_context(STYLE)
def diagnosis_figure(table: pd.DataFrame) -> Figure:
    """Draw a panel for each measure, with every video beside the other and every seed as a point.

    Args:
        table: of `evaluation.diagnosis.summary.read_quantities`.
    """
    videos = list(dict.fromkeys(table[VIDEO].itertuples(index=False, name=None)))
    width = max(7.0, LABEL_WIDTH + VIDEO_WIDTH * len(videos))
    figure = Figure(figsize=(width, PANEL_HEIGHT * len(PANELS) + 0.9), layout="constrained")
    for axes, panel in zip(figure.subplots(len(PANELS), 1, sharex=True), PANELS, strict=True):
        _draw(axes, panel, table, videos)
    names = [f"{video}\n{dataset},\n{task}" for dataset, task, video in videos]
    axes.set_xticks(range(len(videos)), names, fontsize=8)
    axes.set_xlim(-0.5, len(videos) - 0.5)
    counts = table.groupby(VIDEO).seed.count().tolist()
    shown = seeds_text(counts, "points and lines: values and means")
    if shown is not None:
        figure.supxlabel(shown, fontsize=9)
    return figure


def _draw(
    axes: Axes, panel: Panel, table: pd.DataFrame, videos: Sequence[tuple[str, str, str]]
) -> None:
    series = [each for each in panel.series if table[each.name].notna().any()]
    if panel.level is not None:
        axes.axhline(panel.level, color="0.5", linewidth=0.9, linestyle=(0, (5, 2)), zorder=0)
    step = FILLED / len(panel.series)
    for place, each in enumerate(series):
        offset = step * (place - (len(series) - 1) / 2)
        for position, video in enumerate(videos):
            rows = table[(table[VIDEO] == list(video)).all(axis=1)]
            values = rows[each.name] / (rows[each.over] if each.over else 1.0)
            _points(axes, position + offset, values.to_numpy(float), each, min(0.8 * step, 0.2))
        # Its entry of the legend.
        axes.plot([], [], each.marker, color=each.colour, markersize=5, label=each.label)
    if panel.logarithmic:
        axes.set_yscale("log")
    for border in np.arange(len(videos) - 1) + 0.5:
        axes.axvline(border, color="0.92", linewidth=0.8, zorder=0)
    axes.grid(axis="y", color="0.92", linewidth=0.6)
    axes.margins(y=0.15)
    axes.set_ylabel(panel.title)
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))


def _points(axes: Axes, x: float, values: np.ndarray, series: Series, width: float) -> None:
    """Draw the value of each seed, and their mean as a line."""
    axes.plot(
        np.full(len(values), x), values, series.marker, color=series.colour, alpha=0.7,
        markersize=4.5, markeredgewidth=0,
    )  # fmt: skip
    if len(values) > 1:
        axes.hlines(values.mean(), x - width / 2, x + width / 2, color=series.colour)


def plot_diagnosis(
    diagnoses: Sequence[Path], csv: Path, markdown_file: Path, files: FigureFiles
) -> str:
    """Plot the diagnoses of a study, and write them as a table; return it as Markdown.

    Args:
        diagnoses: files of `diagnose`, of videos and seeds.
        csv: every quantity, mean and standard deviation over the seeds of a video, to write.
        markdown_file: a selection to read, to write.
        files: of the figure, to write.

    Raises:
        InputError: a file is absent or has another format, or a video and seed is listed twice.
    """
    table = read_quantities(diagnoses)
    numbers = over_seeds(table)
    text = markdown(TITLE, diagnosis_sheets(numbers), diagnosis_caption(numbers))
    save_figure(diagnosis_figure(table), files)
    write_text(csv, csv_text(numbers))
    write_text(markdown_file, text)
    return text
