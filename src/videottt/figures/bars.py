"""The paper's figure 2: pooled mean IoU of each method, in groups by split."""

from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from videottt.errors import InputError, nearest
from videottt.figures.style import STYLE, method_colours

METRIC = "miou_pooled"
GROUP = ["dataset", "task", "split"]
# Share of a group's width that its bars fill.
FILLED = 0.86


@matplotlib.rc_context(STYLE)
def bars_figure(table: pd.DataFrame, methods: Sequence[str], labels: Mapping[str, str]) -> Figure:
    """Draw a bar for each method and split: the mean over seeds, with their standard deviation.

    Args:
        table: tidy metrics as `scores.aggregate` makes them.
        methods: ids, in the order of the bars.
        labels: names to show of methods; one without a name shows its id.

    Raises:
        InputError: the table lacks a column or a method.
    """
    groups = _groups(table, methods)
    colours = method_colours(methods)
    bars = len(groups) * len(methods)
    width = float(np.clip(1 + 0.52 * bars, 6.5, 10.5))
    figure = Figure(figsize=(width, 3.9), layout="constrained")
    axes = figure.subplots()
    step = FILLED / len(methods)
    # Where a bar is narrower than its number, the number stands upright.
    upright = (width - 1) / len(groups) * step < 0.3
    for place, method in enumerate(methods):
        x = np.arange(len(groups)) + (place - (len(methods) - 1) / 2) * step
        rows = [
            values.loc[method] if method in values.index else None for values in groups.values()
        ]
        mean = np.array([np.nan if row is None else row["mean"] for row in rows])
        spread = np.array([np.nan if row is None else row["std"] for row in rows])
        axes.bar(x, mean, step * 0.92, color=colours[method], label=labels.get(method, method))
        several = ~np.isnan(spread)
        axes.errorbar(
            x[several], mean[several], spread[several],
            fmt="none", ecolor="0.2", elinewidth=1, capsize=2.5,
        )  # fmt: skip
        _numbers(axes, x, mean, np.nan_to_num(spread), upright)
    _axes(axes, list(groups), groups)
    figure.legend(loc="outside lower center", ncols=min(3, len(methods)), title=_title(groups))
    return figure


def _groups(table: pd.DataFrame, methods: Sequence[str]) -> dict[tuple, pd.DataFrame]:
    """Return, for each (dataset, task, split), mean, std and count over seeds of each method."""
    missing = {*GROUP, "method", "aggregation", "metric", "value"} - set(table.columns)
    if missing:
        raise InputError(f"metrics: no column '{min(missing)}'; make them with 'aggregate'")
    pooled = table[(table.aggregation == "pooled") & (table.metric == METRIC)]
    known = set(pooled.method)
    for method in methods:
        if method not in known:
            raise InputError(
                f"metrics: no '{METRIC}' of method '{method}'; {nearest(method, known)}"
            )
    pooled = pooled[pooled.method.isin(methods)].assign(value=100 * pooled.value)
    return {
        ids: rows.groupby("method").value.agg(["mean", "std", "count"])
        for ids, rows in pooled.groupby(GROUP, sort=False)
    }


def _numbers(
    axes: Axes, x: np.ndarray, mean: np.ndarray, spread: np.ndarray, upright: bool
) -> None:
    for place, value, above in zip(x, mean, spread, strict=True):
        known = not np.isnan(value)
        axes.annotate(
            f"{value:.1f}" if known else "–",
            (place, value + above if known else 0),
            xytext=(0, 2.5),
            textcoords="offset points",
            ha="center",
            va="bottom",
            fontsize=8,
            rotation=90 if upright else 0,
        )


def _axes(axes: Axes, ids: list[tuple], groups: dict[tuple, pd.DataFrame]) -> None:
    several = [len({each[part] for each in ids}) > 1 for part in range(len(GROUP))]
    # The split always; data set and task only where they tell groups apart.
    several[-1] = True
    names = ["\n".join(each[part] for part in (2, 0, 1) if several[part]) for each in ids]
    highest = max((rows["mean"] + rows["std"].fillna(0)).max() for rows in groups.values())
    axes.set_xticks(range(len(ids)), names)
    axes.tick_params(axis="x", length=0)
    axes.set_xlim(-0.5, len(ids) - 0.5)
    axes.set_ylim(0, 1.12 * highest if highest > 0 else 1)
    axes.set_ylabel("pooled mIoU (%)")
    axes.grid(axis="y", color="0.9", linewidth=0.6)
    axes.set_axisbelow(True)
    if not several[0]:
        axes.set_title(ids[0][0])


def _title(groups: dict[tuple, pd.DataFrame]) -> str | None:
    seeds = {int(count) for rows in groups.values() for count in rows["count"]}
    if seeds == {1}:
        return None
    number = f"{min(seeds)}" if len(seeds) == 1 else f"{min(seeds)} to {max(seeds)}"
    return f"mean and standard deviation over {number} seeds"
