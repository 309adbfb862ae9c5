"""Add the arguments of the verbs that write tables, figures and videos."""

import argparse
from typing import TYPE_CHECKING

from videottt.cli.arguments import names, settings
from videottt.core.errors import InputError
from videottt.core.paths import named_path
from videottt.core.settings import build_settings

if TYPE_CHECKING:
    from videottt.report.tables.paper import PaperSource


def add_metrics(parser: argparse.ArgumentParser) -> None:
    """Add the table of metrics."""
    parser.add_argument("--metrics", required=True, type=named_path, help="CSV of `aggregate`")


def add_methods(parser: argparse.ArgumentParser) -> None:
    """Add the methods to show, and their names."""
    parser.add_argument("--methods", required=True, type=names, help="ids, in the order shown")
    add_labels(parser)


def add_labels(parser: argparse.ArgumentParser) -> None:
    """Add the names to show for methods."""
    parser.add_argument("--labels", default={}, type=labels, help="JSON: {method: name to show}")


def add_paper(parser: argparse.ArgumentParser) -> None:
    """Add the labels, the model and the published numbers of a table."""
    parser.add_argument("--labels", required=True, type=settings, help="JSON: method id -> label")
    parser.add_argument(
        "--model", required=True, help="preset of the model that the metrics are of"
    )
    parser.add_argument("--beside", default={}, type=_sources,
                        help="published numbers to show beside ours: JSON, "
                        '{task: {"dataset": ..., "splits": {ours: theirs}}}')  # fmt: skip


def add_files(parser: argparse.ArgumentParser, *kinds: str) -> None:
    """Add an output file of each kind."""
    for kind in kinds:
        parser.add_argument(f"--{kind}", required=True, type=named_path)


def add_pair(parser: argparse.ArgumentParser) -> None:
    """Add a video and its predictions with and without learning."""
    add_frames(parser)
    parser.add_argument(
        "--fixed", required=True, type=named_path, help="predictions without learning"
    )
    parser.add_argument(
        "--predictions", required=True, type=named_path, help="predictions of the method"
    )
    add_labels(parser)


def add_frames(parser: argparse.ArgumentParser) -> None:
    """Add a video."""
    parser.add_argument("--frames", required=True, type=named_path, help="frame store of the video")


def add_unscored(parser: argparse.ArgumentParser) -> None:
    """Add the flag for a video without ground truth; it clears the option `scored`."""
    parser.add_argument(
        "--unscored", action="store_false", dest="scored",
        help="the video has no ground truth: show none",
    )  # fmt: skip


def add_film(parser: argparse.ArgumentParser) -> None:
    """Add the video to write, and the source of its sound."""
    parser.add_argument(
        "--sound", type=named_path, help="the source video, for its sound if it has any; with or "
        "without its suffix",
    )  # fmt: skip
    parser.add_argument("--output", required=True, type=named_path, help="mp4")


def labels(text: str) -> dict[str, str]:
    """Read the names to show for methods."""
    return {method: str(label) for method, label in settings(text).items()}


def _sources(text: str) -> "dict[str, PaperSource]":
    """Read the published numbers to show beside ours."""
    from videottt.report.tables.paper import PaperSource

    given = settings(text)
    try:
        return {task: build_settings(PaperSource, of, task) for task, of in given.items()}
    except InputError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
