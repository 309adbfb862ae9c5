"""Write what a study does not show, and why, as CSV and Markdown."""

import argparse
import json
from typing import Any

from videottt.cli.report_arguments import add_files


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument(
        "--rows", required=True, type=_rows,
        help="JSON: a list of {what, dataset, task, reason}",
    )  # fmt: skip
    add_files(parser, "csv", "markdown")


def _rows(text: str) -> list[dict[str, Any]]:
    try:
        rows = json.loads(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"not JSON: {error}") from None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise argparse.ArgumentTypeError("not a list of rows")
    return rows


def run(options: argparse.Namespace) -> None:
    """Run the verb."""
    from videottt.report.tables.omissions import write_omissions

    print(write_omissions(options.rows, options.csv, options.markdown))
