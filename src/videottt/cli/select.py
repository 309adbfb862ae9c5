"""Select the hyper-parameters of a method by their score on the validation videos.

For an offline method, every number of updates in its ladder is a candidate. A warning names each
value at the edge of its grid, beyond which a better one may lie.
"""

import argparse
from dataclasses import replace

from videottt.cli.arguments import settings
from videottt.core.paths import named_path
from videottt.core.settings import build_settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("--method", required=True)
    parser.add_argument("--metric", required=True, help="for example miou_pooled; the larger the "
                        "better")  # fmt: skip
    parser.add_argument(
        "--trial", required=True, action="append", type=settings, dest="trials",
        help='JSON: {"values": {dotted key: value}, "scores": [files]}',
    )  # fmt: skip
    parser.add_argument("--grid", required=True, type=named_path, help="CSV of all trials")
    parser.add_argument("--output", required=True, type=named_path)


def run(options: argparse.Namespace) -> None:
    """Run the verb."""
    from videottt.evaluation.selection import Trial, select

    given = (build_settings(Trial, trial, "selection: trial") for trial in options.trials)
    trials = [replace(each, scores=tuple(map(_file, each.scores))) for each in given]
    select(options.method, options.metric, trials, options.grid, options.output)


def _file(name: str) -> str:
    return str(named_path(name))
