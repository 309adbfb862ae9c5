"""Score the cached predictions of one video, and aggregate scores."""

import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from videottt.core.errors import InputError
from videottt.core.files import write_csv
from videottt.core.provenance import recorded
from videottt.evaluation.metrics import statistics_of
from videottt.evaluation.metrics.colour import ColourErrors
from videottt.evaluation.perception import NO_NETWORKS, Networks, load_networks
from videottt.evaluation.scores import Scores, read_scores, score_video, write_scores
from videottt.store.frames import FrameStore
from videottt.store.predictions import PredictionReader

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ScoringJob:
    """One file of predictions to score.

    Attributes:
        frames: frame store of the video.
        predictions: file to score.
        split: of the video.
        output: file of scores to write.
        method: id to score the predictions as; None: their own.
        job: ids that the predictions must have, by name; see `core.ids.JobKey`.
        iteration: of an offline method: a number of updates, "last", "oracle" (the best by these
            scores themselves) or "selected".
        selection: file of `videottt select` that chose the iteration "selected".
        networks: name of a network -> file of its weights; scores without their network are NaN.
        device: of the networks.
        threads: CPU threads.
    """

    frames: Path
    predictions: Path
    split: str
    output: Path
    method: str | None = None
    job: Mapping[str, Any] = field(default_factory=dict)
    iteration: int | str = "last"
    selection: Path | None = None
    networks: Mapping[str, str] = field(default_factory=dict)
    device: str = "auto"
    threads: int = 1


def score_predictions(job: ScoringJob) -> None:
    """Compare cached predictions with labels and write sufficient statistics.

    Raises:
        InputError: a file is absent or has another format, or the predictions are of another job.
    """
    with FrameStore(job.frames) as store, PredictionReader(job.predictions) as predictions:
        predictions.check_job(job.job)
        networks = _networks(job, predictions.key.task)
        of_frame = partial(ColourErrors.of_frame, networks=networks) if networks.files else None
        scores = score_video(store, predictions, job.split, of_frame)
        scores = _at_iteration(scores, job.iteration, job.selection)
        if job.method:
            scores = replace(scores, key=replace(scores.key, method=job.method))
        identity = {
            "predictions": predictions.provenance,
            "settings": predictions.settings,
            "networks": networks.files,
            "device": networks.device,
        }
    write_scores(job.output, scores, recorded(identity))
    for caveat in scores.statistics.caveats():
        logger.warning(caveat)
    logger.info("scored %d frames of '%s'", len(scores.index), scores.key.video)


def aggregate_scores(paths: Iterable[Path], published_file: Path | None, output: Path) -> None:
    """Write every metric of every video and split as one tidy CSV.

    Args:
        paths: files of scores.
        published_file: YAML of published facts about data sets, to average also with the lengths of
            the released code; None: do not.
        output: CSV, one number a row.

    Raises:
        InputError: a file is absent or has another format.
    """
    # Here, because every video is scored by a job of its own, which does not need pandas.
    from videottt.data.check import read_published
    from videottt.evaluation.aggregation import aggregate

    known = read_published(published_file) if published_file else {}
    released = {dataset: entry["as_released"] for dataset, entry in known.items()}
    table = aggregate(map(read_scores, paths), released)
    write_csv(output, table)


def _networks(job: ScoringJob, task: str) -> Networks:
    """Return the networks of a job, none if its task is scored without them.

    Raises:
        InputError: a network is unknown, or its file is absent or of another network.
    """
    if statistics_of(task) is not ColourErrors or not job.networks:
        return NO_NETWORKS
    # Here, because other scores do not need torch.
    from videottt.runtime.device import prepare_device

    device = prepare_device(job.device, job.threads)
    return load_networks({name: Path(path) for name, path in job.networks.items()}, device)


def _at_iteration(scores: Scores, iteration: int | str, selection: Path | None) -> Scores:
    if iteration == "last":
        return scores
    if iteration == "oracle":
        return scores.oracle()
    if iteration == "selected":
        iteration = _selected_iteration(selection)
    return scores.after(int(iteration))


def _selected_iteration(selection: Path | None) -> int:
    if selection is None:
        raise InputError("score: --iteration selected needs --selection; give the file of 'select'")
    try:
        return int(json.loads(selection.read_text())["iteration"])
    except (OSError, ValueError, LookupError, TypeError, OverflowError, RecursionError) as error:
        raise InputError(
            f"{selection}: selects no iteration ({error}); make it again with 'select'"
        ) from None
