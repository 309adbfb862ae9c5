"""Write the tables of a study from its metrics: CSV, Markdown and LaTeX."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from videottt.core.errors import InputError
from videottt.core.files import write_csv, write_text
from videottt.report.tables import classes, colour, conventions, data, formats
from videottt.report.tables.caption import caption
from videottt.report.tables.layout import Layout
from videottt.report.tables.numbers import main_table, percentages, without_metrics
from videottt.report.tables.paper import PaperSource, read_columns, read_paper
from videottt.report.tables.reading import read_metrics
from videottt.report.tables.sheets import Sheet, sheets_of


@dataclass(frozen=True)
class TableFiles:
    """Where a table is written.

    Attributes:
        csv: every number.
        markdown: to read.
        latex: the same; None of a table that has no such form.
    """

    csv: Path
    markdown: Path
    latex: Path | None = None


@dataclass(frozen=True)
class Shown:
    """What stands in a table beside its numbers.

    Attributes:
        labels: method -> name to show.
        model: preset that the metrics are of.
        beside: task -> whose published numbers stand beside ours.
    """

    labels: Mapping[str, str]
    model: str
    beside: Mapping[str, PaperSource]


def write_main_table(
    metrics_file: Path, layout: Layout, paper_files: Sequence[Path], shown: Shown, files: TableFiles
) -> str:
    """Write a table of a study's methods; return it as Markdown.

    Args:
        metrics_file: CSV of `aggregate`.
        layout: which methods are its rows.
        paper_files: CSV of published numbers.
        shown: labels, and whose published numbers are shown.
        files: to write.

    Raises:
        InputError: a file is not what it should be, or has no number of any method of the table.
    """
    metrics = percentages(read_metrics(metrics_file))
    tasks = set(metrics.task)
    sources = {task: source for task, source in shown.beside.items() if task in tasks}
    paper = read_paper(paper_files, sources)
    numbers = main_table(metrics, layout, paper)
    if numbers.empty:
        raise InputError(f"{metrics_file}: no metrics of a method of table '{layout.id}'")
    sheets = sheets_of(numbers, layout, shown.labels)
    without = [shown.labels.get(method, method) for method in without_metrics(metrics, layout)]
    below = caption(numbers, layout, paper, shown.model, without)
    return _write(files, numbers, layout.id, layout.title, sheets, below)


def write_data_table(reports: Sequence[Path], paper_file: Path, files: TableFiles) -> str:
    """Write table 2, what data sets consist of; return it as Markdown.

    Args:
        reports: CSV of `check-data`.
        paper_file: CSV of the paper's table 2.
        files: to write.

    Raises:
        InputError: a file is not what it should be.
    """
    numbers = data.data_table(data.read_reports(reports), data.read_paper(paper_file))
    sheets, below = [data.data_sheet(numbers)], data.data_caption(numbers)
    return _write(files, numbers, "table2", data.TITLE, sheets, below)


def write_colour_table(
    metrics_file: Path,
    methods: Sequence[str],
    paper_file: Path,
    notes: Mapping[str, str],
    shown: Shown,
    files: TableFiles,
) -> str:
    """Write table 3, how well methods colourise; return it as Markdown.

    Args:
        metrics_file: CSV of `aggregate`.
        methods: ids in the order of rows.
        paper_file: CSV of the paper's table 3.
        notes: inception, alexnet or a method -> why it is absent.
        shown: labels, and whose published numbers are shown.
        files: to write.

    Raises:
        InputError: a file is not what it should be.
    """
    source = shown.beside.get(colour.TASK)
    paper = read_columns(paper_file, source.dataset, colour.TASK) if source else {}
    numbers = colour.colour_table(read_metrics(metrics_file), methods, paper, notes)
    without = [method for method in methods if method not in set(numbers.method)]
    sheets = [colour.colour_sheet(numbers, paper, shown.labels)]
    below = colour.colour_caption(numbers, paper, shown.labels, shown.model, notes, without)
    return _write(files, numbers, "table3", colour.TITLE, sheets, below)


def write_class_table(metrics_file: Path, methods: Sequence[str], output: Path) -> None:
    """Write the IoU, AP or PQ of each class of every method of a study as CSV.

    Raises:
        InputError: the file is no table of metrics.
    """
    table = classes.class_table(percentages(read_metrics(metrics_file)), methods)
    write_csv(output, table, "%.6g")


def write_convention_table(
    metrics_file: Path, methods: Sequence[str], labels: Mapping[str, str], files: TableFiles
) -> str:
    """Write each method's metric in every form, and its gain in each; return it as Markdown.

    Raises:
        InputError: the file is no table of metrics.
    """
    table = conventions.convention_table(percentages(read_metrics(metrics_file)), methods)
    sheets = conventions.convention_sheets(table, labels)
    below = conventions.convention_caption(table)
    return _write(files, table, "conventions", conventions.TITLE, sheets, below)


def _write(
    files: TableFiles,
    numbers: pd.DataFrame,
    identity: str,
    title: str,
    sheets: Sequence[Sheet],
    below: str,
) -> str:
    text = formats.markdown(title, sheets, below)
    write_text(files.csv, formats.csv_text(numbers))
    if files.latex is not None:
        write_text(files.latex, formats.latex(identity, title, sheets, below))
    write_text(files.markdown, text)
    return text
