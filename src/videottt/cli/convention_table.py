"""Write each method's metric and gain under every way to average, as CSV and Markdown."""

import argparse

from videottt.cli.arguments import from_options, names, settings
from videottt.cli.report_arguments import add_files, add_metrics


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    add_metrics(parser)
    parser.add_argument("--methods", required=True, type=names, help="ids in the order of rows")
    parser.add_argument("--labels", required=True, type=settings, help="JSON: method id -> label")
    add_files(parser, "csv", "markdown")


def run(options: argparse.Namespace) -> None:
    """Run the verb."""
    from videottt.report.tables.written import TableFiles, write_convention_table

    files = from_options(TableFiles, options)
    print(write_convention_table(options.metrics, options.methods, options.labels, files))
