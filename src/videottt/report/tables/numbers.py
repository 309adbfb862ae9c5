"""Compute the numbers of a main table: metrics over seeds, the paper's numbers, and gains."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from videottt.core.errors import InputError
from videottt.evaluation.metrics import headline
from videottt.report.tables.layout import REFERENCE, Layout
from videottt.report.tables.paper import PaperNumbers

PERCENT = 100.0

# Metrics over the frames of a split, in all their forms, of any task.
_OVER_FRAMES = re.compile(r"[^:]+_(pooled|frames)(_gt_or_predicted)?")

IDS = ("dataset", "split", "task", "method", "seed", "aggregation", "video", "metric", "value")

# (method, metric) -> seed -> value.
ByMethod = dict[tuple[str, str], dict[int, float]]
Row = dict[str, Any]


def main_table(metrics: pd.DataFrame, layout: Layout, paper: PaperNumbers) -> pd.DataFrame:
    """Return one row for each data set, task and method that was run.

    Args:
        metrics: as `scores.aggregate` returns it.
        layout: methods and their order.
        paper: published numbers.

    Returns:
        dataset, task, metric, setting, method, start, control, baseline, and for each split of
        `metrics` (``<split>_`` before the name): seeds; ``<name>_mean`` and ``<name>_std`` over
        seeds of ``pooled`` and ``frames``, the two forms of the headline metric named in the column
        `metric` (in its unit: percent, or dB), of every other metric over the split's frames (in
        percent; of tasks that are scored so), and of ``scored_frames``; paper and minus_paper (ours
        less the paper's); gain_mean and gain_std over the row's control, or over `REFERENCE` where
        it has none, beside paper_gain and paper_claim, which are over `REFERENCE`; and
        start_gain_mean ... and baseline_gain_mean ... over the row's start and baseline. Gains are
        taken seed by seed, because both methods of one seed have the same draws. None: no such
        number, for example a deviation of one seed or a metric of another task. NaN: not defined.

    Raises:
        InputError: `metrics` lacks a column, or has a task without a headline metric.
    """
    check_metrics(metrics)
    pooled = by_seed(metrics[metrics.aggregation == "pooled"])
    splits = list(dict.fromkeys(metrics.split))
    others = _other_metrics(metrics[metrics.task.map(lambda task: headline(task).unit == "%")])
    present = set(metrics[["dataset", "task", "method"]].itertuples(index=False, name=None))
    rows = []
    for dataset, task in streams_of(metrics):
        for setting, method in layout.rows:
            if (dataset, task, method) not in present:
                continue
            row: Row = {"dataset": dataset, "task": task, "metric": headline(task).name}
            row |= {"setting": setting, "method": method, "start": layout.starts.get(method)}
            row |= {"control": layout.controls.get(method)}
            row |= {"baseline": layout.baselines.get(method)}
            for split in splits:
                ours = pooled.get((dataset, task, split), {})
                numbers = _quality(ours, task, method, others)
                numbers |= _beside_paper(numbers["pooled_mean"], (task, split), method, paper)
                numbers |= _gains(ours, (task, split), method, layout, paper)
                row |= {f"{split}_{name}": value for name, value in numbers.items()}
            rows.append(row)
    # dtype=object keeps None and NaN apart.
    return pd.DataFrame(rows, dtype=object)


def check_metrics(metrics: pd.DataFrame) -> None:
    """Check that metrics have every column.

    Raises:
        InputError: a column is missing.
    """
    missing = [name for name in IDS if name not in metrics]
    if missing:
        raise InputError(f"metrics: no column '{missing[0]}'; make them with 'aggregate'")


def percentages(metrics: pd.DataFrame) -> pd.DataFrame:
    """Return the metrics of the tasks scored in percent; other tasks have tables of their own.

    Raises:
        InputError: `metrics` lacks a column, or no task is scored in percent.
    """
    check_metrics(metrics)
    tasks = [task for task in dict.fromkeys(metrics.task) if headline(task).unit == "%"]
    if not tasks:
        raise InputError(
            "metrics: no task is scored in percent; make table 3, of colorization, with "
            "'colour-table'"
        )
    return metrics[metrics.task.isin(tasks)]


def streams_of(table: pd.DataFrame) -> list[tuple[str, str]]:
    """Return every (data set, task) of metrics or of a main table, in their order."""
    return list(dict.fromkeys(zip(table.dataset, table.task, strict=True)))


def splits_of(table: pd.DataFrame) -> list[str]:
    """Return the splits of a main table."""
    return [name.removesuffix("_seeds") for name in table if name.endswith("_seeds")]


def without_metrics(metrics: pd.DataFrame, layout: Layout) -> list[str]:
    """Return the methods of a table without metrics, which have no row in a main table."""
    known = set(metrics.method)
    return [method for _, method in layout.rows if method not in known]


def by_seed(metrics: pd.DataFrame) -> dict[tuple[str, str, str], ByMethod]:
    """Return (dataset, task, split) -> (method, metric) -> seed -> value.

    Args:
        metrics: of one aggregation over the videos of a split.
    """
    streams: dict[tuple[str, str, str], ByMethod] = {}
    for row in metrics.itertuples(index=False):
        numbers = streams.setdefault((row.dataset, row.task, row.split), {})
        numbers.setdefault((row.method, row.metric), {})[row.seed] = row.value
    return streams


def _other_metrics(metrics: pd.DataFrame) -> list[str]:
    """Return the metrics over frames that are not a task's headline metric, in their order."""
    lines = [headline(task) for task in dict.fromkeys(metrics.task)]
    shown = {name for line in lines for name in (line.pooled, line.frames)}
    names = dict.fromkeys(metrics.metric)
    return [name for name in names if name not in shown and _OVER_FRAMES.fullmatch(name)]


def _quality(ours: ByMethod, task: str, method: str, others: Sequence[str]) -> Row:
    """Return mean and deviation over seeds of every metric of a method on one split."""
    line = headline(task)
    columns = {line.pooled: ("pooled", line.scale), line.frames: ("frames", line.scale)}
    columns |= {name: (name, PERCENT) for name in others}
    row: Row = {"seeds": len(ours.get((method, line.pooled), {})) or None}
    columns["frames"] = ("scored_frames", 1.0)
    for metric, (name, factor) in columns.items():
        values = ours.get((method, metric), {}).values()
        row[f"{name}_mean"], row[f"{name}_std"] = spread([v * factor for v in values])
    return row


def _beside_paper(
    value: float | None, place: tuple[str, str], method: str, paper: PaperNumbers
) -> Row:
    """Return the paper's number of a method on one (task, split), and ours less it."""
    published = paper.value(*place, method)
    return {"paper": published, "minus_paper": _difference(value, published)}


def _gains(
    ours: ByMethod, place: tuple[str, str], method: str, layout: Layout, paper: PaperNumbers
) -> Row:
    """Return the gains of a method on one (task, split), ours and the paper's."""
    metric = headline(place[0]).pooled
    start, baseline = layout.starts.get(method), layout.baselines.get(method)
    # Prefix -> the method that our gain is over, and that of the paper's.
    over: dict[str, tuple[str | None, str | None]]
    over = {"": (layout.reference(method), REFERENCE)}
    over |= {"start_": (start, start), "baseline_": (baseline, baseline)}
    row: Row = {}
    for prefix, (other, theirs) in over.items():
        gains = (
            []
            if other in (None, method)
            else differences(ours, (method, metric), (other, metric), headline(place[0]).scale)
        )
        row[f"{prefix}gain_mean"], row[f"{prefix}gain_std"] = spread(gains)
        row[f"paper_{prefix}gain"] = paper.gain(*place, method, theirs) if theirs else None
        row[f"paper_{prefix}claim"] = paper.claims.get((*place, method, theirs)) if theirs else None
    return row


def differences(
    ours: ByMethod, one: tuple[str, str], other: tuple[str, str], scale: float = PERCENT
) -> list[float]:
    """Return one (method, metric) less another, times `scale`, for each seed that has both."""
    values, base = ours.get(one, {}), ours.get(other, {})
    return [(values[seed] - base[seed]) * scale for seed in values if seed in base]


def spread(values: Sequence[float]) -> tuple[float | None, float | None]:
    """Return mean and standard deviation (n - 1) of numbers, NaN if one of them is NaN."""
    array = np.asarray(values, dtype=np.float64)
    mean = float(array.mean()) if array.size else None
    return mean, float(array.std(ddof=1)) if array.size > 1 else None


def _difference(value: float | None, other: float | None) -> float | None:
    return None if value is None or other is None else value - other
