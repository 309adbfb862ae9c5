"""Lay out a main table as text: labels, mean ± deviation, the paper's numbers."""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from videottt.evaluation.metrics import headline
from videottt.report.tables.layout import Layout
from videottt.report.tables.numbers import splits_of, streams_of

ABSENT = "–"
ORACLE = "†"
# Prefix of columns -> heading.
GAINS = {"": "gain", "start_": "gain over start", "baseline_": "gain over compared"}


@dataclass(frozen=True)
class Sheet:
    """A table of texts.

    Attributes:
        headings: of each column: the heading shared with its neighbours, or "", and its own.
        rows: cells; a cell between ``**`` is bold, one between ``*`` italic.
        groups: of each row; rows of one group belong together.
        title: what the sheet shows, or "".
    """

    headings: list[tuple[str, str]]
    rows: list[list[str]]
    groups: list[str]
    title: str = ""


def sheets_of(table: pd.DataFrame, layout: Layout, labels: Mapping[str, str]) -> list[Sheet]:
    """Return a main table as text, a sheet for each data set, task and split.

    Args:
        table: of `numbers.main_table`, not empty.
        layout: its rows.
        labels: names to show of methods; a method without a name shows its id.
    """
    streams = [stream_of(table, *stream) for stream in streams_of(table)]
    return [
        quality_sheet(rows, split, layout, labels) for rows in streams for split in splits_run(rows)
    ]


def stream_of(table: pd.DataFrame, dataset: str, task: str) -> pd.DataFrame:
    """Return the rows of one data set and task."""
    rows = table[(table.dataset == dataset) & (table.task == task)]
    return rows.reset_index(drop=True)


def splits_run(table: pd.DataFrame) -> list[str]:
    """Return the splits with metrics: not every data set has every split."""
    return [split for split in splits_of(table) if table[f"{split}_seeds"].notna().any()]


def quality_sheet(
    table: pd.DataFrame, split: str, layout: Layout, labels: Mapping[str, str]
) -> Sheet:
    """Return the metric of every method on one data set, task and split, and its gain.

    Args:
        table: rows of `numbers.main_table` of one data set and task.
        split: one of its splits.
        layout: the order of rows.
        labels: names to show of methods; a method without a name shows its id.
    """
    columns = {
        "Method": [
            labels.get(method, method) + (ORACLE if method in layout.oracles else "")
            for method in table.method
        ]
    }
    if any(table.baseline.notna()):
        columns["compared with"] = [
            labels.get(baseline, baseline) if baseline else ABSENT for baseline in table.baseline
        ]
    unit = headline(table.task[0]).unit
    metric = table.metric[0] + f" ({unit})" * (unit != "%")
    ours, by_frame = (
        bold_best(table, name, spreads_of(table, name, ".1f"), layout.oracles)
        for name in (f"{split}_pooled", f"{split}_frames")
    )
    cells = with_second(ours, cells_of(table, f"{split}_paper", ".1f"))
    columns[metric + " (paper)" * (cells != ours)] = cells
    columns[f"frame {metric}"] = by_frame
    for prefix, heading in GAINS.items():
        gains = spreads_of(table, f"{split}_{prefix}gain", "+.1f")
        cells = with_second(gains, _paper_gains(table, f"{split}_paper_{prefix}"))
        columns[heading + " (paper)" * (cells != gains)] = cells
    seeds = table[f"{split}_seeds"]
    if len(set(seeds)) > 1:
        columns["seeds"] = cells_of(table, f"{split}_seeds", "g")
    title = f"{table.dataset[0]}, {table.task[0]}, {split}"
    return sheet_of(columns, list(table.setting), title)


def number(value: float | None, form: str) -> str:
    """Return a number as text: `ABSENT` for None, NaN for an undefined number."""
    if value is None:
        return ABSENT
    return "NaN" if math.isnan(value) else f"{value:{form}}"


def spread_cell(mean: float | None, deviation: float | None, form: str) -> str:
    """Return mean ± standard deviation; the mean alone where there is one seed, or it is NaN."""
    if mean is None or deviation is None or math.isnan(mean):
        return number(mean, form)
    return f"{mean:{form}} ± {deviation:{form.strip('+')}}"


def sheet_of(columns: Mapping[str, list[str]], groups: Sequence[str], title: str) -> Sheet:
    """Return a sheet without empty columns, with a line above each group that has a name.

    Args:
        columns: heading -> cells; a column without any number, or with counts of 0 only, is left
            out.
        groups: name of the group of each row, or "".
        title: what the sheet shows.
    """
    kept = {name: cells for name, cells in columns.items() if set(cells) - {ABSENT, "", "0"}}
    rows, of_rows = [], []
    for group, members in itertools.groupby(
        zip(groups, zip(*kept.values(), strict=True), strict=True), key=lambda pair: pair[0]
    ):
        if group:
            rows.append([f"*{group}*", *[""] * (len(kept) - 1)])
            of_rows.append(group)
        for _, cells in members:
            rows.append(list(cells))
            of_rows.append(group)
    return Sheet([("", name) for name in kept], rows, of_rows, title)


def firsts(texts: list[str]) -> list[str]:
    """Return each text only where it differs from the one above."""
    return [
        "" if above == text else text for above, text in zip([None, *texts], texts, strict=False)
    ]


def cells_of(table: pd.DataFrame, name: str, form: str) -> list[str]:
    """Return a column of numbers as text."""
    return [number(value, form) for value in table[name]]


def spreads_of(table: pd.DataFrame, name: str, form: str) -> list[str]:
    """Return the columns ``<name>_mean`` and ``<name>_std`` as mean ± standard deviation."""
    pairs = zip(table[f"{name}_mean"], table[f"{name}_std"], strict=True)
    return [spread_cell(mean, deviation, form) for mean, deviation in pairs]


def _paper_gains(table: pd.DataFrame, name: str) -> list[str]:
    """Return the paper's gains: its words where it gives no number."""
    return [
        claim or number(gain, "+.1f")
        for gain, claim in zip(table[f"{name}gain"], table[f"{name}claim"], strict=True)
    ]


def with_second(cells: list[str], seconds: list[str]) -> list[str]:
    """Return each cell with its second number in brackets, if any cell has a second number."""
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
    """Return `cells` with the best of each group of rows bold, if it is clearly the best.

    The best must be ahead of every other method by more than the larger of the two standard
    deviations. No cell is bold where a method has one seed or is not defined. An oracle does not
    compete, because it has seen the labels.

    Args:
        table: rows with the columns ``<name>_mean`` and ``<name>_std`` over seeds.
        name: of the metric.
        cells: the text of each row.
        oracles: methods that do not compete.
        by: columns that are equal within a group.
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


def range_of(values: list[float | None]) -> str:
    """Return the least and the largest of some numbers as text, a single number as itself."""
    known = sorted({value for value in values if value is not None})
    if not known:
        return ABSENT
    return "–".join(f"{value:g}" for value in dict.fromkeys((known[0], known[-1])))
