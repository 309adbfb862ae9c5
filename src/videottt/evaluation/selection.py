"""Select the hyper-parameters of a method by their score on the validation videos."""

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from videottt.core.errors import InputError, nearest
from videottt.core.files import sha256, write_csv, write_text
from videottt.evaluation.aggregation import aggregate
from videottt.evaluation.metrics.colour import DISTANCES
from videottt.evaluation.scores import read_scores

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

    def __post_init__(self) -> None:
        """Check that the trial names a file of scores."""
        if not self.scores:
            raise InputError("selection: trial: 'scores' names no file; name at least one")


@dataclass(frozen=True)
class Candidate:
    """A trial and its row of the grid; of an offline method, after a number of updates."""

    trial: Trial
    iteration: int | None
    row: dict[str, Any]


def select(method: str, metric: str, trials: Sequence[Trial], grid: Path, output: Path) -> None:
    """Choose the best trial of a method.

    Every rung of the ladder of an offline method is a candidate.

    Args:
        method: its id.
        metric: to maximise, for example "miou_pooled".
        trials: the grid.
        grid: CSV of all candidates to write.
        output: JSON of the chosen candidate to write.

    Raises:
        InputError: the metric is a distance, unknown or NaN everywhere, or a file holds no scores.
    """
    if metric in DISTANCES:
        raise InputError(
            f"selection of '{method}': '{metric}' is a distance, of which the largest is the "
            "worst; select by psnr_pooled or inception_score_pooled"
        )
    candidates = [candidate for trial in trials for candidate in _candidates(trial, metric)]
    table = pd.DataFrame([candidate.row for candidate in candidates])
    values = table[metric]
    if values.isna().all():
        raise InputError(
            f"selection of '{method}': '{metric}' is NaN everywhere; select by another metric"
        )
    best = int(values.to_numpy(float, na_value=float("-inf")).argmax())
    table["selected"] = table.index == best
    write_csv(grid, table)
    chosen = candidates[best]
    selection = {
        "method": method,
        "metric": metric,
        "value": float(values.iloc[best]),
        "selected": chosen.trial.values,
        "iteration": chosen.iteration,
        "trials": len(trials),
        "scores": {path: sha256(Path(path)) for path in chosen.trial.scores},
    }
    write_text(output, json.dumps(selection, indent=2) + "\n")
    logger.info("%s: %s %s", method, chosen.trial.values, chosen.iteration or "")


def _candidates(trial: Trial, metric: str) -> list[Candidate]:
    """Return the candidates of one trial, with their mean scores over seeds."""
    read = [read_scores(Path(path)) for path in trial.scores]
    candidates = []
    rungs: list[int | None] = [*read[0].ladder] or [None]
    for iteration in rungs:
        at = read if iteration is None else [scores.after(iteration) for scores in read]
        table = aggregate(at)
        pooled = table[(table.aggregation == "pooled") & (table.metric == metric)]
        if pooled.empty:
            raise InputError(
                f"selection: no metric '{metric}' of the task '{read[0].key.task}'; "
                + nearest(metric, table.metric.unique())
            )
        rung = {} if iteration is None else {"iteration": iteration}
        row = {**trial.values, **rung, metric: pooled.value.mean(), "seeds": len(pooled)}
        candidates.append(Candidate(trial, iteration, row))
    return candidates
