"""Write every metric of every video and split as one tidy table."""

import argparse

from videottt.cli.arguments import expanded, products
from videottt.core.paths import named_path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("--scores", required=True, nargs="+", help="files; or with --of one "
                        "pattern, such as scores/{dataset}/{method}/{video}.h5")  # fmt: skip
    parser.add_argument("--of", type=products, help="JSON: [{name in the pattern: values}]; every "
                        "combination is a file")  # fmt: skip
    parser.add_argument(
        "--published", type=named_path, help="YAML with published facts about data sets: also "
        "average with the video lengths of the released code",
    )  # fmt: skip
    parser.add_argument("--output", required=True, type=named_path, help="CSV, one row a number")


def run(options: argparse.Namespace) -> None:
    """Run the verb."""
    from videottt.evaluation.scoring import aggregate_scores

    paths = expanded(options.scores, options.of)
    aggregate_scores(paths, options.published, options.output)
