"""Plot what `diagnose` found on the videos and seeds of a study, and write it as a table."""

import argparse

from videottt.cli.arguments import from_options
from videottt.cli.report_arguments import add_files
from videottt.core.paths import named_path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument(
        "--diagnoses", required=True, nargs="+", type=named_path, help="files of `diagnose`"
    )
    add_files(parser, "png", "pdf", "csv", "markdown")


def run(options: argparse.Namespace) -> None:
    """Run the verb."""
    from videottt.report.figures.diagnosis import plot_diagnosis
    from videottt.report.figures.style import FigureFiles

    files = from_options(FigureFiles, options)
    print(plot_diagnosis(options.diagnoses, options.csv, options.markdown, files))
