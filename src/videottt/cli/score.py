"""Compare cached predictions with labels and write sufficient statistics."""

import argparse
from pathlib import Path

from videottt.cli.arguments import from_options, settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the verb takes."""
    parser.add_argument("--frames", required=True, type=Path)
    parser.add_argument("--predictions", required=True, type=Path)
    parser.add_argument("--split", required=True)
    parser.add_argument("--method", help="id to score them as; by default that of the predictions")
    parser.add_argument("--job", default={}, type=settings, help="JSON: {dataset, task, method, "
                        "seed or video: what the predictions must be of}")  # fmt: skip
    parser.add_argument("--iteration", default="last", type=_iteration,
                        help="of an offline method: a number of updates, last, oracle (the best by "
                        "these very scores) or selected (in --selection)")  # fmt: skip
    parser.add_argument("--selection", type=Path, help="JSON that `videottt select` wrote")
    parser.add_argument("--networks", default={}, type=settings,
                        help="of colorization: JSON: {inception or alexnet: file of its weights}; "
                        "scores that need one that is not given are NaN")  # fmt: skip
    parser.add_argument("--device", default="auto", help="where the networks are to run")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", required=True, type=Path)


def _iteration(text: str) -> int | str:
    if text in ("last", "oracle", "selected"):
        return text
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"'{text}' is neither a number of updates nor last, oracle or selected"
        ) from None


def run(options: argparse.Namespace) -> None:
    """Run the verb."""
    from videottt.evaluation.scoring import ScoringJob, score_predictions

    score_predictions(from_options(ScoringJob, options))
