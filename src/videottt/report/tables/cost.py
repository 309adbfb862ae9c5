"""Tabulate the costs of each method: seconds a frame, memory, resets and iterations."""

import math
from collections.abc import Mapping, Sequence

import pandas as pd

from videottt.core.errors import InputError
from videottt.report.tables.caption import MORE, spread_text
from videottt.report.tables.layout import REFERENCE
from videottt.report.tables.numbers import (
    ByMethod,
    Row,
    by_seed,
    check_metrics,
    spread,
    streams_of,
)
from videottt.report.tables.sheets import (
    ABSENT,
    Sheet,
    cells_of,
    range_of,
    sheet_of,
    spreads_of,
    with_second,
)

TITLE = "Costs: seconds a frame and memory"
SECONDS = "seconds_per_frame"
MIB = 1 / 2**20

# Metric of `scores.aggregate` -> name in the table, unit factor.
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
        SECONDS,
        "wall_time_score",
        "resets",
        "skipped_steps",
    )
} | {
    "peak_memory_bytes": ("peak_memory_mib", MIB),
    "peak_gpu_memory_bytes": ("peak_gpu_memory_mib", MIB),
}


def cost_table(
    metrics: pd.DataFrame, methods: Sequence[str], published: Mapping[str, float]
) -> pd.DataFrame:
    """Return the costs of every method: one row for each data set, task, split and method.

    Args:
        metrics: as `scores.aggregate` returns it.
        methods: ids in the order of rows; a method that does not exist for a task has no row there.
        published: method id -> the paper's seconds a frame.

    Returns:
        dataset, task, split, method, seeds; ``<name>_mean`` and ``<name>_std`` over seeds of each
        name in `COST` (seconds a frame, of a scored frame for wall_time_score; counts; MiB);
        slowdown (seconds a frame relative to `REFERENCE`); iteration_min and iteration_max over
        videos and seeds; paper_seconds_per_frame and paper_slowdown. None: no such number, for
        example the memory of a GPU where there is none.

    Raises:
        InputError: `metrics` lacks a column, or has none of the methods.
    """
    check_metrics(metrics)
    pooled = by_seed(metrics[metrics.aggregation == "pooled"])
    iterations = _iterations(metrics)
    rows: list[Row] = []
    for stream in streams_of(metrics):
        for ids, ours in pooled.items():
            if ids[:2] != stream:
                continue
            for method in methods:
                if (method, SECONDS) not in ours:
                    continue
                row: Row = dict(zip(("dataset", "task", "split"), ids, strict=True))
                row |= {"method": method, **_costs(ours, method)}
                scored = iterations.get((*ids, method), [])
                row["iteration_min"] = min(scored, default=None)
                row["iteration_max"] = max(scored, default=None)
                row["paper_seconds_per_frame"] = published.get(method)
                row["paper_slowdown"] = _ratio(published.get(method), published.get(REFERENCE))
                rows.append(row)
    if not rows:
        raise InputError("metrics: no costs of any of the methods; score one first")
    # dtype=object keeps None and NaN apart.
    return pd.DataFrame(rows, dtype=object)


def _iterations(metrics: pd.DataFrame) -> dict[tuple[str, str, str, str], list[float]]:
    """Return (dataset, task, split, method) -> iteration of every video and seed."""
    chosen = (metrics.aggregation == "video") & (metrics.metric == "iteration")
    # NaN marks a method that is not an offline one.
    of_videos = metrics[chosen & metrics.value.notna()]
    groups = of_videos.groupby(["dataset", "task", "split", "method"]).value
    return {ids: list(values) for ids, values in groups}


def _costs(ours: ByMethod, method: str) -> Row:
    row: Row = {"seeds": len(ours[method, SECONDS])}
    for metric, (name, factor) in COST.items():
        values = ours.get((method, metric), {}).values()
        # A cost that was not measured is NaN, but none is undefined.
        known = [value * factor for value in values if not math.isnan(value)]
        row[f"{name}_mean"], row[f"{name}_std"] = spread(known)
    reference, _ = spread(list(ours.get((REFERENCE, SECONDS), {}).values()))
    row["slowdown"] = _ratio(row[f"{SECONDS}_mean"], reference)
    return row


def _ratio(value: float | None, base: float | None) -> float | None:
    return None if value is None or not base else value / base


def cost_sheets(table: pd.DataFrame, labels: Mapping[str, str]) -> list[Sheet]:
    """Return a cost table as text, a sheet for each data set, task and split.

    Args:
        table: of `cost_table`.
        labels: names to show of methods; a method without a name shows its id.
    """
    sheets = []
    for (dataset, task, split), rows in table.groupby(["dataset", "task", "split"], sort=False):
        columns = {"Method": [labels.get(method, method) for method in rows.method]}
        for phase in ("load", "adapt", "predict"):
            columns[phase] = cells_of(rows, f"wall_time_{phase}_mean", ".3f")
        columns["total (paper)"] = with_second(
            spreads_of(rows, SECONDS, ".3f"), cells_of(rows, f"paper_{SECONDS}", ".1f")
        )
        columns["slowdown (paper)"] = with_second(
            cells_of(rows, "slowdown", ".1f"), cells_of(rows, "paper_slowdown", ".1f")
        )
        columns["score"] = cells_of(rows, "wall_time_score_mean", ".4f")
        columns["peak MiB"] = cells_of(rows, "peak_memory_mib_mean", ".0f")
        columns["peak GPU MiB"] = cells_of(rows, "peak_gpu_memory_mib_mean", ".0f")
        columns["resets"] = cells_of(rows, "resets_mean", ".4g")
        columns["skipped steps"] = cells_of(rows, "skipped_steps_mean", ".4g")
        bounds = rows[["iteration_min", "iteration_max"]].itertuples(index=False)
        columns["iteration"] = [range_of(list(pair)) for pair in bounds]
        sheets.append(sheet_of(columns, [""] * len(rows), f"{dataset}, {task}, {split}"))
    return sheets


def cost_caption(table: pd.DataFrame) -> str:
    """Return how to read a cost table."""
    sentences = [
        f"Wall time in seconds a frame on the machine of this run, {spread_text(table.seeds)}.",
        "adapt: all that learns from a frame. total: adapt and predict.",
        f"slowdown: total over that of Main Task Only. {ABSENT}: not published or not measured.",
    ]
    if table.paper_seconds_per_frame.notna().any():
        sentences.append("Paper: one A100, KITTI-STEP.")
    if table.wall_time_score_mean.notna().any():
        sentences.append("score: of a scored frame.")
    if table.peak_memory_mib_mean.notna().any():
        sentences.append("peak MiB: of the process.")
    if table.peak_gpu_memory_mib_mean.notna().any():
        sentences.append("peak GPU MiB: allocated on the GPU.")
    if any(table.resets_mean):
        sentences.append("resets: by class balance, summed over videos.")
    if table.iteration_max.notna().any():
        sentences.append(
            "iteration: the one scored; our total of offline methods contains their training, the "
            "paper's does not."
        )
    return " ".join([*sentences, MORE])
