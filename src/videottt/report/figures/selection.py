"""Draw the selection of hyper-parameters: the score of every trial of each method."""

import itertools
import textwrap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from videottt.core.errors import InputError
from videottt.evaluation.metrics import headline
from videottt.evaluation.selection import (
    COUNT,
    ITERATION,
    SELECTED,
    at_edge,
    number_of,
    ordered,
    settings_of,
    text_of,
)
from videottt.report.figures.style import STYLE, FigureFiles, save_figure, seeds_text

COLUMNS = 3
MARKERS = ("o", "s", "^", "D", "v", "P")
DASHES = ("-", (0, (4, 2)), (0, (1, 1.5)), (0, (5, 1.5, 1, 1.5)))
# Opacity of a line that differs from the chosen one in more than one setting.
FAINT = 0.25
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
    combination of the others. It names the settings of which the least or the largest value was
    chosen, where a better value may lie beyond the grid.

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
        _head(axes, textwrap.fill(labels.get(method, method), 42), at_edge(grid, settings))
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
    settings = settings_of(grid, metric)
    tried = [name for name in settings if name != ITERATION]
    if tried and not grid.duplicated(tried).any():
        settings = tried
    number = {name: len(ordered(grid[name])) for name in settings}
    varied = [name for name in settings if number[name] > 1]
    return sorted(varied, key=lambda name: (-number[name], name != ITERATION)) or settings[:1]


def _panel(axes: Axes, grid: pd.DataFrame, metric: str, settings: Sequence[str]) -> None:
    """Draw a line for each combination of all settings but the first, which is the axis.

    One of the other settings has line styles, a second one markers where there are three, and the
    combinations of the rest have colours, so that each can be followed through the others. Lines
    that differ from the chosen one in more than one setting are faint.
    """
    place = {value: number for number, value in enumerate(ordered(grid[settings[0]]))}
    coloured, marked, dashed = _encoded(grid, settings[1:])
    colours = _cycle(grid, coloured, _colours)
    markers = _cycle(grid, marked, lambda count: list(MARKERS[:count]))
    dashes = _cycle(grid, dashed, lambda count: list(DASHES[:count]))
    chosen = _combination(grid[grid[SELECTED]].iloc[0], settings[1:])
    for values, rows in _lines(grid, settings[1:]):
        x = np.array([place[text_of(value)] for value in rows[settings[0]]])
        order = x.argsort()
        one = rows.iloc[0]
        changes = sum(value != own for value, own in zip(values, chosen, strict=True))
        axes.plot(
            x[order], rows[metric].to_numpy()[order], color=colours[_combination(one, coloured)],
            marker=markers[_combination(one, marked)], markersize=4,
            linestyle=dashes[_combination(one, dashed)],
            # The line of the chosen trial stands out from what may be many.
            linewidth=1.0 if changes else 1.8, label=", ".join(values),
            alpha=FAINT if changes > 1 else None, zorder=1.5 if changes > 1 else 2,
        )  # fmt: skip
    axes.set_xticks(range(len(place)), list(place), rotation=45 if len(place) > 6 else 0)
    axes.set_xlabel(settings[0], fontsize=9)
    axes.margins(x=0.12, y=0.12)
    axes.grid(axis="y", color="0.9", linewidth=0.6)
    _key(axes, [
        *_handles(coloured, {value: {"color": of} for value, of in colours.items()}),
        *_handles(marked, {value: {"marker": of} for value, of in markers.items()}),
        *_handles(dashed, {value: {"linestyle": of} for value, of in dashes.items()}),
    ])  # fmt: skip


def _encoded(
    grid: pd.DataFrame, others: Sequence[str]
) -> tuple[Sequence[str], Sequence[str], Sequence[str]]:
    """Return the settings of colours, of markers and of line styles.

    Words have line styles: they have no order that colours could show.
    """
    few = [name for name in others if len(ordered(grid[name])) <= len(DASHES)]
    words = [name for name in few if any(number_of(value) is None for value in grid[name])]
    dashed = (words or few * (len(others) > 1))[-1:]
    rest = [name for name in others if name not in dashed]
    marked = [name for name in rest[1:] if len(ordered(grid[name])) <= len(MARKERS)][-1:]
    return [name for name in rest if name not in marked], marked, dashed


def _combination(row: pd.Series, settings: Sequence[str]) -> tuple[str, ...]:
    return tuple(text_of(row[setting]) for setting in settings)


def _lines(
    grid: pd.DataFrame, settings: Sequence[str]
) -> list[tuple[tuple[str, ...], pd.DataFrame]]:
    """Return the values of each combination of settings, and its trials."""
    texts = pd.Series([_combination(row, settings) for _, row in grid.iterrows()], grid.index)
    values = [ordered(grid[setting]) for setting in settings]
    present = set(texts)
    return [(each, grid[texts == each]) for each in itertools.product(*values) if each in present]


def _cycle(
    grid: pd.DataFrame, settings: Sequence[str], looks: Callable[[int], list[Any]]
) -> dict[tuple[str, ...], Any]:
    """Return the look of each combination of some settings; without any, that of all lines."""
    found = [values for values, _ in _lines(grid, settings)]
    return dict(zip(found, looks(len(found)), strict=True))


def _colours(count: int) -> list[Any]:
    # The last colours of the map are too pale on white.
    return [tuple(of) for of in matplotlib.colormaps["viridis"](np.linspace(0.1, 0.8, count))]


def _handles(
    settings: Sequence[str], looks: Mapping[tuple[str, ...], dict[str, Any]]
) -> list[Line2D]:
    """Return the keys of one kind of look; a number is named by its setting, a word by itself."""
    if not settings:
        return []
    names = [setting.rpartition(".")[2] for setting in settings]
    return [
        Line2D([], [], **{"color": "0.3", **look}, label=", ".join(
            text if number_of(text) is None else f"{name} {text}"
            for name, text in zip(names, values, strict=True)
        ))
        for values, look in looks.items()
    ]  # fmt: skip


def _key(axes: Axes, handles: Sequence[Line2D]) -> None:
    """Draw the keys below the axis, where they hide no line."""
    if handles:
        axes.legend(
            handles=handles, loc="upper center", bbox_to_anchor=(0.5, -0.25), ncols=2,
            fontsize=7.5, handlelength=1.8, frameon=False, columnspacing=1.0,
        )  # fmt: skip


def _mark(axes: Axes, grid: pd.DataFrame, scores: pd.Series, settings: Sequence[str]) -> None:
    """Ring the chosen trial."""
    chosen = grid[grid[SELECTED]].iloc[0]
    x = ordered(grid[settings[0]]).index(text_of(chosen[settings[0]]))
    axes.plot(x, scores[grid[SELECTED]].iloc[0], **_RING)


def _head(axes: Axes, name: str, on_edge: Sequence[str]) -> None:
    """Write the method, and below it the settings at the edge of the grid."""
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
    metric = headline(task).pooled
    read = {m: read_grid(path, metric) for m, path in zip(methods, grids, strict=True)}
    save_figure(selection_figure(read, task, labels), files)


def read_grid(path: Path, metric: str) -> pd.DataFrame:
    """Read a grid that `select` wrote; no word among its values is taken for a missing number.

    Raises:
        InputError: the file is absent, or is not a grid.
    """
    try:
        undefined = {metric: ["", "nan", "NaN"]}
        return pd.read_csv(path, na_values=undefined, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path}: not a grid of trials ({error}); make it again with 'select'"
        ) from None
