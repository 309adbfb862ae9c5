"""Select the hyper-parameters of a method by their score on the validation videos."""

import json
import logging
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from videottt.core.errors import InputError, nearest
from videottt.core.files import sha256, write_csv, write_text
from videottt.core.ids import ALL
from videottt.core.provenance import source_tree
from videottt.evaluation.aggregation import aggregate
from videottt.evaluation.metrics.colour import DISTANCES
from videottt.evaluation.scores import read_scores

logger = logging.getLogger(__name__)

# Columns of a grid that are neither a setting nor the metric.
COUNT, SELECTED = "seeds", "selected"
# Column of offline methods: the scored iteration.
ITERATION = "iteration"
# Settings that count something have the end 1, and shares the ends 0 and 1: a grid cannot be
# extended beyond. They are named by the last part of their id. 0 and "all" are ends of any setting.
COUNTS = ("window", "smoothing", "steps", "every", "batch", "votes", ITERATION)
SHARES = ("weight", "statistics_weight", "mask_ratio")


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

    Every rung of the ladder of an offline method is a candidate. Of equal candidates the first is
    chosen. A warning names each setting whose chosen value is at the edge of its grid.

    Args:
        method: its id.
        metric: to maximise, for example "miou_pooled".
        trials: the grid.
        grid: CSV of all candidates to write; a value without a limit, null, is written as "all".
        output: JSON of the chosen candidate to write, and in `at_edge` the settings at an edge.

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
    table[SELECTED] = table.index == best
    edges = at_edge(table, settings_of(table, metric))
    write_csv(grid, table)
    chosen = candidates[best]
    selection = {
        "method": method,
        "metric": metric,
        "value": float(values.iloc[best]),
        "selected": chosen.trial.values,
        **source_tree(),
        "iteration": chosen.iteration,
        "at_edge": edges,
        "trials": len(trials),
        "scores": {path: sha256(Path(path)) for path in chosen.trial.scores},
    }
    write_text(output, json.dumps(selection, indent=2) + "\n")
    logger.info("%s: %s %s", method, chosen.trial.values, chosen.iteration or "")
    for setting in edges:
        _warn_of_edge(method, setting, text_of(chosen.row[setting]))


def _warn_of_edge(method: str, setting: str, value: str) -> None:
    extended = "its ladder" if setting == ITERATION else f"selection.grids.{method}"
    logger.warning(
        "%s: the selected %s, %s, is at the edge of its grid: a better value may lie beyond; "
        "extend %s in workflow/config and select again",
        method, setting, value, extended,
    )  # fmt: skip


def settings_of(grid: pd.DataFrame, metric: str) -> list[str]:
    """Return the columns of a grid that are settings, the iteration of offline methods included."""
    return [name for name in grid.columns if name not in (metric, COUNT, SELECTED)]


def at_edge(grid: pd.DataFrame, settings: Iterable[str]) -> list[str]:
    """Return the settings of which the chosen trial has the least or the largest number tried.

    A better value may lie beyond. Words have no edge, nor has an end of what the setting may be,
    as a window of 1 frame or of all: there, nothing lies beyond.

    Args:
        grid: trials, one a row, with a bool column `selected` that is true once.
        settings: columns; one with a single value is no axis of the grid, and has no edge.
    """
    chosen = grid[grid[SELECTED]].iloc[0]
    edges = []
    for setting in settings:
        numbers = [number_of(value) for value in grid[setting]]
        known = {number for number in numbers if number is not None}
        number = number_of(chosen[setting])
        if len(known) > 1 and None not in numbers and number in (min(known), max(known)):
            has_end = setting.rpartition(".")[2] in COUNTS + SHARES
            ends = {0.0, 1.0, math.inf} if has_end else {0.0, math.inf}
            edges += [] if number in ends else [setting]
    return edges


def ordered(values: Iterable[Any]) -> list[str]:
    """Return the distinct values of a setting as text.

    Numbers come first, ascending, then "all", then words in the order of their appearance.
    """
    distinct = {text_of(value): number_of(value) for value in values}
    numbers = {text: number for text, number in distinct.items() if number is not None}
    return [*sorted(numbers, key=numbers.__getitem__), *(t for t in distinct if t not in numbers)]


def number_of(value: Any) -> float | None:
    """Return a value of a grid as a number: infinity if it has no limit, None if it is a word."""
    if value is None or value == ALL:
        return math.inf
    if isinstance(value, bool | np.bool_):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return None if math.isnan(number) else number


def text_of(value: Any) -> str:
    """Return a value of a grid as text; "all" if it has no limit."""
    number = number_of(value)
    if number is None:
        return str(value)
    return ALL if math.isinf(number) else f"{number:g}"


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
        rung = {} if iteration is None else {ITERATION: iteration}
        values = {name: ALL if value is None else value for name, value in trial.values.items()}
        # A trial that is undefined for one seed is not better than one that is defined for all.
        mean = pooled.value.mean(skipna=False)
        row = {**values, **rung, metric: mean, COUNT: len(pooled)}
        candidates.append(Candidate(trial, iteration, row))
    return candidates
