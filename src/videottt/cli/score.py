"""Verbs of rules/score.smk and rules/select.smk: from predictions to numbers."""

import argparse
import json
import logging
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from videottt.cli.arguments import add_verb, expanded, products, settings
from videottt.core.errors import InputError, nearest
from videottt.core.files import complete_file, sha256, write_text

if TYPE_CHECKING:
    from videottt.evaluation.perception import Networks
    from videottt.evaluation.scores import Scores

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
        if not self.scores:
            raise InputError("selection: trial: 'scores' names no file; name one at least")


@dataclass(frozen=True)
class Candidate:
    """A trial, after a number of updates if its method is offline, with its row of the grid."""

    trial: Trial
    iteration: int | None
    row: dict[str, Any]


def add_verbs(verbs: Any) -> None:
    """Add `score`, `aggregate` and `select`."""
    verb = add_verb(verbs, "score", score)
    verb.add_argument("--frames", required=True, type=Path)
    verb.add_argument("--predictions", required=True, type=Path)
    verb.add_argument("--split", required=True)
    verb.add_argument("--method", help="id to score them as; by default that of the predictions")
    verb.add_argument("--job", default={}, type=settings, help="JSON: {dataset, task, method, seed "
                      "or video: what the predictions must be of}")  # fmt: skip
    verb.add_argument("--iteration", default="last", type=_iteration,
                      help="of an offline method: a number of updates, last, oracle (the best by "
                      "these very scores) or selected (in --selection)")  # fmt: skip
    verb.add_argument("--selection", type=Path, help="JSON that `videottt select` wrote")
    verb.add_argument("--networks", default={}, type=settings,
                      help="of colorization: JSON: {inception or alexnet: file of its weights}; "
                      "scores that need one that is not given are NaN")  # fmt: skip
    verb.add_argument("--device", default="auto", help="where the networks are to run")
    verb.add_argument("--threads", type=int, default=1)
    verb.add_argument("--output", required=True, type=Path)

    verb = add_verb(verbs, "aggregate", aggregate)
    verb.add_argument("--scores", required=True, nargs="+", help="files; or with --of one pattern, "
                      "such as scores/{dataset}/{method}/{video}.h5")  # fmt: skip
    verb.add_argument("--of", type=products, help="JSON: [{name in the pattern: values}]; every "
                      "combination is a file")  # fmt: skip
    verb.add_argument("--published", type=Path, help="YAML of what is published about data sets: "
                      "also average with the lengths of the released code")  # fmt: skip
    verb.add_argument("--output", required=True, type=Path, help="CSV, one row a number")

    verb = add_verb(verbs, "select", select)
    verb.add_argument("--method", required=True)
    verb.add_argument("--metric", required=True, help="for example miou_pooled; the larger the "
                      "better")  # fmt: skip
    verb.add_argument("--trial", required=True, action="append", type=settings, dest="trials",
                      help='JSON: {"values": {dotted key: value}, "scores": [files]}')  # fmt: skip
    verb.add_argument("--grid", required=True, type=Path, help="CSV of all trials")
    verb.add_argument("--output", required=True, type=Path)


def score(options: argparse.Namespace) -> None:
    """Compare cached predictions with labels and write sufficient statistics."""
    from videottt.evaluation import scores
    from videottt.evaluation.metrics.colour import ColourErrors
    from videottt.store.frames import FrameStore
    from videottt.store.predictions import PredictionReader

    with (
        FrameStore(options.frames) as store,
        PredictionReader(options.predictions) as predictions,
    ):
        predictions.check_job(options.job)
        networks = _networks(options, predictions.key.task)
        of_frame = partial(ColourErrors.of_frame, networks=networks) if networks.files else None
        result = scores.score_video(store, predictions, options.split, of_frame)
        result = _at_iteration(result, options.iteration, options.selection)
        if options.method:
            result = replace(result, key=replace(result.key, method=options.method))
        made = {
            "predictions": predictions.provenance,
            "settings": predictions.settings,
            "networks": networks.files,
            "device": networks.device,
        }
    scores.write_scores(options.output, result, made)
    for caveat in result.statistics.caveats():
        logger.warning(caveat)
    logger.info("scored %d frames of '%s'", len(result.index), result.key.video)


def _networks(options: argparse.Namespace, task: str) -> "Networks":
    """Return the networks of `--networks` if a task is scored with them, else none.

    Raises:
        InputError: there is no such network, or a file is absent or not of its network.
    """
    from videottt.evaluation.metrics import statistics_of
    from videottt.evaluation.metrics.colour import ColourErrors
    from videottt.evaluation.perception import NO_NETWORKS, load_networks

    if statistics_of(task) is not ColourErrors or not options.networks:
        return NO_NETWORKS
    from videottt.runtime.device import prepare_device

    device = prepare_device(options.device, options.threads)
    return load_networks({name: Path(path) for name, path in options.networks.items()}, device)


def aggregate(options: argparse.Namespace) -> None:
    """Make one tidy table of every metric of every video and split."""
    from videottt.data.check import published
    from videottt.evaluation import scores

    known = published(options.published) if options.published else {}
    released = {dataset: entry["as_released"] for dataset, entry in known.items()}
    paths = expanded(options.scores, options.of)
    table = scores.aggregate(map(scores.read_scores, paths), released)
    with complete_file(options.output) as part:
        table.to_csv(part, index=False, na_rep="NaN")


def select(options: argparse.Namespace) -> None:
    """Choose the hyper-parameters of a method by their score on the validation videos.

    Every rung of an offline method's ladder is a candidate of its own.
    """
    import pandas as pd

    from videottt.core.settings import build_settings
    from videottt.evaluation.metrics.colour import DISTANCES

    if options.metric in DISTANCES:
        raise InputError(
            f"selection of '{options.method}': '{options.metric}' is a distance, of which the "
            "largest is the worst; select by psnr_pooled or inception_score_pooled"
        )
    trials = [build_settings(Trial, trial, "selection: trial") for trial in options.trials]
    candidates = [each for trial in trials for each in _candidates(trial, options.metric)]
    grid = pd.DataFrame([candidate.row for candidate in candidates])
    values = grid[options.metric]
    if values.isna().all():
        raise InputError(f"selection of '{options.method}': '{options.metric}' is NaN everywhere")
    best = int(values.idxmax())
    grid["selected"] = grid.index == best
    with complete_file(options.grid) as part:
        grid.to_csv(part, index=False, na_rep="NaN")
    chosen = {
        "method": options.method,
        "metric": options.metric,
        "value": float(values[best]),
        "selected": candidates[best].trial.values,
        "iteration": candidates[best].iteration,
        "trials": len(trials),
        "scores": {path: sha256(Path(path)) for path in candidates[best].trial.scores},
    }
    write_text(options.output, json.dumps(chosen, indent=2) + "\n")
    logger.info("%s: %s %s", options.method, chosen["selected"], chosen["iteration"] or "")


def _candidates(trial: Trial, metric: str) -> list[Candidate]:
    """Return what can be chosen of one trial, each with its mean score over seeds."""
    from videottt.evaluation import scores

    read = [scores.read_scores(Path(path)) for path in trial.scores]
    found = []
    for iteration in list(read[0].ladder) or [None]:
        at = read if iteration is None else [each.after(iteration) for each in read]
        table = scores.aggregate(at)
        pooled = table[(table.aggregation == "pooled") & (table.metric == metric)]
        if pooled.empty:
            raise InputError(
                f"selection: no metric '{metric}' of the task '{read[0].key.task}'; "
                + nearest(metric, table.metric.unique())
            )
        rung = {} if iteration is None else {"iteration": iteration}
        row = {**trial.values, **rung, metric: pooled.value.mean(), "seeds": len(pooled)}
        found.append(Candidate(trial, iteration, row))
    return found


def _iteration(text: str) -> int | str:
    if text in ("last", "oracle", "selected"):
        return text
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"'{text}' is neither a number of updates nor last, oracle or selected"
        ) from None


def _at_iteration(result: "Scores", iteration: int | str, selection: Path | None) -> "Scores":
    if iteration == "last":
        return result
    if iteration == "oracle":
        return result.oracle()
    if iteration == "selected":
        iteration = _selected_iteration(selection)
    return result.after(iteration)


def _selected_iteration(selection: Path | None) -> int:
    if selection is None:
        raise InputError("score: --iteration selected needs --selection, which file chose it")
    try:
        return int(json.loads(selection.read_text())["iteration"])
    except (OSError, ValueError, LookupError, TypeError, OverflowError, RecursionError) as error:
        raise InputError(f"{selection}: selects no iteration ({error})") from None
