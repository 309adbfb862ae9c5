"""Plot adjacent frames on which a method gains most over the fixed model, and loses most."""

import argparse

from videottt.cli.report_arguments import add_files, add_pair


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the verb takes."""
    add_pair(parser)
    add_files(parser, "png", "pdf")


def run(options: argparse.Namespace) -> None:
    """Run the verb."""
    from videottt.report.figures.strips import plot_strips

    plot_strips(
        options.frames,
        options.fixed,
        options.predictions,
        options.labels,
        options.png,
        options.pdf,
    )
