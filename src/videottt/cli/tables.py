"""Verbs of rules/tables.smk."""

import argparse
from pathlib import Path
from typing import Any

from videottt.cli.arguments import add_verb, names, settings
from videottt.errors import InputError
from videottt.files import complete_file, write_text


def add_verbs(verbs: Any) -> None:
    """Add `table`."""
    verb = add_verb(verbs, "table", table)
    verb.add_argument("--metrics", required=True, type=Path, help="CSV of `aggregate`")
    verb.add_argument("--methods", required=True, type=names, help="ids in the order of the rows")
    verb.add_argument("--labels", required=True, type=settings, help="JSON: method id -> label")
    verb.add_argument("--paper", nargs="*", default=[], type=Path, help="CSV of published numbers")
    verb.add_argument("--paper-dataset", help="data set of the paper to print beside ours")
    for kind in ("csv", "markdown", "latex", "classes"):
        verb.add_argument(f"--{kind}", required=True, type=Path)


def table(options: argparse.Namespace) -> None:
    """Write the table of a study as CSV, Markdown and LaTeX, and the IoU of each class."""
    import pandas as pd

    from videottt import tables

    if not options.metrics.is_file():
        raise InputError(f"{options.metrics}: no such file; make it with 'videottt aggregate'")
    metrics = pd.read_csv(options.metrics)
    splits = list(dict.fromkeys(metrics.split))
    paper = (
        tables.paper_columns(options.paper, options.paper_dataset, splits)
        if options.paper_dataset
        else []
    )
    main = tables.main_table(metrics, options.methods, paper)
    text = tables.readable(main, options.labels, paper)
    below = tables.caption(main, paper)
    for path, frame in (
        (options.csv, main),
        (options.classes, tables.class_table(metrics, options.methods)),
    ):
        with complete_file(path) as part:
            frame.to_csv(part, index=False, na_rep="NaN", float_format="%.6g")
    write_text(options.markdown, text.to_markdown(index=False) + f"\n\n{below}\n")
    latex = text.replace({"±": r"$\\pm$"}, regex=True).rename(columns=_escaped).map(_escaped)
    write_text(
        options.latex,
        latex.to_latex(index=False, escape=False, caption=_escaped(below), label="tab:videottt"),
    )
    print(text.to_markdown(index=False))


def _escaped(text: str) -> str:
    return text.replace("_", r"\_").replace("%", r"\%")
