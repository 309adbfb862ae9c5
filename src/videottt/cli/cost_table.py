"""Write seconds a frame and memory of every method as CSV, Markdown and LaTeX."""

import argparse

from videottt.cli.arguments import from_options, names, settings
from videottt.cli.report_arguments import add_files, add_metrics
from videottt.core.paths import named_path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the verb."""
    add_metrics(parser)
    parser.add_argument("--methods", required=True, type=names, help="ids in the order of rows")
    parser.add_argument("--labels", required=True, type=settings, help="JSON: method id -> label")
    parser.add_argument(
        "--paper", required=True, type=named_path, help="CSV of the paper's table 1"
    )
    add_files(parser, "csv", "markdown", "latex")


def run(options: argparse.Namespace) -> None:
    """Run the verb."""
    from videottt.report.tables.written import TableFiles, write_cost_table

    files = from_options(TableFiles, options)
    print(write_cost_table(options.metrics, options.methods, options.paper, options.labels, files))
