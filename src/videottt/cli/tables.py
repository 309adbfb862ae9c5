"""Verbs of rules/tables.smk."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from videottt.cli.arguments import add_verb, names, settings
from videottt.core.errors import InputError
from videottt.core.files import complete_file, write_text

if TYPE_CHECKING:
    from videottt.report.tables.layout import Layout
    from videottt.report.tables.paper import PaperSource


def add_verbs(verbs: Any) -> None:
    """Add `table`, `make-data-table`, `colour-table`, `class-table` and `convention-table`."""
    verb = add_verb(verbs, "table", table)
    _add_metrics(verb)
    verb.add_argument("--layout", required=True, type=_layout, help="JSON: tables.layout.Layout")
    verb.add_argument("--paper", nargs="*", default=[], type=Path, help="CSV of published numbers")
    _add_shown(verb)
    for kind in ("csv", "markdown", "latex"):
        verb.add_argument(f"--{kind}", required=True, type=Path)

    verb = add_verb(verbs, "make-data-table", data_table)
    verb.add_argument("--reports", nargs="*", default=[], type=Path, help="CSV of `check-data`")
    verb.add_argument("--paper", required=True, type=Path, help="CSV of table 2")
    for kind in ("csv", "markdown", "latex"):
        verb.add_argument(f"--{kind}", required=True, type=Path)

    verb = add_verb(verbs, "colour-table", colour_table)
    _add_metrics(verb)
    verb.add_argument("--methods", required=True, type=names, help="ids in the order of rows")
    verb.add_argument("--paper", required=True, type=Path, help="CSV of table 3")
    _add_shown(verb)
    verb.add_argument("--notes", default={}, type=settings,
                      help="JSON: inception, alexnet or method -> why it is absent")  # fmt: skip
    for kind in ("csv", "markdown", "latex"):
        verb.add_argument(f"--{kind}", required=True, type=Path)

    verb = add_verb(verbs, "class-table", class_table)
    _add_metrics(verb)
    verb.add_argument("--methods", required=True, type=names, help="ids in the order of columns")
    verb.add_argument("--output", required=True, type=Path)

    verb = add_verb(verbs, "convention-table", convention_table)
    _add_metrics(verb)
    verb.add_argument("--methods", required=True, type=names, help="ids in the order of rows")
    verb.add_argument("--labels", required=True, type=settings, help="JSON: method id -> label")
    for kind in ("csv", "markdown"):
        verb.add_argument(f"--{kind}", required=True, type=Path)


def _add_metrics(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--metrics", required=True, type=Path, help="CSV of `aggregate`")


def _add_shown(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--labels", required=True, type=settings, help="JSON: method id -> label")
    verb.add_argument("--model", required=True, help="preset that the metrics are of")
    verb.add_argument("--beside", default={}, type=_sources,
                      help="whose published numbers stand beside ours: JSON, "
                      '{task: {"dataset": ..., "splits": {ours: theirs}}}')  # fmt: skip


def _layout(text: str) -> "Layout":
    """Read which methods are the rows of a table."""
    from videottt.report.tables.layout import Layout

    try:
        return Layout(**settings(text))
    except TypeError as error:
        raise argparse.ArgumentTypeError(f"not the layout of a table: {error}") from None


def _sources(text: str) -> dict[str, "PaperSource"]:
    """Read whose published numbers stand beside ours."""
    from videottt.core.settings import build_settings
    from videottt.report.tables.paper import PaperSource

    given = settings(text)
    try:
        return {task: build_settings(PaperSource, of, task) for task, of in given.items()}
    except InputError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def table(options: argparse.Namespace) -> None:
    """Write one table of a study as CSV, Markdown and LaTeX."""
    from videottt.report.tables import formats
    from videottt.report.tables.caption import caption
    from videottt.report.tables.numbers import main_table, percentages, without_metrics
    from videottt.report.tables.paper import read_paper
    from videottt.report.tables.reading import read_metrics
    from videottt.report.tables.sheets import sheets_of

    metrics = percentages(read_metrics(options.metrics))
    layout, labels = options.layout, options.labels
    shown_tasks = set(metrics.task)
    sources = {task: of for task, of in options.beside.items() if task in shown_tasks}
    paper = read_paper(options.paper, sources)
    numbers = main_table(metrics, layout, paper)
    if numbers.empty:
        raise InputError(f"{options.metrics}: no metrics of a method of table '{layout.id}'")
    shown = sheets_of(numbers, layout, labels)
    without = [labels.get(each, each) for each in without_metrics(metrics, layout)]
    below = caption(numbers, layout, paper, options.model, without)
    write_text(options.csv, formats.csv_text(numbers))
    write_text(options.latex, formats.latex(layout.id, layout.title, shown, below))
    write_text(options.markdown, text := formats.markdown(layout.title, shown, below))
    print(text)


def data_table(options: argparse.Namespace) -> None:
    """Write table 2, what data sets consist of, as CSV, Markdown and LaTeX."""
    from videottt.report.tables import data, formats

    numbers = data.data_table(data.read_reports(options.reports), data.read_paper(options.paper))
    sheets, below = [data.data_sheet(numbers)], data.data_caption(numbers)
    write_text(options.csv, formats.csv_text(numbers))
    write_text(options.latex, formats.latex("table2", data.TITLE, sheets, below))
    write_text(options.markdown, text := formats.markdown(data.TITLE, sheets, below))
    print(text)


def colour_table(options: argparse.Namespace) -> None:
    """Write table 3, how well methods colourise, as CSV, Markdown and LaTeX."""
    from videottt.report.tables import colour, formats
    from videottt.report.tables.paper import read_columns
    from videottt.report.tables.reading import read_metrics

    labels, source = options.labels, options.beside.get(colour.TASK)
    paper = read_columns(options.paper, source.dataset, colour.TASK) if source else {}
    metrics = read_metrics(options.metrics)
    numbers = colour.colour_table(metrics, options.methods, paper, options.notes)
    without = [method for method in options.methods if method not in set(numbers.method)]
    sheets = [colour.colour_sheet(numbers, paper, labels)]
    below = colour.colour_caption(numbers, paper, labels, options.model, options.notes, without)
    write_text(options.csv, formats.csv_text(numbers))
    write_text(options.latex, formats.latex("table3", colour.TITLE, sheets, below))
    write_text(options.markdown, text := formats.markdown(colour.TITLE, sheets, below))
    print(text)


def class_table(options: argparse.Namespace) -> None:
    """Write the IoU, AP or PQ of each class of every method of a study as CSV."""
    from videottt.report.tables import classes
    from videottt.report.tables.numbers import percentages
    from videottt.report.tables.reading import read_metrics

    frame = classes.class_table(percentages(read_metrics(options.metrics)), options.methods)
    with complete_file(options.output) as part:
        frame.to_csv(part, index=False, na_rep="NaN", float_format="%.6g")


def convention_table(options: argparse.Namespace) -> None:
    """Write each method's metric in every form, and its gain in each, as CSV and Markdown."""
    from videottt.report.tables import conventions, formats
    from videottt.report.tables.numbers import percentages
    from videottt.report.tables.reading import read_metrics

    metrics = percentages(read_metrics(options.metrics))
    frame = conventions.convention_table(metrics, options.methods)
    sheets = conventions.convention_sheets(frame, options.labels)
    below = conventions.convention_caption(frame)
    write_text(options.csv, formats.csv_text(frame))
    write_text(options.markdown, text := formats.markdown(conventions.TITLE, sheets, below))
    print(text)
