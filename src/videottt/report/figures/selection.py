"""Draw the selection of hyper-parameters: the score of every trial of each method."""

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
import seaborn
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from videottt.core.errors import InputError
from videottt.evaluation.metrics import headline
from videottt.report.figures.style import STYLE, FigureFiles, save_figure, seeds_text

COLUMNS = 3
# Columns of a grid that are neither a setting nor the metric.
COUNT, SELECTED = "seeds", "selected"
# Column of offline methods: the scored iteration.
ITERATION = "iteration"
NONE = "none"
_RING: dict[str, Any] = {
    "marker": "o",
    "markersize": 11,
    "markerfacecolor": "none",
    "markeredgecolor": "#b2182b",
    "markeredgewidth": 1.6,
    "linestyle": "none",
}


@matplotlib.rc_context(STYLE)
def selection_figure(
    grids: Mapping[str, pd.DataFrame], task: str, labels: Mapping[str, str]
) -> Figure:
    """Draw the score of every trial of every method, and mark the chosen trial.

    A panel has the values of one setting along its axis, equally spaced, and a line for each
    combination of the others. It names the settings of which the first or last value was chosen,
    because a better value may lie beyond the grid.

    Args:
        grids: method id -> trials, one a row: a column for each setting, the pooled headline metric
            of the task, `seeds`, and the bool `selected`, true once.
        task: the task of the maximised metric.
        labels: names to show of methods; a method without a name shows its id.

    Raises:
        InputError: a grid lacks a column or has not exactly one chosen trial, or the task is
            unknown.
    """
    maximised = headline(task)
    metric = maximised.pooled
    for method, grid in grids.items():
        _check(method, grid, metric)
    columns = min(len(grids), COLUMNS)
    rows = -(-len(grids) // columns)
    figure = Figure(figsize=(max(6.5, 3.5 * columns), 3.1 * rows + 0.3), layout="constrained")
    panels = figure.subplots(rows, columns, sharey=True, squeeze=False)
    for axes in panels.flat[len(grids) :]:
        axes.set_axis_off()
    for axes, (method, grid) in zip(panels.flat, grids.items(), strict=False):
        settings = varied_settings(grid, metric)
        scores = maximised.scale * grid[metric]
        _panel(axes, grid.assign(**{metric: scores}), metric, settings)
        _mark(axes, grid, scores, settings)
        _head(axes, textwrap.fill(labels.get(method, method), 42), edges(grid, settings))
    figure.supylabel(f"{metric} ({maximised.unit}) on the validation videos", fontsize=10)
    seeds = seeds_text({count for grid in grids.values() for count in grid[COUNT]}, "mean")
    figure.legend(
        handles=[Line2D([], [], label="chosen", **_RING)], loc="outside lower center", title=seeds
    )
    return figure


def _check(method: str, grid: pd.DataFrame, metric: str) -> None:
    for column in (metric, COUNT, SELECTED):
        if column not in grid:
            raise InputError(
                f"selection of '{method}': no column '{column}'; make it again with 'select'"
            )
    for column in (metric, COUNT):
        if not pd.api.types.is_numeric_dtype(grid[column]):
            raise InputError(
                f"selection of '{method}': not every '{column}' is a number; make it again with "
                "'select'"
            )
    if grid.columns.isin((metric, COUNT, SELECTED)).all():
        raise InputError(
            f"selection of '{method}': no column of a setting; make it again with 'select'"
        )
    chosen = int(grid[SELECTED].sum())
    if chosen != 1:
        raise InputError(
            f"selection of '{method}': {chosen} trials are chosen, not one; make it again with "
            "'select'"
        )


def varied_settings(grid: pd.DataFrame, metric: str) -> list[str]:
    """Return the settings that a grid varies; the first is for the axis of a figure.

    The first is the setting with the most values; among equals, the iteration, or else the first
    column. Settings with one value are left out, unless all have one. `iteration` counts only
    where trials differ in nothing else; elsewhere it is a result of a trial.

    Args:
        grid: trials, one a row, with at least one column of a setting.
        metric: column of the score.
    """
    settings = [name for name in grid.columns if name not in (metric, COUNT, SELECTED)]
    tried = [name for name in settings if name != ITERATION]
    if tried and not grid.duplicated(tried).any():
        settings = tried
    number = {name: len(_values(grid[name])) for name in settings}
    varied = [name for name in settings if number[name] > 1]
    return sorted(varied, key=lambda name: (-number[name], name != ITERATION)) or settings[:1]


def edges(grid: pd.DataFrame, settings: Sequence[str]) -> list[str]:
    """Return the settings of which the chosen trial has the least or the largest number tried.

    Args:
        grid: trials, one a row, with a bool column `selected` that is true once.
        settings: columns; a column with a single value, or of words, has no edge.
    """
    chosen = grid[grid[SELECTED]].iloc[0]
    on_edge = []
    for setting in settings:
        values = _values(grid[setting])
        ends = (values[0], values[-1])
        if _numbers(grid[setting]) and len(values) > 1 and _text(chosen[setting]) in ends:
            on_edge.append(setting)
    return on_edge


def _numbers(column: pd.Series) -> bool:
    return not pd.to_numeric(column, errors="coerce").isna().any()


def _values(column: pd.Series) -> list[str]:
    """Return the values of a setting as text: numbers ascending, words in order of appearance."""
    unique = column.drop_duplicates()
    if _numbers(unique):
        unique = unique.loc[pd.to_numeric(unique).sort_values().index]
    return [_text(value) for value in unique]


def _text(value: object) -> str:
    if isinstance(value, float):
        return NONE if np.isnan(value) else f"{value:g}"
    return str(value)


def _panel(axes: Axes, grid: pd.DataFrame, metric: str, settings: Sequence[str]) -> None:
    """Draw a line for each combination of all settings but the first, which is the axis."""
    along, others = settings[0], list(settings[1:])
    place = {value: number for number, value in enumerate(_values(grid[along]))}
    lines = list(grid.groupby(others, dropna=False)) if others else [((), grid)]
    # The palette's last colours are too pale on white.
    colours = seaborn.color_palette("viridis", round(1.25 * len(lines)) + 1)
    for (values, rows), colour in zip(lines, colours, strict=False):
        x = np.array([place[_text(value)] for value in rows[along]])
        order = x.argsort()
        axes.plot(
            x[order], rows[metric].to_numpy()[order], "o-", color=colour, markersize=4,
            linewidth=1.4, label=", ".join(map(_text, values)),
        )  # fmt: skip
    axes.set_xticks(range(len(place)), place, rotation=45 if len(place) > 6 else 0)
    axes.set_xlabel(along, fontsize=9)
    axes.margins(x=0.12, y=0.12)
    axes.grid(axis="y", color="0.9", linewidth=0.6)
    if others:
        axes.legend(
            title=",\n".join(others), fontsize=7.5, title_fontsize=7.5, handlelength=1.4,
            frameon=True, framealpha=0.7, edgecolor="none",
        )  # fmt: skip


def _mark(axes: Axes, grid: pd.DataFrame, scores: pd.Series, settings: Sequence[str]) -> None:
    """Ring the chosen trial."""
    chosen = grid[grid[SELECTED]].iloc[0]
    x = _values(grid[settings[0]]).index(_text(chosen[settings[0]]))
    axes.plot(x, scores[grid[SELECTED]].iloc[0], **_RING)


def _head(axes: Axes, name: str, on_edge: Sequence[str]) -> None:
    """Write the method, and below it the settings whose first or last value was chosen."""
    names = " and ".join(setting.rpartition(".")[2] for setting in on_edge)
    note = textwrap.fill(f"at the edge of {names}", 46) if on_edge else ""
    lines = note.count("\n") + 1 if note else 0
    axes.set_title(name, fontsize=10, pad=5 + 9.5 * lines)
    axes.annotate(
        note, (0.5, 1), xycoords="axes fraction", xytext=(0, 3), textcoords="offset points",
        ha="center", va="bottom", fontsize=7.5, color="#b2182b",
    )  # fmt: skip


def plot_selection(
    grids: Sequence[Path],
    methods: Sequence[str],
    task: str,
    labels: Mapping[str, str],
    files: FigureFiles,
) -> None:
    """Plot the trials by which the hyper-parameters of each method were selected.

    Args:
        grids: CSV of `select`, one a method.
        methods: ids, in the order of the grids.
        task: the task of the maximised metric.
        labels: method -> name to show.
        files: to write.

    Raises:
        InputError: there are more or fewer grids than methods, or a file is not a grid.
    """
    if len(grids) != len(methods):
        raise InputError(
            f"plot-selection: {len(grids)} grids for {len(methods)} methods; give one a method, in "
            "the same order"
        )
    read = {method: _read_grid(path) for method, path in zip(methods, grids, strict=True)}
    save_figure(selection_figure(read, task, labels), files)


def _read_grid(path: Path) -> pd.DataFrame:
    try:
        return pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path}: not a grid of trials ({error}); make it again with 'select'"
        ) from None
