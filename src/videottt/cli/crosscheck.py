"""Compare scores with those of detectron2's evaluators on the same predictions and labels.

The exit status is 1 if a number differs.
"""

import argparse
import sys
from pathlib import Path

from videottt.cli.arguments import expanded, products, settings
from videottt.core.errors import InputError
from videottt.core.paths import named_path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    for kind in ("frames", "predictions", "scores"):
        parser.add_argument(f"--{kind}", required=True, nargs="+",
                            help="one file a job; the n-th of each kind belong together; or with "
                            "--of one pattern, such as scores/{method}/{video}.h5")  # fmt: skip
    parser.add_argument("--of", type=products, help="JSON: [{name in the patterns: values}]; every "
                        "combination is a job")  # fmt: skip
    parser.add_argument(
        "--predictions-of", type=settings, default={}, metavar="JSON",
        help="{method: whose predictions are scored as its}, with --of",
    )  # fmt: skip
    parser.add_argument("--csv", required=True, type=named_path, help="one row a number")
    parser.add_argument("--markdown", required=True, type=named_path)


def run(options: argparse.Namespace) -> None:
    """Run the verb."""
    from videottt.evaluation.crosscheck.agreement import Files, write_crosscheck
    from videottt.evaluation.crosscheck.reference import check_available

    check_available()
    files = [Files(*paths) for paths in zip(*_paths(options), strict=True)]
    if not write_crosscheck(files, options.csv, options.markdown):
        sys.exit(1)


def _paths(options: argparse.Namespace) -> tuple[list[Path], list[Path], list[Path]]:
    """Return the files of each kind, the same number of each.

    Raises:
        InputError: the kinds have different numbers of files.
    """
    of, others = options.of, options.predictions_of
    predicting = of and [
        {**ids, "method": [others.get(method, method) for method in ids["method"]]} for ids in of
    ]
    kinds = (
        expanded(options.frames, of),
        expanded(options.predictions, predicting),
        expanded(options.scores, of),
    )
    if len({len(paths) for paths in kinds}) > 1:
        raise InputError(
            "crosscheck: --frames, --predictions and --scores have "
            f"{', '.join(str(len(paths)) for paths in kinds)} files; give one of each a job"
        )
    return kinds
