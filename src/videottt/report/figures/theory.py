"""Draw the theorem of section 6.2 beside figure 4: best windows, bias and variance against k."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from videottt.core.errors import InputError
from videottt.core.files import write_csv, write_text
from videottt.evaluation.metrics import headline
from videottt.evaluation.theory import bound
from videottt.evaluation.theory.summary import (
    StreamEstimates,
    constants_table,
    interval,
    readable,
    stream_estimates,
)
from videottt.report.figures.bars import metric_text
from videottt.report.figures.style import STYLE, FigureFiles, method_colours, save_figure
from videottt.report.tables.reading import read_metrics

UNLIMITED = "all"
# Octaves between the largest number and `all`.
GAP = 1.2
# Rows between the two marks of a k*.
BELOW = 0.35
# Each k*: constant of `estimate`, label of the row, colour. Those of a bound have a twin, for σ²
# from differences, that is drawn open in the same row.
ROWS = (
    ("k_paper", r"as printed: $(\sigma^2/\beta^2\eta^2)^{1/3}$", "#0173b2"),
    ("k_bound", "minimum of the paper's bound", "#56b4e9"),
    ("k_tight_bound", "minimum of the tighter bound", "#cc78bc"),
    ("k_measured", "least error, measured", "#d55e00"),
    ("k_aligned", "best direction, measured", "#ca9161"),
)
TWIN = "_differences"
BIAS, VARIANCE, TOTAL = "#d55e00", "#0173b2", "0.15"
# Shown range, relative to the mean ‖∇ℓ_m‖²; bounds outside it are cut off.
RANGE = (4e-3, 40)


@dataclass(frozen=True)
class WindowSweep:
    """Results of one method with several windows k.

    Attributes:
        method: id; its variants are ``<method>,window=<k>``.
        base_value: the method's own k, a number or "all".
        split: of the videos.
        fixed: id of the fixed model.
    """

    method: str
    base_value: str
    split: str
    fixed: str


@matplotlib.rc_context(STYLE)
def theory_figure(
    streams: Sequence[StreamEstimates],
    table: pd.DataFrame,
    sweep: WindowSweep,
    labels: Mapping[str, str],
) -> Figure:
    """Draw the metric, every k*, bias and variance, and alignment of gradients against the window.

    Over several videos or seeds, curves are means and k* medians; intervals hold 95% of the
    bootstrap replicates of all of them.

    Args:
        streams: estimates of one data set and task, on the same windows.
        table: tidy metrics as `scores.aggregate` makes them, of the sweep of the window.
        sweep: the rows of the table to show.
        labels: names to show of methods; a method without a name shows its id.

    Raises:
        InputError: the table lacks a column, the sweep or the fixed method.
    """
    first = streams[0].key
    rows = _rows(table, sweep, first.dataset, first.task)
    tried = _tried(rows, sweep)
    figure = Figure(figsize=(8, 10), layout="constrained")
    panels = figure.subplots(4, 1, sharex=True, height_ratios=[2.1, 1.25, 2.9, 1.3])
    place = _places(tried)
    _miou(panels[0], tried, place, rows, sweep, labels)
    _best_windows(panels[1], panels[0], streams, tried, place)
    _bias_and_variance(panels[2], streams)
    _alignment(panels[3], streams)
    _axes(panels, place, streams)
    seeds = len({stream.key.seed for stream in streams})
    videos = ", ".join(dict.fromkeys(stream.key.video for stream in streams))
    panels[0].set_title(
        f"{first.dataset} {sweep.split}: video {videos}, {seeds} seed{'s' * (seeds > 1)}"
    )
    return figure


def _rows(table: pd.DataFrame, sweep: WindowSweep, dataset: str, task: str) -> pd.DataFrame:
    """Return the pooled metric of a data set, task and split in its unit: a row a method, seed."""
    columns = {"dataset", "task", "split", "method", "seed", "aggregation", "metric", "value"}
    if missing := columns - set(table.columns):
        raise InputError(f"sweep: no column '{min(missing)}'; make it with 'aggregate'")
    metric = headline(task)
    pooled = (table.aggregation == "pooled") & (table.metric == metric.pooled)
    kept = pooled & (table.split == sweep.split)
    rows = table[kept & (table.dataset == dataset) & (table.task == task)]
    if not (rows.method == sweep.fixed).any():
        raise InputError(
            f"sweep: no '{metric.pooled}' of method '{sweep.fixed}' on {dataset} {sweep.split}, "
            f"{task}; give the table of the sweep of this data set and split"
        )
    return rows.assign(value=metric.scale * rows.value)


def _tried(rows: pd.DataFrame, sweep: WindowSweep) -> pd.DataFrame:
    """Return the metric with the seeds as rows and the windows, ascending, as columns."""
    prefix = f"{sweep.method},window="
    text = rows.method.where(rows.method != sweep.method, prefix + sweep.base_value)
    tried = rows.assign(window=text.str.removeprefix(prefix))[text.str.startswith(prefix)]
    if tried.empty:
        raise InputError(
            f"sweep: no pooled metric of method '{sweep.method}' or of its windows; give the "
            "metrics of the sweep of the window"
        )
    unlimited = tried.window == UNLIMITED
    numbers = pd.to_numeric(tried.window.where(~unlimited, "inf"), errors="coerce")
    if not (numbers >= 1).all():
        raise InputError(
            f"sweep: window '{tried.window[~(numbers >= 1)].iloc[0]}' of '{sweep.method}' is "
            f"neither a number of frames nor '{UNLIMITED}'; leave it out of the sweep"
        )
    return tried.assign(window=numbers).pivot(index="seed", columns="window", values="value")


def _places(tried: pd.DataFrame) -> dict[float, float]:
    """Return the place of each window on the axis of k; `all` stands right of the numbers."""
    numbers = [k for k in tried.columns if np.isfinite(k)]
    far = max(numbers, default=1.0) * 2**GAP
    return {k: k if np.isfinite(k) else far for k in tried.columns}


def _miou(
    axes: Axes,
    tried: pd.DataFrame,
    place: Mapping[float, float],
    rows: pd.DataFrame,
    sweep: WindowSweep,
    labels: Mapping[str, str],
) -> None:
    colours = method_colours([sweep.method, sweep.fixed])
    colour = colours[sweep.method]
    mean, spread = tried.mean(), tried.std()
    x = np.array([place[k] for k in tried.columns])
    limited = np.isfinite(tried.columns.to_numpy())
    name = labels.get(sweep.method, sweep.method)
    axes.plot(x[limited], mean[limited], "-o", color=colour, markersize=4.5, label=name)
    if not limited.all():
        axes.plot(x[-2:], mean.iloc[-2:], ":o", color=colour, markersize=4.5)
    if len(tried) > 1:
        axes.fill_between(x, mean - spread, mean + spread, color=colour, alpha=0.15, linewidth=0)
    fixed = rows[rows.method == sweep.fixed].value
    axes.axhline(
        fixed.mean(), color=colours[sweep.fixed], linestyle=(0, (5, 2)),
        label=labels.get(sweep.fixed, sweep.fixed), zorder=1,
    )  # fmt: skip
    title = f"band: standard deviation over {len(tried)} seeds" if len(tried) > 1 else None
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), title=title)
    axes.set_ylabel(metric_text(rows.task.iloc[0]))
    axes.margins(y=0.12)


def _best_windows(
    axes: Axes,
    above: Axes,
    streams: Sequence[StreamEstimates],
    tried: pd.DataFrame,
    place: Mapping[float, float],
) -> None:
    """Draw a row for each k*, with a line in the panel above, and a row for the best metric."""
    low, high = _limits(place, streams)
    for row, (name, text, colour) in enumerate(ROWS):
        middle, ends = _median(streams, name)
        _mark(axes, row, middle, ends, colour, (low, high))
        if low <= middle <= high:
            above.axvline(middle, color=colour, linewidth=0.9, alpha=0.7, zorder=0)
        found = f"{middle:.3g}"
        if name + TWIN in streams[0].estimates.constants:
            other, ends = _median(streams, name + TWIN)
            _mark(axes, row + BELOW, other, ends, colour, (low, high), face="white")
            found = f"{middle:.3g}, open {other:.3g}"
        axes.annotate(
            f"{text}: {found}", (1, row), xycoords=axes.get_yaxis_transform(),
            xytext=(8, 0), textcoords="offset points", va="center", fontsize=9,
        )  # fmt: skip
    best = tried.idxmax(axis=1).map(place)
    middle = tried.mean().idxmax()
    row = len(ROWS)
    ends = (best.min(), best.max())
    _mark(axes, row, place[middle], ends, "#029e73", (low, high))
    shown = UNLIMITED if np.isinf(middle) else f"{middle:g}"
    metric = headline(streams[0].key.task).name
    axes.annotate(
        f"best {metric}{' (range over seeds)' * (len(tried) > 1)}: {shown}", (1, row),
        xycoords=axes.get_yaxis_transform(), xytext=(8, 0), textcoords="offset points",
        va="center", fontsize=9,
    )  # fmt: skip
    axes.set_ylim(row + 0.6, -0.6)
    axes.set_yticks([])
    axes.set_ylabel("best k")
    axes.set_title(
        "bounds: filled, σ² over time; open, σ² from differences of frames", fontsize=9, loc="left"
    )


def _median(streams: Sequence[StreamEstimates], name: str) -> tuple[float, tuple[float, float]]:
    """Return the median of a constant over streams, and the interval of all replicates."""
    values = [each.estimates.constants[name] for each in streams]
    middle = float(np.median([each[0] for each in values]))
    return middle, interval(np.concatenate([each[1:] for each in values]))


def _mark(
    axes: Axes,
    row: float,
    value: float,
    ends: tuple[float, float],
    colour: str,
    limits: tuple[float, float],
    face: str | None = None,
) -> None:
    """Draw a point and its interval, or an arrow if the point is outside the axis."""
    inside = np.clip(value, *limits)
    marker = "o" if inside == value else ("<" if value < inside else ">")
    axes.plot(np.clip(ends, *limits), [row, row], color=colour, linewidth=2.4, alpha=0.6)
    axes.plot(inside, row, marker, color=colour, markersize=6.5, markerfacecolor=face or colour)


def _bias_and_variance(axes: Axes, streams: Sequence[StreamEstimates]) -> None:
    """Draw measured bias and variance as lines with points, and the theorem's bounds dashed."""
    windows = streams[0].estimates.windows
    for name, colour, style, text in (
        ("bias", BIAS, "-o", "bias²"),
        ("variance", VARIANCE, "-o", "variance"),
        ("total", TOTAL, "-o", "total error"),
    ):
        _curve(axes, streams, name, colour, style, text)
    k = np.geomspace(windows[0], windows[-1], 200)
    for function, constant, colour, style, text in (
        (bound.bias_bound, "target_change", BIAS, "--", "k²β²η² (paper)"),
        (bound.tight_bias_bound, "target_change", BIAS, ":", "(k-1)²β²η²/4 (tighter)"),
        (bound.variance_bound, "target_sigma2", VARIANCE, "--", "σ²/k, σ² over time"),
        (bound.variance_bound, f"target_sigma2{TWIN}", VARIANCE, ":", "σ²/k, from differences"),
    ):
        terms = [function(k, np.array(_relative(each, constant))) for each in streams]
        axes.plot(k, np.mean(terms, axis=0), style, color=colour, linewidth=1.3, label=text)
    axes.set_yscale("log")
    axes.set_ylim(*RANGE)
    axes.set_ylabel("relative to mean ‖∇ℓ$_m$‖²")
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), title="gradient of the window")


def _relative(stream: StreamEstimates, name: str) -> float:
    constants = stream.estimates.constants
    return float(constants[name][0] / constants["target_square"][0])


def _curve(
    axes: Axes,
    streams: Sequence[StreamEstimates],
    name: str,
    colour: str,
    style: str,
    text: str | None = None,
) -> None:
    """Draw a measured curve, mean over streams, with its interval; squares are relative."""
    curves = [each.estimates.curves[name] for each in streams]
    if name != "alignment":
        squares = [each.estimates.constants["target_square"][:, None] for each in streams]
        curves = [curve / square for curve, square in zip(curves, squares, strict=True)]
    windows = streams[0].estimates.windows
    mean = np.mean([curve[0] for curve in curves], axis=0)
    replicates = np.concatenate([curve[1:] for curve in curves])
    ends = np.array([interval(column) for column in replicates.T])
    # bias² is 0 at k = 1, which a logarithmic axis cannot show.
    shown = mean > 0 if name == "bias" else np.isfinite(mean)
    axes.plot(
        windows[shown], mean[shown], style, color=colour, linewidth=1.6, markersize=3.5, label=text
    )
    axes.fill_between(windows[shown], *ends[shown].T, color=colour, alpha=0.13, linewidth=0)


def _alignment(axes: Axes, streams: Sequence[StreamEstimates]) -> None:
    _curve(axes, streams, "alignment", TOTAL, "-o")
    axes.axhline(0, color="0.6", linewidth=0.8)
    axes.margins(y=0.15)
    axes.set_ylabel("cosine")
    axes.annotate(
        "of the window's ∇ℓ$_s$ and\nthe frame's ∇ℓ$_m$; 1 for\none direction",
        (1, 0.5), xycoords="axes fraction", xytext=(8, 0), textcoords="offset points",
        va="center", fontsize=9,
    )  # fmt: skip


def _limits(
    place: Mapping[float, float], streams: Sequence[StreamEstimates]
) -> tuple[float, float]:
    largest = max(*place.values(), float(streams[0].estimates.windows[-1]))
    return 0.5, largest * 1.25


def _axes(
    panels: Sequence[Axes], place: Mapping[float, float], streams: Sequence[StreamEstimates]
) -> None:
    for axes in panels:
        axes.set_xscale("log", base=2)
        axes.grid(axis="both", color="0.92", linewidth=0.6)
        if np.inf in place:
            axes.axvline(place[np.inf] / 2 ** (GAP / 2), color="0.75", linewidth=0.8, linestyle=":")
    low, high = _limits(place, streams)
    panels[-1].set_xlim(low, high)
    panels[-1].set_xticks(
        list(place.values()), [UNLIMITED if np.isinf(k) else f"{k:g}" for k in place]
    )
    panels[-1].xaxis.set_minor_locator(NullLocator())
    panels[-1].set_xlabel("window size k (frames)")


def plot_theory(
    statistics: Sequence[Path],
    sweep_metrics: Path,
    sweep: WindowSweep,
    labels: Mapping[str, str],
    csv: Path,
    markdown: Path,
    files: FigureFiles,
) -> None:
    """Plot bias and variance as measured, and the theorem's best windows beside figure 4.

    Args:
        statistics: files of `theory`, of videos and seeds.
        sweep_metrics: CSV of the sweep of the window.
        sweep: the swept method, and the split.
        labels: method -> name to show.
        csv: the theorem's constants, to write.
        markdown: the main constants to read, to write.
        files: to write.

    Raises:
        InputError: a file is absent or has another format.
    """
    streams = stream_estimates(statistics)
    figure = theory_figure(streams, read_metrics(sweep_metrics), sweep, labels)
    table = constants_table(streams)
    save_figure(figure, files)
    write_csv(csv, table, "%.6g")
    text = readable(table).to_markdown(index=False, disable_numparse=True)
    write_text(markdown, f"{text}\n")
