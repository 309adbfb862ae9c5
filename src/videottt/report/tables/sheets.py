"""A main table as text for people: labels, mean ± deviation, the paper's numbers."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from videottt.report.tables.layout import Layout
from videottt.report.tables.numbers import splits_of, streams_of

ABSENT = "–"
ORACLE = "†"


@dataclass(frozen=True)
class Sheet:
    """A table of texts.

    Attributes:
        headings: of each column: what several columns have in common, or "", and its own.
        rows: cells; one between ``**`` is bold.
        groups: of each row; rows of one group belong together.
        title: what the sheet shows, where a table has several.
    """

    headings: list[tuple[str, str]]
    rows: list[list[str]]
    groups: list[str]
    title: str = ""


def sheets_of(table: pd.DataFrame, layout: Layout, labels: Mapping[str, str]) -> list[Sheet]:
    """Return a main table as sheets: in the paper's shape, each stream in detail, and costs.

    Args:
        table: of `numbers.main_table`, not empty.
        layout: its rows.
        labels: names to show of methods; one without a name shows its id.
    """
    streams = streams_of(table)
    # Of a single stream it would say what the details say.
    summary = [summary_sheet(table, layout, labels)] if len(streams) > 1 else []
    details = [
        quality_sheet(stream_of(table, *stream), layout, labels, len(streams) > 1)
        for stream in streams
    ]
    return [*summary, *details, cost_sheet(table, layout, labels)]


def stream_of(table: pd.DataFrame, dataset: str, task: str) -> pd.DataFrame:
    """Return the rows of one data set and task."""
    rows = table[(table.dataset == dataset) & (table.task == task)]
    return rows.reset_index(drop=True)


def summary_sheet(table: pd.DataFrame, layout: Layout, labels: Mapping[str, str]) -> Sheet:
    """Return the paper's shape: a row a method, a column for each split of each data set and task.

    A method that does not exist for a task has `ABSENT` there, as in the paper.
    """
    rows = pd.DataFrame(list(layout.rows), columns=["setting", "method"])
    rows = rows.assign(dataset="", task="")
    columns = _names(rows, layout, labels)
    for dataset, task in streams_of(table):
        of_stream = stream_of(table, dataset, task)
        for split in _splits_run(of_stream):
            quality = bold_best(
                of_stream, f"{split}_pooled", _spreads(of_stream, f"{split}_pooled", ".1f"),
                layout.oracles,
            )  # fmt: skip
            cells = _with_second(quality, _cells(of_stream, f"{split}_paper", ".1f"))
            heading = of_stream.metric[0] + " (paper)" * (cells != quality)
            columns[f"{dataset} {split}", heading] = _aligned(rows, of_stream, cells)
    for dataset, task in streams_of(table):
        of_stream = _at_cost_split(stream_of(table, dataset, task))
        cells = _cells(of_stream, "cost_seconds_per_frame_mean", ".3f")
        columns["s/frame", f"{dataset} {task}"] = _aligned(rows, of_stream, cells)
    published = dict(zip(table.method, table.paper_seconds_per_frame, strict=True))
    columns["s/frame", "paper"] = [number(published.get(method), ".1f") for method in rows.method]
    return _sheet(columns, rows, "All data sets and tasks, pooled over the frames of a split")


def _aligned(rows: pd.DataFrame, of_stream: pd.DataFrame, cells: list[str]) -> list[str]:
    """Return the cells of one stream in the order of rows that are of all streams."""
    by_method = dict(zip(of_stream.method, cells, strict=True))
    return [by_method.get(method, ABSENT) for method in rows.method]


def quality_sheet(
    table: pd.DataFrame, layout: Layout, labels: Mapping[str, str], titled: bool = False
) -> Sheet:
    """Return how good every method is on every split of one data set and task.

    Args:
        table: rows of `numbers.main_table` of one data set and task.
        layout: their order.
        labels: names to show of methods; one without a name shows its id.
        titled: whether the sheet says what it is of.
    """
    columns = _names(table, layout, labels)
    if any(table.baseline.notna()):
        columns[("", "compared with")] = [
            labels.get(each, each) if each else ABSENT for each in table.baseline
        ]
    metric = table.metric[0]
    for split in _splits_run(table):
        for name, heading in (("pooled", metric), ("frames", f"frame {metric}")):
            columns[split, heading] = bold_best(
                table, f"{split}_{name}", _spreads(table, f"{split}_{name}", ".1f"), layout.oracles
            )
        columns[split, "paper (ours - paper)"] = _with_second(
            _cells(table, f"{split}_paper", ".1f"), _cells(table, f"{split}_minus_paper", "+.1f")
        )
        for prefix, heading in (("", "gain"), ("baseline_", "gain over compared")):
            columns[split, f"{heading} (paper)"] = _with_second(
                _spreads(table, f"{split}_{prefix}gain", "+.1f"),
                _paper_gains(table, f"{split}_paper_{prefix}"),
            )
    columns[("", "seeds")] = [_range(values) for values in _of_splits(table, "seeds")]
    title = f"{table.dataset[0]}, {table.task[0]}: {metric}" if titled else ""
    return _sheet(columns, table, title)


def cost_sheet(table: pd.DataFrame, layout: Layout, labels: Mapping[str, str]) -> Sheet:
    """Return what every method costs: times and memory on `cost_split`, counts on every split."""
    streams = [stream_of(table, *stream) for stream in streams_of(table)]
    table = pd.concat([_at_cost_split(stream) for stream in streams], ignore_index=True)
    columns = _names(table, layout, labels)
    for phase in ("load", "adapt", "predict"):
        columns["s/frame", phase] = _cells(table, f"cost_wall_time_{phase}_mean", ".3f")
    columns["s/frame", "adapt + predict (paper)"] = _with_second(
        _spreads(table, "cost_seconds_per_frame", ".3f"),
        _cells(table, "paper_seconds_per_frame", ".1f"),
    )
    columns["", "times Main Task Only (paper)"] = _with_second(
        _cells(table, "cost_slowdown", ".1f"), _cells(table, "paper_slowdown", ".1f")
    )
    columns["", "peak MiB"] = _cells(table, "cost_peak_memory_mib_mean", ".0f")
    for each in splits_of(table):
        columns[each, "resets"] = _cells(table, f"{each}_resets_mean", ".4g")
        columns[each, "skipped steps"] = _cells(table, f"{each}_skipped_steps_mean", ".4g")
        bounds = table[[f"{each}_iteration_min", f"{each}_iteration_max"]]
        columns[each, "iteration"] = [_range(list(row)) for row in bounds.itertuples(index=False)]
    return _sheet(columns, table, "What it costs" if len(streams) > 1 else "")


def cost_split(table: pd.DataFrame) -> str:
    """Return the split that costs of one data set are measured on: test as in table 1, or the last.

    Args:
        table: rows of `numbers.main_table` of one data set and task.
    """
    splits = _splits_run(table)
    return "test" if "test" in splits else splits[-1]


def _splits_run(table: pd.DataFrame) -> list[str]:
    """Return the splits that something was run on: not every data set has every split."""
    return [split for split in splits_of(table) if table[f"{split}_seeds"].notna().any()]


def _at_cost_split(of_stream: pd.DataFrame) -> pd.DataFrame:
    """Return rows with what they hold of `cost_split` also under the names ``cost_...``."""
    start = f"{cost_split(of_stream)}_"
    same = {f"cost_{n.removeprefix(start)}": of_stream[n] for n in of_stream if n.startswith(start)}
    # Not a split of its own.
    del same["cost_seeds"]
    return of_stream.assign(**same)


def number(value: float | None, form: str) -> str:
    """Return a number as text: `ABSENT` if there is none, NaN if it is not defined."""
    if value is None:
        return ABSENT
    return "NaN" if math.isnan(value) else f"{value:{form}}"


def spread_cell(mean: float | None, deviation: float | None, form: str) -> str:
    """Return mean ± standard deviation; the mean alone where there is one seed, or it is NaN."""
    if mean is None or deviation is None or math.isnan(mean):
        return number(mean, form)
    return f"{mean:{form}} ± {deviation:{form.strip('+')}}"


def _sheet(
    columns: dict[tuple[str, str], list[str]], table: pd.DataFrame, title: str = ""
) -> Sheet:
    """Return a sheet without the columns that say nothing: no number, or counts of 0 only."""
    kept = {h: cells for h, cells in columns.items() if set(cells) - {ABSENT, "", "0"}}
    rows = [list(cells) for cells in zip(*kept.values(), strict=True)]
    groups = [
        f"{row.dataset} {row.task} {row.setting}"
        for row in table[["dataset", "task", "setting"]].itertuples(index=False)
    ]
    return Sheet(list(kept), rows, groups, title)


def _names(
    table: pd.DataFrame, layout: Layout, labels: Mapping[str, str]
) -> dict[tuple[str, str], list[str]]:
    data = [f"{row.dataset} {row.task}" for row in table[["dataset", "task"]].itertuples()]
    columns: dict[tuple[str, str], list[str]] = {}
    if len(set(data)) > 1:
        columns["", "Data"] = firsts(data)
    places = [f"{where} {setting}" for where, setting in zip(data, table.setting, strict=True)]
    columns["", "Setting"] = [
        setting if first else ""
        for setting, first in zip(table.setting, firsts(places), strict=True)
    ]
    columns["", "Method"] = [
        labels.get(method, method) + (ORACLE if method in layout.oracles else "")
        for method in table.method
    ]
    return columns


def firsts(texts: list[str]) -> list[str]:
    """Return each text only where it differs from the one above."""
    return [
        "" if above == text else text for above, text in zip([None, *texts], texts, strict=False)
    ]


def _cells(table: pd.DataFrame, name: str, form: str) -> list[str]:
    return [number(value, form) for value in table[name]]


def _spreads(table: pd.DataFrame, name: str, form: str) -> list[str]:
    pairs = zip(table[f"{name}_mean"], table[f"{name}_std"], strict=True)
    return [spread_cell(mean, deviation, form) for mean, deviation in pairs]


def _paper_gains(table: pd.DataFrame, name: str) -> list[str]:
    """Return the paper's gains: what it says in words where it gives no number."""
    return [
        claim or number(gain, "+.1f")
        for gain, claim in zip(table[f"{name}gain"], table[f"{name}claim"], strict=True)
    ]


def _with_second(cells: list[str], seconds: list[str]) -> list[str]:
    """Return each cell with a second number in brackets, unless the column has none."""
    if set(seconds) == {ABSENT}:
        return cells
    return [
        ABSENT if (cell, second) == (ABSENT, ABSENT) else f"{cell} ({second})"
        for cell, second in zip(cells, seconds, strict=True)
    ]


def bold_best(
    table: pd.DataFrame,
    name: str,
    cells: list[str],
    oracles: Sequence[str] = (),
    by: Sequence[str] = ("dataset", "task"),
    sign: int = 1,
) -> list[str]:
    """Return `cells` with the best of each group of rows bold, if it is better by more than chance.

    That is: by more than the larger of the two standard deviations than every other method. None is
    bold where a method has one seed or is not defined. An oracle does not compete: it has seen the
    labels.

    Args:
        table: rows with the columns ``<name>_mean`` and ``<name>_std`` over seeds.
        name: of the metric.
        cells: one a row.
        oracles: methods that do not compete.
        by: columns that the rows of a group have in common.
        sign: 1 if more is better, -1 if less is.
    """
    cells = list(cells)
    run = table[f"{name}_mean"].map(lambda mean: mean is not None)
    competing = table[run & ~table.method.isin(oracles)]
    for _, rows in competing.groupby(list(by), sort=False):
        means, deviations = rows[f"{name}_mean"].astype(float), rows[f"{name}_std"].astype(float)
        if len(rows) == 1 or means.isna().any() or deviations.isna().any():
            continue
        best = (sign * means).idxmax()
        others = means.index != best
        lead = sign * (means[best] - means[others])
        if (lead > deviations[others].clip(lower=deviations[best])).all():
            cells[best] = f"**{cells[best]}**"
    return cells


def _of_splits(table: pd.DataFrame, name: str) -> list[list[float | None]]:
    columns = [f"{split}_{name}" for split in splits_of(table)]
    return [list(row) for row in table[columns].itertuples(index=False)]


def _range(values: list[float | None]) -> str:
    found = sorted({value for value in values if value is not None})
    if not found:
        return ABSENT
    return "–".join(f"{value:g}" for value in dict.fromkeys((found[0], found[-1])))
