"""Make one tidy table of every metric of every video and split."""

import argparse
from pathlib import Path

from videottt.cli.arguments import expanded, products


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the verb takes."""
    parser.add_argument("--scores", required=True, nargs="+", help="files; or with --of one "
                        "pattern, such as scores/{dataset}/{method}/{video}.h5")  # fmt: skip
    parser.add_argument("--of", type=products, help="JSON: [{name in the pattern: values}]; every "
                        "combination is a file")  # fmt: skip
    parser.add_argument("--published", type=Path, help="YAML of what is published about data sets: "
                        "also average with the lengths of the released code")  # fmt: skip
    parser.add_argument("--output", required=True, type=Path, help="CSV, one row a number")


def run(options: argparse.Namespace) -> None:
    """Run the verb."""
    from videottt.evaluation.scoring import aggregate_scores

    paths = expanded(options.scores, options.of)
    aggregate_scores(paths, options.published, options.output)
