"""Every method of a table in numbers: ours over seeds, the paper's, and what each gains."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from videottt.errors import InputError
from videottt.tables.layout import Layout
from videottt.tables.paper import PaperNumbers

# Every gain, ours and the paper's, is over this method: the fixed model without learning.
REFERENCE = "main_task_only"
PERCENT = 100.0
MIB = 1 / 2**20

# Columns: metric of `scores.aggregate` -> name in the table, unit factor.
MIOU = {
    name: (name, PERCENT)
    for name in (
        "miou_pooled",
        "miou_pooled_gt_or_predicted",
        "miou_frames",
        "miou_frames_gt_or_predicted",
    )
}
COST = {
    name: (name, 1.0)
    for name in (
        "seconds_load",
        "seconds_adapt",
        "seconds_adapt_reset",
        "seconds_adapt_sample",
        "seconds_adapt_forward",
        "seconds_adapt_backward",
        "seconds_adapt_optimizer",
        "seconds_predict",
        "seconds_write",
        "seconds_per_frame",
        "resets",
        "skipped_steps",
        "frames",
    )
} | {"peak_memory_bytes": ("peak_memory_mib", MIB)}
IDS = ("dataset", "split", "task", "method", "seed", "aggregation", "video", "metric", "value")

BySeed = dict[int, float]
Row = dict[str, Any]


def main_table(metrics: pd.DataFrame, layout: Layout, paper: PaperNumbers) -> pd.DataFrame:
    """Return one row for each data set, task and method that was run.

    Args:
        metrics: as `scores.aggregate` returns it.
        layout: methods and their order.
        paper: published numbers.

    Returns:
        dataset, task, setting, method, baseline, paper_seconds_per_frame, paper_slowdown, and for
        each split of `metrics` (``<split>_`` before the name): seeds; ``<name>_mean`` and
        ``<name>_std`` over seeds of every name in `MIOU` (percent) and `COST` (seconds a frame,
        counts, MiB); paper_miou and minus_paper (ours less the paper's); gain_mean, gain_std,
        paper_gain and paper_claim over `REFERENCE`, and baseline_gain_mean ... over the row's
        baseline; slowdown (seconds a frame relative to `REFERENCE`); iteration_min and
        iteration_max over videos and seeds. Gains are taken seed by seed: both methods of one
        seed start from the same training. None is "there is no such number", such as a deviation
        of one seed; NaN is a number that is not defined.

    Raises:
        InputError: `metrics` lacks a column.
    """
    missing = [name for name in IDS if name not in metrics]
    if missing:
        raise InputError(f"metrics: no column '{missing[0]}'; make them with 'aggregate'")
    pooled = _by_seed(metrics[metrics.aggregation == "pooled"])
    iterations = _iterations(metrics)
    splits = list(dict.fromkeys(metrics.split))
    present = set(metrics[["dataset", "task", "method"]].itertuples(index=False, name=None))
    rows = []
    for dataset, task in dict.fromkeys(zip(metrics.dataset, metrics.task, strict=True)):
        for setting, method in layout.rows:
            if (dataset, task, method) not in present:
                continue
            baseline = layout.baselines.get(method)
            row = {"dataset": dataset, "task": task, "setting": setting, "method": method}
            row |= {"baseline": baseline}
            row["paper_seconds_per_frame"] = paper.seconds.get(method)
            row["paper_slowdown"] = paper.slowdown(method, REFERENCE)
            for split in splits:
                ours = pooled.get((dataset, task, split), {})
                numbers = _of_split(ours, split, method, baseline, paper)
                found = iterations.get((dataset, task, split, method), [])
                numbers["iteration_min"] = min(found, default=None)
                numbers["iteration_max"] = max(found, default=None)
                row |= {f"{split}_{name}": value for name, value in numbers.items()}
            rows.append(row)
    # Objects, because None and NaN are different things here.
    return pd.DataFrame(rows, dtype=object)


def splits_of(table: pd.DataFrame) -> list[str]:
    """Return the splits that a main table has columns of."""
    return [name.removesuffix("_seeds") for name in table if name.endswith("_seeds")]


def without_metrics(metrics: pd.DataFrame, layout: Layout) -> list[str]:
    """Return the methods of a table that have no metrics, and therefore no row."""
    known = set(metrics.method)
    return [method for _, method in layout.rows if method not in known]


def _by_seed(pooled: pd.DataFrame) -> dict[tuple, dict[tuple[str, str], BySeed]]:
    """Return (dataset, task, split) -> (method, metric) -> seed -> value."""
    found: dict[tuple, dict[tuple[str, str], BySeed]] = {}
    for row in pooled.itertuples(index=False):
        numbers = found.setdefault((row.dataset, row.task, row.split), {})
        numbers.setdefault((row.method, row.metric), {})[row.seed] = row.value
    return found


def _iterations(metrics: pd.DataFrame) -> dict[tuple, list[float]]:
    """Return (dataset, task, split, method) -> iteration of every video and seed."""
    chosen = (metrics.aggregation == "video") & (metrics.metric == "iteration")
    # NaN says that a method is not an offline one.
    of_videos = metrics[chosen & metrics.value.notna()]
    groups = of_videos.groupby(["dataset", "task", "split", "method"]).value
    return {ids: list(values) for ids, values in groups}


def _of_split(
    ours: dict[tuple[str, str], BySeed],
    split: str,
    method: str,
    baseline: str | None,
    paper: PaperNumbers,
) -> Row:
    miou = ours.get((method, "miou_pooled"), {})
    row: Row = {"seeds": len(miou) or None}
    for metric, (name, factor) in {**MIOU, **COST}.items():
        values = ours.get((method, metric), {}).values()
        row[f"{name}_mean"], row[f"{name}_std"] = _spread([v * factor for v in values])
    row["paper_miou"] = published = paper.miou.get((split, method))
    row["minus_paper"] = _difference(row["miou_pooled_mean"], published)
    row["slowdown"] = _slowdown(ours, method)
    for prefix, other in (("", REFERENCE), ("baseline_", baseline)):
        gains = _gains(ours, method, other)
        row[f"{prefix}gain_mean"], row[f"{prefix}gain_std"] = _spread(gains)
        row[f"paper_{prefix}gain"] = paper.gain(split, method, other) if other else None
        row[f"paper_{prefix}claim"] = paper.claims.get((split, method, other))
    return row


def _gains(ours: dict[tuple[str, str], BySeed], method: str, other: str | None) -> list[float]:
    if other in (None, method):
        return []
    values, base = (ours.get((each, "miou_pooled"), {}) for each in (method, other))
    return [(values[seed] - base[seed]) * PERCENT for seed in values if seed in base]


def _slowdown(ours: dict[tuple[str, str], BySeed], method: str) -> float | None:
    values, base = (
        _spread(list(ours.get((each, "seconds_per_frame"), {}).values()))[0]
        for each in (method, REFERENCE)
    )
    return None if values is None or not base else values / base


def _spread(values: Sequence[float]) -> tuple[float | None, float | None]:
    """Return mean and standard deviation, with n - 1, of numbers; NaN if one of them is."""
    array = np.asarray(values, dtype=np.float64)
    mean = float(array.mean()) if array.size else None
    return mean, float(array.std(ddof=1)) if array.size > 1 else None


def _difference(value: float | None, other: float | None) -> float | None:
    return None if value is None or other is None else value - other
