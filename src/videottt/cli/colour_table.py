"""Write table 3, the scores of colorization, as CSV, Markdown and LaTeX."""

import argparse

from videottt.cli.arguments import from_options, names, settings
from videottt.cli.report_arguments import add_files, add_metrics, add_paper
from videottt.core.paths import named_path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    add_metrics(parser)
    parser.add_argument("--methods", required=True, type=names, help="ids in the order of rows")
    parser.add_argument("--paper", required=True, type=named_path, help="CSV of table 3")
    add_paper(parser)
    parser.add_argument("--notes", default={}, type=settings,
                        help="JSON: inception, alexnet or method -> why it is absent")  # fmt: skip
    add_files(parser, "csv", "markdown", "latex")


def run(options: argparse.Namespace) -> None:
    """Run the verb."""
    from videottt.report.tables.written import Shown, TableFiles, write_colour_table

    shown, files = from_options(Shown, options), from_options(TableFiles, options)
    print(
        write_colour_table(
            options.metrics, options.methods, options.paper, options.notes, shown, files
        )
    )
