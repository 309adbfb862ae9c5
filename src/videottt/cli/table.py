"""Write a table of a study as CSV, Markdown and LaTeX."""

import argparse
from typing import TYPE_CHECKING

from videottt.cli.arguments import from_options, settings
from videottt.cli.report_arguments import add_files, add_metrics, add_paper
from videottt.core.paths import named_path

if TYPE_CHECKING:
    from videottt.report.tables.layout import Layout


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    add_metrics(parser)
    parser.add_argument("--layout", required=True, type=_layout,
                        help="JSON of the rows and of what gains are over")  # fmt: skip
    parser.add_argument(
        "--paper", nargs="*", default=[], type=named_path, help="CSV of published numbers"
    )
    add_paper(parser)
    add_files(parser, "csv", "markdown", "latex")


def _layout(text: str) -> "Layout":
    """Read which methods are the rows of a table."""
    from videottt.report.tables.layout import Layout

    try:
        return Layout(**settings(text))
    except TypeError as error:
        raise argparse.ArgumentTypeError(f"not the layout of a table: {error}") from None


def run(options: argparse.Namespace) -> None:
    """Run the verb."""
    from videottt.report.tables.written import Shown, TableFiles, write_main_table

    shown, files = from_options(Shown, options), from_options(TableFiles, options)
    print(write_main_table(options.metrics, options.layout, options.paper, shown, files))
