"""Write table 2, the sizes of the data sets, as CSV, Markdown and LaTeX."""

import argparse

from videottt.cli.arguments import from_options
from videottt.cli.report_arguments import add_files
from videottt.core.paths import named_path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument(
        "--reports", nargs="*", default=[], type=named_path, help="CSV of `check-data`"
    )
    parser.add_argument("--paper", required=True, type=named_path, help="CSV of table 2")
    add_files(parser, "csv", "markdown", "latex")


def run(options: argparse.Namespace) -> None:
    """Run the verb."""
    from videottt.report.tables.written import TableFiles, write_data_table

    print(write_data_table(options.reports, options.paper, from_options(TableFiles, options)))
