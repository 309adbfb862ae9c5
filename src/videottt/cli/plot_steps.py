"""Plot reconstruction, loss and metric over the gradient steps on single frames."""

import argparse

from videottt.cli.arguments import from_options
from videottt.cli.report_arguments import add_files, add_frames, add_unscored
from videottt.core.paths import named_path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    add_frames(parser)
    parser.add_argument("--traces", required=True, type=named_path, help="file of `trace`")
    add_unscored(parser)
    add_files(parser, "png", "pdf")


def run(options: argparse.Namespace) -> None:
    """Run the verb."""
    from videottt.report.figures.steps import plot_steps
    from videottt.report.figures.style import FigureFiles

    plot_steps(options.frames, options.traces, options.scored, from_options(FigureFiles, options))
