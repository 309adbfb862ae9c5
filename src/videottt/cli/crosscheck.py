"""Verb of rules/crosscheck.smk: our scores beside detectron2's."""

import argparse
import logging
import sys
from pathlib import Path
from typing import Any

from videottt.cli.arguments import add_verb, expanded, products, settings
from videottt.core.errors import InputError
from videottt.core.files import complete_file, write_text

logger = logging.getLogger(__name__)


def add_verbs(verbs: Any) -> None:
    """Add `crosscheck`."""
    verb = add_verb(verbs, "crosscheck", crosscheck)
    for kind in ("frames", "predictions", "scores"):
        verb.add_argument(f"--{kind}", required=True, nargs="+",
                          help="one file a job; the n-th of each kind belong together; or with "
                          "--of one pattern, such as scores/{method}/{video}.h5")  # fmt: skip
    verb.add_argument("--of", type=products, help="JSON: [{name in the patterns: values}]; every "
                      "combination is a job")  # fmt: skip
    verb.add_argument("--predictions-of", type=settings, default={}, metavar="JSON",
                      help="{method: whose predictions are scored as its}, with --of")  # fmt: skip
    verb.add_argument("--csv", required=True, type=Path, help="one row a number")
    verb.add_argument("--markdown", required=True, type=Path)


def crosscheck(options: argparse.Namespace) -> None:
    """Compare scores with what detectron2's evaluators make of the same predictions and labels.

    The exit status is 1 if a number differs.
    """
    from videottt.evaluation.crosscheck.agreement import Files, markdown
    from videottt.evaluation.crosscheck.agreement import crosscheck as compare
    from videottt.evaluation.crosscheck.reference import check_available

    check_available()
    of = options.of
    predicting = of and [
        {**ids, "method": [options.predictions_of.get(m, m) for m in ids["method"]]} for ids in of
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
    agreement = compare([Files(*paths) for paths in zip(*kinds, strict=True)])
    with complete_file(options.csv) as part:
        agreement.table.to_csv(part, index=False, na_rep="NaN")
    write_text(options.markdown, markdown(agreement))
    if not agreement.differing.empty:
        # Snakemake keeps the log of a job that failed, and none of its outputs.
        logger.error("%s", agreement.differing.to_string(index=False))
        logger.error("%s", agreement.verdict)
        sys.exit(1)
    logger.info("%s", agreement.verdict)
