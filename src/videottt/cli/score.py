"""Verbs of rules/score.smk and rules/select.smk: from predictions to numbers."""

import argparse
import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from videottt.cli.arguments import add_verb, settings
from videottt.errors import InputError
from videottt.files import complete_file, sha256, write_text

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Trial:
    """One point of the grid of a selection.

    Attributes:
        values: dotted setting -> value.
        scores: score files of the validation videos.
    """

    values: dict[str, Any]
    scores: tuple[str, ...]


def add_verbs(verbs: Any) -> None:
    """Add `score`, `aggregate` and `select`."""
    verb = add_verb(verbs, "score", score)
    verb.add_argument("--frames", required=True, type=Path)
    verb.add_argument("--predictions", required=True, type=Path)
    verb.add_argument("--split", required=True)
    verb.add_argument("--output", required=True, type=Path)

    verb = add_verb(verbs, "aggregate", aggregate)
    verb.add_argument("--scores", required=True, nargs="+", type=Path)
    verb.add_argument("--output", required=True, type=Path, help="CSV, one row a number")

    verb = add_verb(verbs, "select", select)
    verb.add_argument("--method", required=True)
    verb.add_argument("--metric", required=True, help="for example miou_pooled")
    verb.add_argument("--trial", required=True, action="append", type=settings, dest="trials",
                      help='JSON: {"values": {dotted key: value}, "scores": [files]}')  # fmt: skip
    verb.add_argument("--grid", required=True, type=Path, help="CSV of all trials")
    verb.add_argument("--output", required=True, type=Path)


def score(options: argparse.Namespace) -> None:
    """Compare cached predictions with labels and write sufficient statistics."""
    from videottt import scores
    from videottt.frames import FrameStore
    from videottt.predictions import PredictionReader

    with (
        FrameStore(options.frames) as store,
        PredictionReader(options.predictions) as predictions,
    ):
        result = scores.score_video(store, predictions, options.split)
        made = {"predictions": predictions.provenance, "settings": predictions.settings}
    scores.write_scores(options.output, result, made)
    logger.info("scored %d frames of '%s'", len(result.index), result.key.video)


def aggregate(options: argparse.Namespace) -> None:
    """Make one tidy table of every metric of every video and split."""
    from videottt import scores

    table = scores.aggregate(scores.read_scores(path) for path in options.scores)
    with complete_file(options.output) as part:
        table.to_csv(part, index=False, na_rep="NaN")


def select(options: argparse.Namespace) -> None:
    """Choose the hyper-parameters of a method by their score on the validation videos."""
    import pandas as pd

    from videottt import scores
    from videottt.settings import build_settings

    trials = [build_settings(Trial, trial, "selection: trial") for trial in options.trials]
    rows = []
    for trial in trials:
        read = [scores.read_scores(Path(path)) for path in trial.scores]
        table = scores.aggregate(read)
        pooled = table[(table.aggregation == "pooled") & (table.metric == options.metric)]
        if pooled.empty:
            raise InputError(
                f"selection: no metric '{options.metric}'; take one of "
                + ", ".join(sorted(table.metric.unique())[:6])
            )
        rows.append({**trial.values, options.metric: pooled.value.mean(), "seeds": len(pooled)})
    grid = pd.DataFrame(rows)
    if grid[options.metric].isna().all():
        raise InputError(f"selection of '{options.method}': '{options.metric}' is NaN everywhere")
    best = int(grid[options.metric].idxmax())
    with complete_file(options.grid) as part:
        grid.to_csv(part, index=False, na_rep="NaN")
    chosen = {
        "method": options.method,
        "metric": options.metric,
        "value": float(grid[options.metric][best]),
        "selected": trials[best].values,
        "scores": {path: sha256(Path(path)) for path in trials[best].scores},
    }
    write_text(options.output, json.dumps(chosen, indent=2) + "\n")
    logger.info("%s: %s", options.method, chosen["selected"])
