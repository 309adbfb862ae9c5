"""Draw the paper's figure 4: the metric of a method against one of its settings."""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from videottt.core.errors import InputError, nearest
from videottt.report.figures.bars import GROUP, metric_text, pooled_values
from videottt.report.figures.style import (
    STYLE,
    FigureFiles,
    method_colours,
    save_figure,
    seeds_text,
)
from videottt.report.tables.reading import read_metrics

AXES = {
    "window": "window size k (frames)",
    "steps": "gradient steps per frame",
}
# (setting, value) -> what the method lacks with this value. It is no method of another name, whose
# settings may have been selected for itself.
WITHOUT = {("window", 1.0): "k = 1: no explicit memory"}
UNLIMITED = "all"
# Octaves between the largest number and `all`.
GAP = 1.4
COLUMNS = 3


@dataclass(frozen=True)
class Sweep:
    """One setting of one method, tried at several values.

    Attributes:
        method: id; its variants are ``<method>,<setting>=<value>``.
        setting: id, for example "window".
        base_value: the method's own value, a number or "all"; None: not among the values.
    """

    method: str
    setting: str
    base_value: str | None = None


@matplotlib.rc_context(STYLE)
def sweep_figure(
    table: pd.DataFrame, sweep: Sweep, fixed: Sequence[str], labels: Mapping[str, str]
) -> Figure:
    """Draw the pooled metric against a setting, on an axis in octaves, beside the fixed models.

    One panel for each data set, task and split, with the headline metric of the task. `all`, a
    window without a limit, stands right of the numbers.

    Args:
        table: tidy metrics as `scores.aggregate` makes them, of all variants and fixed models.
        sweep: the method and its setting.
        fixed: ids of the methods drawn as horizontal lines.
        labels: names to show of methods; a method without a name shows its id.

    Raises:
        InputError: the table lacks a column, a fixed model or the sweep, a value is neither a
            positive number nor "all", or a value occurs twice with one seed.
    """
    pooled = pooled_values(table)
    known = set(pooled.method)
    for method in fixed:
        if method not in known:
            raise InputError(f"metrics: no method '{method}'; {nearest(method, known)}")
    tried = _tried(pooled, sweep)
    groups = list(tried.groupby(GROUP, sort=False))
    colours = method_colours([sweep.method, *fixed])
    rows = -(-len(groups) // COLUMNS)
    columns = -(-len(groups) // rows)
    figure = Figure(figsize=(max(6.5, 4.6 * columns), 3.5 * rows + 0.6), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat[len(groups) :]:
        axes.set_axis_off()
    for axes, (ids, values) in zip(grid.flat, groups, strict=False):
        place = _places(values.setting)
        _curve(axes, values, place, colours[sweep.method], labels.get(sweep.method, sweep.method))
        for method in fixed:
            of_group = pooled[(pooled[GROUP] == list(ids)).all(axis=1) & (pooled.method == method)]
            if len(of_group):
                _level(axes, of_group, colours[method], labels.get(method, method))
        _marks(axes, values, place, sweep, labels.get(sweep.method, sweep.method))
        axes.set_title(", ".join((ids[0], ids[2], ids[1])))
        axes.set_ylabel(metric_text(ids[1]))
    _legend(figure, list(grid.flat[: len(groups)]), tried)
    return figure


def _tried(pooled: pd.DataFrame, sweep: Sweep) -> pd.DataFrame:
    """Return the rows of the method and its variants, with a column `setting`; inf = all."""
    prefix = f"{sweep.method},{sweep.setting}="
    own = pooled.method == sweep.method
    rows = pooled[own | pooled.method.str.startswith(prefix)]
    if rows.empty or rows.method.eq(sweep.method).all():
        raise InputError(
            f"metrics: no variant of '{sweep.method}' with another '{sweep.setting}'; "
            f"score one, named '{prefix}...', first"
        )
    if sweep.base_value is None and own.any():
        raise InputError(
            f"metrics: has '{sweep.method}' itself; give its {sweep.setting} with --base-value"
        )
    text = rows.method.str.removeprefix(prefix).where(rows.method != sweep.method, sweep.base_value)
    rows = rows.assign(setting=[_number(value, sweep.setting) for value in text])
    twice = rows[rows.duplicated([*GROUP, "seed", "setting"])]
    if not twice.empty:
        raise InputError(
            f"metrics: '{twice.method.iloc[0]}' and another method have the same {sweep.setting}; "
            "leave one of them out"
        )
    return rows


def _number(value: str, setting: str) -> float:
    if value == UNLIMITED:
        return np.inf
    try:
        number = float(value)
    except ValueError:
        number = np.nan
    if not 0 < number < np.inf:
        raise InputError(
            f"metrics: {setting}={value} is neither a positive number nor '{UNLIMITED}'; "
            "leave it out of the sweep"
        )
    return number


def _places(setting: pd.Series) -> dict[float, float]:
    """Return the place of each value in octaves; `all` stands right of the numbers."""
    numbers = sorted(value for value in set(setting) if np.isfinite(value))
    place = {value: float(np.log2(value)) for value in numbers}
    if np.inf in set(setting):
        place[np.inf] = max(place.values(), default=0.0) + GAP
    return place


def _curve(
    axes: Axes,
    values: pd.DataFrame,
    place: Mapping[float, float],
    colour: tuple[float, float, float],
    label: str,
) -> None:
    """Draw mean over seeds, standard deviation as a band, and each seed as a point."""
    seeds = values.groupby("setting").value.agg(["mean", "std", "count"])
    x, mean, spread = np.array([place[v] for v in seeds.index]), seeds["mean"], seeds["std"]
    limited = np.isfinite(seeds.index.to_numpy())
    axes.plot(x[limited], mean[limited], "o-", color=colour, linewidth=1.6, label=label)
    if not limited.all():
        axes.plot(x[-2:], mean[-2:], ":", color=colour, linewidth=1.2)
        axes.plot(x[-1], mean.iloc[-1], "o", color=colour)
    if seeds["count"].max() > 1:
        low, high = (mean - spread).to_numpy(), (mean + spread).to_numpy()
        axes.fill_between(
            x[limited], low[limited], high[limited], color=colour, alpha=0.15, linewidth=0
        )
        axes.vlines(x[~limited], low[~limited], high[~limited], color=colour, alpha=0.15, lw=8)
        points = values.setting.map(place)
        axes.plot(points, values.value, ".", color=colour, alpha=0.55, markersize=4)
    axes.set_xticks(
        list(place.values()), [f"{v:g}" if np.isfinite(v) else UNLIMITED for v in place]
    )


def _level(
    axes: Axes, values: pd.DataFrame, colour: tuple[float, float, float], label: str
) -> None:
    mean, spread = values.value.mean(), values.value.std()
    axes.axhline(mean, color=colour, linewidth=1.4, linestyle=(0, (5, 2)), label=label, zorder=1)
    if not np.isnan(spread):
        axes.axhspan(mean - spread, mean + spread, color=colour, alpha=0.1, linewidth=0, zorder=0)


def _marks(
    axes: Axes, values: pd.DataFrame, place: Mapping[float, float], sweep: Sweep, label: str
) -> None:
    """Mark the method's own value, what it lacks at a value, and the break before `all`."""
    means = values.groupby("setting").value.mean()
    own = None if sweep.base_value is None else _number(sweep.base_value, sweep.setting)
    if own is not None and own in means.index:
        axes.plot(
            place[own], means[own], "o", markersize=11, markerfacecolor="none",
            markeredgecolor="0.15", linestyle="none", label="value used elsewhere",
        )  # fmt: skip
    for (setting, value), lacks in WITHOUT.items():
        if setting == sweep.setting and value in means.index:
            note = textwrap.fill(f"{lacks}, every other setting as in {label}", 48)
            axes.text(0.01, 0.015, note, transform=axes.transAxes, fontsize=8, color="0.3")
    if np.inf in place and len(place) > 1:
        axes.axvline(place[np.inf] - GAP / 2, color="0.75", linewidth=0.8, linestyle=":")
    axes.set_xlabel(AXES.get(sweep.setting, sweep.setting))
    axes.margins(x=0.09, y=0.16)
    axes.grid(axis="y", color="0.9", linewidth=0.6)


def _legend(figure: Figure, panels: Sequence[Axes], tried: pd.DataFrame) -> None:
    """Draw one legend for all panels."""
    counts = tried.groupby([*GROUP, "setting"]).value.count()
    shown = [zip(*axes.get_legend_handles_labels(), strict=True) for axes in panels]
    handles = {name: handle for panel in shown for handle, name in panel}
    figure.legend(
        handles.values(),
        [textwrap.fill(name, 34) for name in handles],
        loc="outside lower center",
        ncols=min(4, len(handles)),
        title=seeds_text(counts, "line, band and points: mean, standard deviation and values"),
    )


def plot_sweep(
    metrics: Path,
    sweep: Sweep,
    fixed: Sequence[str],
    labels: Mapping[str, str],
    files: FigureFiles,
) -> None:
    """Plot the metric of a method against one of its settings, for example the window size.

    Args:
        metrics: CSV of `aggregate`.
        sweep: the method and its setting.
        fixed: ids of methods drawn as horizontal lines.
        labels: method -> name to show.
        files: to write.

    Raises:
        InputError: the file is not a table of metrics, or lacks the sweep.
    """
    save_figure(sweep_figure(read_metrics(metrics), sweep, fixed, labels), files)
