"""Compare predictions with labels and write the statistics that every metric is made of."""

import argparse

from videottt.cli.arguments import from_options, settings
from videottt.core.paths import named_path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("--frames", required=True, type=named_path)
    parser.add_argument("--predictions", required=True, type=named_path)
    parser.add_argument("--split", required=True)
    parser.add_argument("--method", help="id for the scores; by default that of the predictions")
    parser.add_argument("--job", default={}, type=settings, help="JSON: {dataset, task, method, "
                        "seed or video: what the predictions must be of}")  # fmt: skip
    parser.add_argument("--iteration", default="last", type=_iteration,
                        help="of an offline method: a number of updates, last, oracle (the best by "
                        "these very scores) or selected (in --selection)")  # fmt: skip
    parser.add_argument("--selection", type=named_path, help="JSON that `videottt select` wrote")
    parser.add_argument("--networks", default={}, type=settings,
                        help="for colorization, JSON: {inception or alexnet: file of its weights}; "
                        "scores of an absent network are NaN")  # fmt: skip
    parser.add_argument("--device", default="auto", help="device of the networks")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", required=True, type=named_path)


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
