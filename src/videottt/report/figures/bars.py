"""Draw the paper's figure 2: the metric of each method, by data set, task and split."""

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from videottt.core.errors import InputError, nearest
from videottt.evaluation.metrics import headline
from videottt.report.figures.style import (
    STYLE,
    FigureFiles,
    method_colours,
    save_figure,
    seeds_text,
)
from videottt.report.tables.reading import read_metrics

GROUP = ["dataset", "task", "split"]
COLUMNS = 3
# Inches.
PANEL_WIDTH, LABEL_WIDTH, BAR_HEIGHT, MARGIN_HEIGHT = 3.1, 2.9, 0.27, 0.85
# Height of a bar, as a share of its row.
FILLED = 0.8

# Data set, task and split.
StreamSplit = tuple[str, str, str]


@matplotlib.rc_context(STYLE)
def bars_figure(
    table: pd.DataFrame,
    methods: Sequence[str],
    labels: Mapping[str, str],
    baseline: str | None = None,
) -> Figure:
    """Draw a bar for each method and split: mean over seeds, with their standard deviation.

    A panel shows the pooled headline metric of its task; a method that does not exist for the task
    has no bar in it.

    Args:
        table: tidy metrics as `scores.aggregate` makes them.
        methods: ids, from the top.
        labels: names to show of methods; a method without a name shows its id.
        baseline: method with a line across all bars at its mean; None draws no line.

    Raises:
        InputError: the table lacks a column or a method, or the baseline is not among the methods.
    """
    groups = _groups(table, methods)
    if baseline is not None and baseline not in methods:
        raise InputError(f"baseline: no method '{baseline}'; {nearest(baseline, methods)}")
    colours = method_colours(methods)
    rows = -(-len(groups) // COLUMNS)
    columns = -(-len(groups) // rows)
    width = max(6.5, LABEL_WIDTH + PANEL_WIDTH * columns)
    height = rows * (MARGIN_HEIGHT + BAR_HEIGHT * len(methods)) + 0.8
    figure = Figure(figsize=(width, height), layout="constrained")
    grid = figure.subplots(rows, columns, sharey=True, squeeze=False)
    for axes in grid.flat[len(groups) :]:
        axes.set_axis_off()
    for axes, (ids, values) in zip(grid.flat, groups.items(), strict=False):
        _panel(axes, values, [methods.index(method) for method in values.index], colours)
        if baseline in values.index:
            axes.axvline(
                values["mean"][baseline], color="0.15", linewidth=1, linestyle=(0, (4, 3)), zorder=3
            )
        axes.set_title(_heading(ids, list(groups)))
        axes.set_xlabel(metric_text(ids[1]))
    names = [textwrap.fill(labels.get(method, method), 46) for method in methods]
    grid[0, 0].set_yticks(range(len(methods)), names)
    grid[0, 0].set_ylim(len(methods) - 0.4, -0.6)
    _note(figure, groups, None if baseline is None else labels.get(baseline, baseline))
    return figure


def _groups(table: pd.DataFrame, methods: Sequence[str]) -> dict[StreamSplit, pd.DataFrame]:
    """Return (dataset, task, split) -> mean, std and count over seeds of each method."""
    pooled = pooled_values(table)
    known = set(pooled.method)
    for method in methods:
        if method not in known:
            raise InputError(
                f"metrics: no pooled metric of method '{method}'; {nearest(method, known)}"
            )
    pooled = pooled[pooled.method.isin(methods)]
    return {
        ids: rows.groupby("method", sort=False).value.agg(["mean", "std", "count"])
        for ids, rows in pooled.groupby(GROUP, sort=False)
    }


def pooled_values(table: pd.DataFrame) -> pd.DataFrame:
    """Return the pooled headline metrics of a table of metrics, in their unit.

    Args:
        table: tidy metrics as `scores.aggregate` makes them.

    Raises:
        InputError: the table lacks a column, has an unknown task, or no pooled headline metric.
    """
    missing = {*GROUP, "method", "seed", "aggregation", "metric", "value"} - set(table.columns)
    if missing:
        raise InputError(f"metrics: no column '{min(missing)}'; make them with 'aggregate'")
    headlines = {task: headline(task) for task in table.task.unique()}
    metric = table.task.map({task: line.pooled for task, line in headlines.items()})
    pooled = table[(table.aggregation == "pooled") & (table.metric == metric)]
    if pooled.empty:
        wanted = ", ".join(metric.unique()) or "metric"
        raise InputError(f"metrics: no pooled '{wanted}'; make them with 'aggregate'")
    scale = pooled.task.map({task: line.scale for task, line in headlines.items()})
    return pooled.assign(value=scale * pooled.value)


def metric_text(task: str) -> str:
    """Return the axis label of a task's pooled headline metric."""
    metric = headline(task)
    return f"pooled {metric.name} ({metric.unit})"


def _panel(
    axes: Axes,
    values: pd.DataFrame,
    places: Sequence[int],
    colours: Mapping[str, tuple[float, float, float]],
) -> None:
    mean, spread = values["mean"].to_numpy(), values["std"].to_numpy()
    rows = np.array(places)
    axes.barh(rows, mean, FILLED, color=[colours[method] for method in values.index])
    several = ~np.isnan(spread)
    axes.errorbar(
        mean[several], rows[several], xerr=spread[several],
        fmt="none", ecolor="0.2", elinewidth=1, capsize=2, zorder=4,
    )  # fmt: skip
    for place, value, beside in zip(rows, mean, spread, strict=True):
        known, end = not np.isnan(value), np.nansum([value, beside])
        text = f"{value:.1f}" + ("" if np.isnan(beside) else f" ± {beside:.1f}") if known else "–"
        axes.annotate(
            text,
            (end, place),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
            # A box, because the baseline's line may run behind the number.
            bbox={"boxstyle": "square,pad=0.1", "facecolor": "white", "edgecolor": "none"},
            zorder=5,
        )
    highest = np.nan_to_num(mean + np.nan_to_num(spread)).max()
    axes.set_xlim(0, 1.3 * highest if highest > 0 else 1)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x", color="0.9", linewidth=0.6)
    axes.set_axisbelow(True)


def _heading(ids: StreamSplit, every: Sequence[StreamSplit]) -> str:
    """Return data set and split, and the task if there are several tasks."""
    dataset, task, split = ids
    several = len({other[1] for other in every}) > 1
    return f"{dataset}, {split}" + (f", {task}" if several else "")


def _note(figure: Figure, groups: Mapping[StreamSplit, pd.DataFrame], baseline: str | None) -> None:
    seeds = seeds_text({count for rows in groups.values() for count in rows["count"]})
    parts = [seeds, None if baseline is None else f"dashed line: {baseline}"]
    if text := "; ".join(part for part in parts if part):
        figure.legend(handles=[], loc="outside lower center", title=text)


def plot_bars(
    metrics: Path,
    methods: Sequence[str],
    labels: Mapping[str, str],
    baseline: str | None,
    files: FigureFiles,
) -> None:
    """Plot the pooled metric of each method on each data set, task and split.

    Args:
        metrics: CSV of `aggregate`.
        methods: ids, in the order shown.
        labels: method -> name to show.
        baseline: method with a line across all bars at its mean; None draws no line.
        files: to write.

    Raises:
        InputError: the file is not a table of metrics, or lacks a method.
    """
    save_figure(bars_figure(read_metrics(metrics), methods, labels, baseline), files)
