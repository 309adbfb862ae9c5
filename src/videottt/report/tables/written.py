"""Write the tables of a study as CSV, Markdown and LaTeX."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from videottt.core.errors import InputError
from videottt.core.files import write_csv, write_text
from videottt.evaluation.metrics import headline
from videottt.report.tables import classes, colour, conventions, cost, data, formats
from videottt.report.tables.caption import caption
from videottt.report.tables.layout import Layout
from videottt.report.tables.numbers import main_table, percentages, without_metrics
from videottt.report.tables.paper import PaperSource, read_columns, read_paper, read_seconds
from videottt.report.tables.reading import read_metrics
from videottt.report.tables.sheets import Sheet, sheets_of


@dataclass(frozen=True)
class TableFiles:
    """The files of a table.

    Attributes:
        csv: every number.
        markdown: a selection to read.
        latex: the same selection; None for a table without this form.
    """

    csv: Path
    markdown: Path
    latex: Path | None = None


@dataclass(frozen=True)
class Shown:
    """The names and the published numbers of a table.

    Attributes:
        labels: method -> name to show.
        model: preset of the study.
        beside: task -> source of the published numbers beside ours.
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
        shown: labels, and the sources of published numbers.
        files: to write.

    Raises:
        InputError: a file has another format, or no number of any method of the table.
    """
    metrics = read_metrics(metrics_file)
    # What the paper says of colorization is in table 3.
    tasks = {task for task in metrics.task if headline(task).unit == "%"}
    sources = {task: source for task, source in shown.beside.items() if task in tasks}
    paper = read_paper(paper_files, sources)
    numbers = main_table(metrics, layout, paper)
    if numbers.empty:
        raise InputError(
            f"{metrics_file}: no metrics of a method of table '{layout.id}'; score one first"
        )
    sheets = sheets_of(numbers, layout, shown.labels)
    without = [shown.labels.get(method, method) for method in without_metrics(metrics, layout)]
    below = caption(numbers, layout, paper, shown.model, without)
    return _write(files, numbers, layout.id, layout.title, sheets, below)


def write_data_table(reports: Sequence[Path], paper_file: Path, files: TableFiles) -> str:
    """Write table 2, the data sets; return it as Markdown.

    Args:
        reports: CSV of `check-data`.
        paper_file: CSV of the paper's table 2.
        files: to write.

    Raises:
        InputError: a file is absent or has another format.
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
    """Write table 3, colorization; return it as Markdown.

    Args:
        metrics_file: CSV of `aggregate`.
        methods: ids in the order of rows.
        paper_file: CSV of the paper's table 3.
        notes: inception, alexnet or a method -> why it is absent.
        shown: labels, and the sources of published numbers.
        files: to write.

    Raises:
        InputError: a file is absent or has another format.
    """
    source = shown.beside.get(colour.TASK)
    paper = read_columns(paper_file, source.dataset, colour.TASK) if source else {}
    numbers = colour.colour_table(read_metrics(metrics_file), methods, paper, notes)
    without = [method for method in methods if method not in set(numbers.method)]
    sheets = [colour.colour_sheet(numbers, paper, shown.labels)]
    below = colour.colour_caption(numbers, paper, shown.labels, shown.model, notes, without)
    absent = colour.absent_sheets(numbers, shown.labels, notes, without)
    return _write(files, numbers, "table3", colour.TITLE, sheets, below, absent)


def write_cost_table(
    metrics_file: Path,
    methods: Sequence[str],
    paper_file: Path,
    labels: Mapping[str, str],
    files: TableFiles,
) -> str:
    """Write seconds a frame, memory and other costs of every method; return them as Markdown.

    Args:
        metrics_file: CSV of `aggregate`.
        methods: ids in the order of rows.
        paper_file: CSV of the paper's table 1.
        labels: method -> name to show.
        files: to write.

    Raises:
        InputError: a file is absent or has another format.
    """
    numbers = cost.cost_table(read_metrics(metrics_file), methods, read_seconds(paper_file))
    sheets, below = cost.cost_sheets(numbers, labels), cost.cost_caption(numbers)
    return _write(files, numbers, "cost", cost.TITLE, sheets, below)


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
    notes: Sequence[Sheet] = (),
) -> str:
    """Write the forms of a table, `notes` into the Markdown only; return the Markdown."""
    text = formats.markdown(title, [*sheets, *notes], below)
    write_text(files.csv, formats.csv_text(numbers))
    if files.latex is not None:
        write_text(files.latex, formats.latex(identity, title, sheets, below))
    write_text(files.markdown, text)
    return text
