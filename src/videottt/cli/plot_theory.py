"""Plot the measured bias and variance of the theorem, and its best windows beside figure 4."""

import argparse

from videottt.cli.arguments import from_options
from videottt.cli.report_arguments import add_files, add_labels
from videottt.core.paths import named_path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument(
        "--theory", required=True, nargs="+", type=named_path, help="videos and seeds"
    )
    parser.add_argument(
        "--sweep", required=True, type=named_path, help="CSV of the sweep of the window"
    )
    parser.add_argument("--split", required=True, help="split of the sweep that the videos are in")
    parser.add_argument("--method", required=True, help="id of the method whose window is swept")
    parser.add_argument("--base-value", required=True, help="of the method itself: a number or all")
    parser.add_argument("--fixed", required=True, help="id of the method that does not learn")
    add_labels(parser)
    add_files(parser, "png", "pdf", "csv", "markdown")


def run(options: argparse.Namespace) -> None:
    """Run the verb."""
    from videottt.report.figures.style import FigureFiles
    from videottt.report.figures.theory import WindowSweep, plot_theory

    plot_theory(
        options.theory,
        options.sweep,
        WindowSweep(options.method, options.base_value, options.split, options.fixed),
        options.labels,
        options.csv,
        options.markdown,
        from_options(FigureFiles, options),
    )
