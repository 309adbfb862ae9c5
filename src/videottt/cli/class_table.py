"""Write the IoU, AP or PQ of each class of every method of a study as CSV."""

import argparse

from videottt.cli.arguments import names
from videottt.cli.report_arguments import add_metrics
from videottt.core.paths import named_path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    add_metrics(parser)
    parser.add_argument("--methods", required=True, type=names, help="ids in the order of columns")
    parser.add_argument("--output", required=True, type=named_path)


def run(options: argparse.Namespace) -> None:
    """Run the verb."""
    from videottt.report.tables.written import write_class_table

    write_class_table(options.metrics, options.methods, options.output)
