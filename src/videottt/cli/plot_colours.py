"""Plot frames of a video as several methods colourise them."""

import argparse

from videottt.cli.arguments import from_options
from videottt.cli.report_arguments import add_files, add_frames, add_labels, add_unscored
from videottt.core.paths import named_path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    add_frames(parser)
    parser.add_argument(
        "--predictions", required=True, nargs="+", type=named_path, help="images, a row each"
    )
    add_labels(parser)
    add_unscored(parser)
    add_files(parser, "png", "pdf")


def run(options: argparse.Namespace) -> None:
    """Run the verb."""
    from videottt.report.figures.colours import plot_colours
    from videottt.report.figures.style import FigureFiles

    plot_colours(
        options.frames,
        options.predictions,
        options.labels,
        options.scored,
        from_options(FigureFiles, options),
    )
