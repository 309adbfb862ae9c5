"""Make the tables of a study again, from the numbers that the project keeps of its results."""

import functools
import math
import tempfile
from collections.abc import Collection, Sequence
from pathlib import Path

import pandas as pd

from videottt.core.errors import InputError, absent
from videottt.core.shipped import shipped
from videottt.evaluation.theory.summary import readable
from videottt.report.tables import diagnosis, formats
from videottt.report.tables.layout import Layout
from videottt.report.tables.omissions import write_omissions
from videottt.report.tables.paper import PaperSource
from videottt.report.tables.reading import read_metrics
from videottt.report.tables.sheets import ABSENT, ORACLE
from videottt.report.tables.written import (
    Shown,
    TableFiles,
    write_convention_table,
    write_cost_table,
    write_main_table,
)
from videottt.study.config import Config, named_methods, paper_of, study_named
from videottt.study.layers import complete
from videottt.study.shipped_results import METRICS, is_kept_as_csv
from videottt.study.shown import labels_of, model_of_study, table_layout

PAPER = ("table1.csv", "table4.csv", "architectures.csv", "ablations.csv")
# Columns of words in the tables that are kept as CSV.
_WORDS = ("dataset", "task", "video", "method", "metric", "split", "quantity")


@functools.cache
def configuration(study_id: str) -> Config:
    """Return the configuration as it ships, with a study that is run."""
    return complete({"study": study_id}).config


@functools.cache
def remade_table(study_id: str, name: str, folder: Path) -> str:
    """Return a table as Markdown, as the code and the configuration of today make it.

    Args:
        study_id: of the study.
        name: id of a table of the configuration, cost, conventions, omissions, diagnosis or
            ``theory_<dataset>_<task>``.
        folder: what the project keeps of the study's results.

    Raises:
        InputError: there is no such table, a file is absent or has another format, or there is no
            number of any row.
    """
    if is_kept_as_csv(name):
        return _kept(folder / f"{name}.csv")
    config = configuration(study_id)
    study = study_named(config, study_id)
    metrics, labels = folder / METRICS, labels_of(config)
    paper = [shipped("workflow/resources/paper") / file for file in PAPER]
    known = set(read_metrics(metrics).method)
    methods = [str(m) for m in named_methods(config, study) if str(m) in known]
    with tempfile.TemporaryDirectory() as scratch:
        files = TableFiles(Path(scratch) / "table.csv", Path(scratch) / "table.md")
        if name == "cost":
            return write_cost_table(metrics, methods, paper[0], labels, files)
        if name == "conventions":
            return write_convention_table(metrics, methods, labels, files)
        layout = Layout(**table_layout(config, study, name))
        beside = {task: PaperSource(**entry) for task, entry in paper_of(study).items()}
        shown = Shown(labels, model_of_study(study), beside)
        return write_main_table(metrics, layout, paper, shown, files)


def _kept(csv: Path) -> str:
    """Return a table that is kept itself as Markdown."""
    if not csv.is_file():
        raise absent(csv)
    if csv.stem == "omissions":
        rows = pd.read_csv(csv, dtype=str, keep_default_na=False).to_dict("records")
        with tempfile.TemporaryDirectory() as scratch:
            return write_omissions(rows, Path(scratch) / "table.csv", Path(scratch) / "table.md")
    if csv.stem == "diagnosis":
        texts = pd.read_csv(csv, dtype=str, keep_default_na=False)
        numbers = texts.drop(columns=[name for name in _WORDS if name in texts]).map(_number)
        # dtype=object keeps None and NaN apart.
        table = texts.astype(object).assign(**numbers.astype(object))
        sheets, below = diagnosis.diagnosis_sheets(table), diagnosis.diagnosis_caption(table)
        return formats.markdown(diagnosis.TITLE, sheets, below)
    constants = pd.read_csv(csv, dtype=dict.fromkeys(_WORDS, str))
    return str(readable(constants).to_markdown(index=False, disable_numparse=True))


def _number(text: str) -> float | None:
    """Return a number of a CSV of `formats.csv_text`."""
    if text in ("", "NaN"):
        return math.nan if text else None
    return float(text)


def chosen(text: str, labels: Sequence[str], columns: Sequence[str]) -> str:
    """Return the Markdown of a table with some of its rows and columns.

    Args:
        text: as `remade_table` returns it.
        labels: of the rows to keep, in the table's order; none: all, and the groups that they are
            in.
        columns: headings to keep beside the first column, in this order; none: all.

    Raises:
        InputError: the table has no such row or column.
    """
    parts: list[str] = []
    found: dict[str, None] = {}
    for part in text.strip().split("\n\n"):
        if part.startswith("|"):
            lines = [[cell.strip() for cell in line[1:-1].split("|")] for line in part.splitlines()]
            heading, body = lines[0], lines[2:]
            for column in columns:
                _check(column, heading[1:], "column")
            places = [0, *(heading.index(column) for column in columns or heading[1:])]
            rows = [row for row in body if not labels or _label(row[0]) in labels]
            found |= {_label(row[0]): None for row in body}
            rule = [":--", *["--:"] * (len(places) - 1)]
            kept = [[row[place] for place in places] for row in (heading, *rows)]
            part = "\n".join(f"| {' | '.join(row)} |" for row in (kept[0], rule, *kept[1:]))
        parts.append(part)
    for label in labels:
        _check(label, found, "row")
    return "\n\n".join(parts)


def _label(cell: str) -> str:
    return cell.strip(f"* {ORACLE}")


def _check(name: str, names: Collection[str], what: str) -> None:
    if name not in names:
        raise InputError(f"there is no {what} '{name}'; there is: {'; '.join(names) or ABSENT}")
