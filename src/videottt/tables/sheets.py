"""A main table as text for people: labels, mean ± deviation, the paper's numbers."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from videottt.tables.layout import Layout
from videottt.tables.numbers import splits_of

ABSENT = "–"
ORACLE = "†"


@dataclass(frozen=True)
class Sheet:
    """A table of texts.

    Attributes:
        headings: of each column: what several columns have in common, or "", and its own.
        rows: cells; one between ``**`` is bold.
        groups: of each row; rows of one group belong together.
    """

    headings: list[tuple[str, str]]
    rows: list[list[str]]
    groups: list[str]


def quality_sheet(table: pd.DataFrame, layout: Layout, labels: Mapping[str, str]) -> Sheet:
    """Return how good every method is on every split."""
    columns = _names(table, layout, labels)
    if any(table.baseline.notna()):
        columns[("", "compared with")] = [
            labels.get(each, each) if each else ABSENT for each in table.baseline
        ]
    for split in splits_of(table):
        for name, heading in (
            ("miou_pooled", "mIoU"),
            ("miou_frames_gt_or_predicted", "frame mIoU"),
        ):
            columns[split, heading] = _bold_best(
                table, f"{split}_{name}", _spreads(table, f"{split}_{name}", ".1f"), layout.oracles
            )
        columns[split, "paper (ours - paper)"] = _with_second(
            _cells(table, f"{split}_paper_miou", ".1f"),
            _cells(table, f"{split}_minus_paper", "+.1f"),
        )
        for prefix, heading in (("", "gain"), ("baseline_", "gain over compared")):
            columns[split, f"{heading} (paper)"] = _with_second(
                _spreads(table, f"{split}_{prefix}gain", "+.1f"),
                _paper_gains(table, f"{split}_paper_{prefix}"),
            )
    columns[("", "seeds")] = [_range(values) for values in _of_splits(table, "seeds")]
    return _sheet(columns, table)


def cost_sheet(table: pd.DataFrame, layout: Layout, labels: Mapping[str, str]) -> Sheet:
    """Return what every method costs: times and memory on `cost_split`, counts on every split."""
    split = cost_split(table)
    columns = _names(table, layout, labels)
    for phase in ("load", "adapt", "predict"):
        columns["s/frame", phase] = _cells(table, f"{split}_seconds_{phase}_mean", ".3f")
    columns["s/frame", "adapt + predict (paper)"] = _with_second(
        _spreads(table, f"{split}_seconds_per_frame", ".3f"),
        _cells(table, "paper_seconds_per_frame", ".1f"),
    )
    columns["", "times Main Task Only (paper)"] = _with_second(
        _cells(table, f"{split}_slowdown", ".1f"), _cells(table, "paper_slowdown", ".1f")
    )
    columns["", "peak MiB"] = _cells(table, f"{split}_peak_memory_mib_mean", ".0f")
    for each in splits_of(table):
        columns[each, "resets"] = _cells(table, f"{each}_resets_mean", ".4g")
        columns[each, "skipped steps"] = _cells(table, f"{each}_skipped_steps_mean", ".4g")
        bounds = table[[f"{each}_iteration_min", f"{each}_iteration_max"]]
        columns[each, "iteration"] = [_range(list(row)) for row in bounds.itertuples(index=False)]
    return _sheet(columns, table)


def cost_split(table: pd.DataFrame) -> str:
    """Return the split that costs are measured on: test as in table 1, else the last."""
    splits = splits_of(table)
    return "test" if "test" in splits else splits[-1]


def number(value: float | None, form: str) -> str:
    """Return a number as text: `ABSENT` if there is none, NaN if it is not defined."""
    if value is None:
        return ABSENT
    return "NaN" if math.isnan(value) else f"{value:{form}}"


def _sheet(columns: dict[tuple[str, str], list[str]], table: pd.DataFrame) -> Sheet:
    """Return a sheet without the columns that say nothing: no number, or counts of 0 only."""
    kept = {h: cells for h, cells in columns.items() if set(cells) - {ABSENT, "", "0"}}
    rows = [list(cells) for cells in zip(*kept.values(), strict=True)]
    groups = [
        f"{row.dataset} {row.task} {row.setting}"
        for row in table[["dataset", "task", "setting"]].itertuples(index=False)
    ]
    return Sheet(list(kept), rows, groups)


def _names(
    table: pd.DataFrame, layout: Layout, labels: Mapping[str, str]
) -> dict[tuple[str, str], list[str]]:
    data = [f"{row.dataset} {row.task}" for row in table[["dataset", "task"]].itertuples()]
    columns: dict[tuple[str, str], list[str]] = {}
    if len(set(data)) > 1:
        columns["", "Data"] = _firsts(data)
    places = [f"{where} {setting}" for where, setting in zip(data, table.setting, strict=True)]
    columns["", "Setting"] = [
        setting if first else ""
        for setting, first in zip(table.setting, _firsts(places), strict=True)
    ]
    columns["", "Method"] = [
        labels.get(method, method) + (ORACLE if method in layout.oracles else "")
        for method in table.method
    ]
    return columns


def _firsts(texts: list[str]) -> list[str]:
    """Return each text only where it differs from the one above."""
    return [
        "" if above == text else text for above, text in zip([None, *texts], texts, strict=False)
    ]


def _cells(table: pd.DataFrame, name: str, form: str) -> list[str]:
    return [number(value, form) for value in table[name]]


def _spreads(table: pd.DataFrame, name: str, form: str) -> list[str]:
    """Return mean ± standard deviation; the mean alone where there is one seed, or it is NaN."""
    return [
        number(mean, form)
        if deviation is None or math.isnan(mean)
        else f"{mean:{form}} ± {deviation:{form.strip('+')}}"
        for mean, deviation in zip(table[f"{name}_mean"], table[f"{name}_std"], strict=True)
    ]


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


def _bold_best(table: pd.DataFrame, name: str, cells: list[str], oracles: list[str]) -> list[str]:
    """Return `cells` with the best of each data set bold, if it is better by more than chance.

    That is: by more than the larger of the two standard deviations than every other method. None is
    bold where a method has one seed or is not defined. An oracle does not compete: it has seen the
    labels.
    """
    cells = list(cells)
    run = table[f"{name}_mean"].map(lambda mean: mean is not None)
    competing = table[run & ~table.method.isin(oracles)]
    for _, rows in competing.groupby(["dataset", "task"], sort=False):
        means, deviations = rows[f"{name}_mean"].astype(float), rows[f"{name}_std"].astype(float)
        if len(rows) == 1 or means.isna().any() or deviations.isna().any():
            continue
        best = means.idxmax()
        others = means.index != best
        lead = means[best] - means[others]
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
