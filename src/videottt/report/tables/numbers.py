"""Every method of a table in numbers: ours over seeds, the paper's, and what each gains."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from videottt.core.errors import InputError
from videottt.evaluation.metrics import headline
from videottt.report.tables.layout import Layout
from videottt.report.tables.paper import PaperNumbers

# Every gain, ours and the paper's, is over this method: the fixed model without learning.
REFERENCE = "main_task_only"
PERCENT = 100.0
MIB = 1 / 2**20

# Metrics over the frames of a split, in all their forms, of whatever task.
_OVER_FRAMES = re.compile(r"[^:]+_(pooled|frames)(_gt_or_predicted)?")

# Columns: metric of `scores.aggregate` -> name in the table, unit factor.
COST = {
    name: (name, 1.0)
    for name in (
        "wall_time_load",
        "wall_time_adapt",
        "wall_time_adapt_reset",
        "wall_time_adapt_sample",
        "wall_time_adapt_forward",
        "wall_time_adapt_backward",
        "wall_time_adapt_optimizer",
        "wall_time_predict",
        "wall_time_write",
        "seconds_per_frame",
        "resets",
        "skipped_steps",
    )
} | {"frames": ("scored_frames", 1.0), "peak_memory_bytes": ("peak_memory_mib", MIB)}
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
        dataset, task, metric, setting, method, baseline, paper_seconds_per_frame, paper_slowdown,
        and for each split of `metrics` (``<split>_`` before the name): seeds; ``<name>_mean`` and
        ``<name>_std`` over seeds of these names: ``pooled`` and ``frames``, the two forms of the
        task's headline metric, which the column `metric` names, the id of every other metric over
        the split's frames (percent all), and those of `COST` (seconds a frame, counts, MiB);
        paper and minus_paper (ours less the paper's); gain_mean, gain_std, paper_gain and
        paper_claim over `REFERENCE`, and baseline_gain_mean ... over the row's baseline; slowdown
        (seconds a frame relative to `REFERENCE`); iteration_min and iteration_max over videos and
        seeds. Gains are taken seed by seed: both methods of one seed start from the same training.
        None is "there is no such number", such as a deviation of one seed or a metric of another
        task; NaN is a number that is not defined.

    Raises:
        InputError: `metrics` lacks a column, or has a task without a headline metric.
    """
    check_metrics(metrics)
    pooled = by_seed(metrics[metrics.aggregation == "pooled"])
    iterations = _iterations(metrics)
    splits, others = list(dict.fromkeys(metrics.split)), _other_metrics(metrics)
    present = set(metrics[["dataset", "task", "method"]].itertuples(index=False, name=None))
    rows = []
    for dataset, task in streams_of(metrics):
        for setting, method in layout.rows:
            if (dataset, task, method) not in present:
                continue
            baseline = layout.baselines.get(method)
            row: Row = {"dataset": dataset, "task": task, "metric": headline(task).name}
            row |= {"setting": setting, "method": method, "baseline": baseline}
            row["paper_seconds_per_frame"] = paper.wall_time.get(method)
            row["paper_slowdown"] = paper.slowdown(method, REFERENCE)
            for split in splits:
                ours = pooled.get((dataset, task, split), {})
                numbers = _quality(ours, task, method, others)
                numbers |= _beside_others(numbers, ours, (task, split), method, baseline, paper)
                found = iterations.get((dataset, task, split, method), [])
                numbers["iteration_min"] = min(found, default=None)
                numbers["iteration_max"] = max(found, default=None)
                row |= {f"{split}_{name}": value for name, value in numbers.items()}
            rows.append(row)
    # Objects, because None and NaN are different things here.
    return pd.DataFrame(rows, dtype=object)


def check_metrics(metrics: pd.DataFrame) -> None:
    """Refuse metrics that lack a column.

    Raises:
        InputError: they do.
    """
    missing = [name for name in IDS if name not in metrics]
    if missing:
        raise InputError(f"metrics: no column '{missing[0]}'; make them with 'aggregate'")


def percentages(metrics: pd.DataFrame) -> pd.DataFrame:
    """Return the metrics of the tasks that are scored in percent; others have tables of their own.

    Raises:
        InputError: `metrics` lacks a column, or there is no such task among its tasks.
    """
    check_metrics(metrics)
    tasks = [task for task in dict.fromkeys(metrics.task) if headline(task).unit == "%"]
    if not tasks:
        raise InputError(
            "metrics: of no task that is scored in percent; colorization is in table 3, which "
            "'colour-table' makes"
        )
    return metrics[metrics.task.isin(tasks)]


def streams_of(table: pd.DataFrame) -> list[tuple[str, str]]:
    """Return every (data set, task) that metrics or a main table are of, in their order."""
    return list(dict.fromkeys(zip(table.dataset, table.task, strict=True)))


def splits_of(table: pd.DataFrame) -> list[str]:
    """Return the splits that a main table has columns of."""
    return [name.removesuffix("_seeds") for name in table if name.endswith("_seeds")]


def without_metrics(metrics: pd.DataFrame, layout: Layout) -> list[str]:
    """Return the methods of a table that have no metrics, and therefore no row in a main table."""
    known = set(metrics.method)
    return [method for _, method in layout.rows if method not in known]


def by_seed(metrics: pd.DataFrame) -> dict[tuple[str, str, str], ByMethod]:
    """Return (dataset, task, split) -> (method, metric) -> seed -> value.

    Args:
        metrics: of one aggregation over the videos of a split.
    """
    found: dict[tuple[str, str, str], ByMethod] = {}
    for row in metrics.itertuples(index=False):
        numbers = found.setdefault((row.dataset, row.task, row.split), {})
        numbers.setdefault((row.method, row.metric), {})[row.seed] = row.value
    return found


def _other_metrics(metrics: pd.DataFrame) -> list[str]:
    """Return the metrics over frames that are no task's headline metric, in their order."""
    lines = [headline(task) for task in dict.fromkeys(metrics.task)]
    shown = {name for line in lines for name in (line.pooled, line.frames)}
    found = dict.fromkeys(metrics.metric)
    return [name for name in found if name not in shown and _OVER_FRAMES.fullmatch(name)]


def _iterations(metrics: pd.DataFrame) -> dict[tuple[str, str, str, str], list[float]]:
    """Return (dataset, task, split, method) -> iteration of every video and seed."""
    chosen = (metrics.aggregation == "video") & (metrics.metric == "iteration")
    # NaN says that a method is not an offline one.
    of_videos = metrics[chosen & metrics.value.notna()]
    groups = of_videos.groupby(["dataset", "task", "split", "method"]).value
    return {ids: list(values) for ids, values in groups}


def _quality(ours: ByMethod, task: str, method: str, others: Sequence[str]) -> Row:
    """Return mean and deviation over seeds of every metric of a method on one split."""
    line = headline(task)
    columns = {line.pooled: ("pooled", PERCENT), line.frames: ("frames", PERCENT)}
    columns |= {name: (name, PERCENT) for name in others}
    row: Row = {"seeds": len(ours.get((method, line.pooled), {})) or None}
    for metric, (name, factor) in {**columns, **COST}.items():
        values = ours.get((method, metric), {}).values()
        row[f"{name}_mean"], row[f"{name}_std"] = spread([v * factor for v in values])
    return row


def _beside_others(
    numbers: Row,
    ours: ByMethod,
    place: tuple[str, str],
    method: str,
    baseline: str | None,
    paper: PaperNumbers,
) -> Row:
    """Return how a method on one (task, split) compares with the paper and with other methods."""
    row: Row = {"paper": paper.value(*place, method)}
    row["minus_paper"] = _difference(numbers["pooled_mean"], row["paper"])
    row["slowdown"] = _slowdown(ours, method)
    metric = headline(place[0]).pooled
    for prefix, other in (("", REFERENCE), ("baseline_", baseline)):
        gains = (
            [] if other in (None, method) else differences(ours, (method, metric), (other, metric))
        )
        row[f"{prefix}gain_mean"], row[f"{prefix}gain_std"] = spread(gains)
        row[f"paper_{prefix}gain"] = paper.gain(*place, method, other) if other else None
        row[f"paper_{prefix}claim"] = paper.claims.get((*place, method, other)) if other else None
    return row


def differences(ours: ByMethod, one: tuple[str, str], other: tuple[str, str]) -> list[float]:
    """Return one (method, metric) less another in points, for each seed that has both."""
    values, base = ours.get(one, {}), ours.get(other, {})
    return [(values[seed] - base[seed]) * PERCENT for seed in values if seed in base]


def _slowdown(ours: ByMethod, method: str) -> float | None:
    values, base = (
        spread(list(ours.get((each, "seconds_per_frame"), {}).values()))[0]
        for each in (method, REFERENCE)
    )
    return None if values is None or not base else values / base


def spread(values: Sequence[float]) -> tuple[float | None, float | None]:
    """Return mean and standard deviation, with n - 1, of numbers; NaN if one of them is."""
    array = np.asarray(values, dtype=np.float64)
    mean = float(array.mean()) if array.size else None
    return mean, float(array.std(ddof=1)) if array.size > 1 else None


def _difference(value: float | None, other: float | None) -> float | None:
    return None if value is None or other is None else value - other
