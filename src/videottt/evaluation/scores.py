"""Score one video: sufficient statistics, from which any aggregate takes seconds.

Layout of format version 5, for a video of T frames of which N have ground truth for the task::

    /index             int64   [N]        scored frames: those with ground truth
    /statistics/*                         the arrays of the task's `metrics.Statistics`, gzip
    /ladder/<N>/*                         likewise, after each rung N of an offline method's ladder
    /wall_time/*       float64 [T]        as in the prediction cache: wall time of every frame
    /skipped_steps     int64   [T]        updates left out because loss or gradient was not finite
    /resets            int64   [T]        1 where predictions had collapsed: the weights were reset
    /memory/peak       int64   scalar     bytes
    attributes         format, version, dataset, split, task, method, seed, video, fps,
                       iteration (the rung in /statistics; -1 without a ladder), classes (JSON),
                       things (JSON), provenance (JSON)
"""

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from videottt.core.errors import InputError
from videottt.core.ids import JobKey
from videottt.core.progress import Progress
from videottt.core.segments import ClassSpace, Prediction, stored_space
from videottt.evaluation.metrics import Statistics, headline, label_of, labelled, statistics_of
from videottt.store.frames import FrameStore
from videottt.store.hdf5 import attributes_of, key_of, new_file, read_checked, write_attributes
from videottt.store.predictions import WALL_TIMES, PredictionReader

FORMAT = "videottt scores"
VERSION = 5
# Statistics of one frame of its label, its prediction and the classes, as `Statistics.of_frame`.
FrameScorer = Callable[[Prediction, Prediction, ClassSpace], Statistics]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Scores:
    """The scores of one job.

    Attributes:
        key: the ids of the job.
        split: of the video.
        fps: frames a second of the video.
        index: int64 [N], scored frames.
        statistics: of these frames.
        wall_time: for each of `WALL_TIMES`, float64 [T].
        skipped_steps: int64 [T].
        resets: int64 [T].
        peak_memory: bytes.
        ladder: of an offline method: number of updates -> statistics after these.
        iteration: of an offline method: number of updates before `statistics`.
    """

    key: JobKey
    split: str
    fps: float
    index: np.ndarray
    statistics: Statistics
    wall_time: dict[str, np.ndarray]
    skipped_steps: np.ndarray
    resets: np.ndarray
    peak_memory: int
    ladder: dict[int, Statistics] = field(default_factory=dict)
    iteration: int | None = None

    @property
    def space(self) -> ClassSpace:
        """Return the classes."""
        return self.statistics.space

    def after(self, iteration: int) -> "Scores":
        """Return the scores of the predictions after `iteration` offline updates.

        Raises:
            InputError: the ladder has no such rung.
        """
        if iteration not in self.ladder:
            raise InputError(
                f"{self.key.method}: no scores after {iteration} updates; its ladder is "
                f"{list(self.ladder)}"
            )
        return replace(self, statistics=self.ladder[iteration], iteration=iteration)

    def oracle(self) -> "Scores":
        """Return the best rung by these scores themselves: the paper's upper bound, not a method.

        Paper section 6.1: "we report results from the best iteration on each test video, as
        measured by actual test performance, which would not be available in real world".

        Raises:
            InputError: the method is not offline.
        """
        if not self.ladder:
            raise InputError(
                f"{self.key.method}: no scores to choose from; only an offline method has a ladder"
            )
        metric = headline(self.key.task).pooled
        values = {rung: each.metrics()[metric] for rung, each in self.ladder.items()}
        # NaN would compare as neither better nor worse.
        return self.after(max(values, key=lambda rung: np.nan_to_num(values[rung], nan=-np.inf)))


def score_video(
    store: FrameStore,
    predictions: PredictionReader,
    split: str,
    of_frame: FrameScorer | None = None,
) -> Scores:
    """Compare the predictions of one video with its labels; of an offline method, every rung.

    Args:
        store: the frames and labels.
        predictions: of the same video.
        split: of the video.
        of_frame: scores one frame; None: the task's scorer, without networks.

    Raises:
        InputError: predictions and frames differ in video, classes or length, the predictions are
            of another kind than their task's, or no frame is labelled.
    """
    predictions.check_video(store)
    _check_kind(predictions)
    task = predictions.key.task
    index = np.flatnonzero(labelled(store, task))
    if not index.size:
        raise InputError(
            f"{store.path}: no frame of '{store.video}' is labelled; score labelled videos only"
        )
    of_frame = of_frame or statistics_of(task).of_frame
    rungs: list[int | None] = [*predictions.ladder] or [None]
    progress = Progress(len(rungs) * len(index), "frames")
    statistics: dict[int | None, Statistics] = {}
    for place, rung in enumerate(rungs):
        parts = []
        for frame in index.tolist():
            predicted = _predicted(predictions, rung, frame)
            parts.append(of_frame(label_of(store, frame, task), predicted, store.space))
            progress.report(place * len(index) + len(parts))
        statistics[rung] = parts[0].joined(parts)
    last = rungs[-1]
    return Scores(
        key=predictions.key,
        split=split,
        fps=store.fps,
        index=index,
        statistics=statistics[last],
        wall_time={name: predictions.wall_time(name) for name in WALL_TIMES},
        skipped_steps=predictions.number("skipped_steps"),
        resets=predictions.number("resets"),
        peak_memory=predictions.peak_memory(),
        ladder={rung: of_rung for rung, of_rung in statistics.items() if rung is not None},
        iteration=last,
    )


def _check_kind(predictions: PredictionReader) -> None:
    task = predictions.key.task
    wanted = statistics_of(task).kind
    if predictions.kind != wanted:
        raise InputError(
            f"{predictions.path}: holds predictions of the kind '{predictions.kind}', but the task "
            f"'{task}' is scored on '{wanted}'; predict that video again"
        )


def _predicted(predictions: PredictionReader, rung: int | None, frame: int) -> Prediction:
    if rung is None:
        return predictions.prediction(frame)
    return predictions.prediction_after(rung, frame)


def write_scores(path: Path, scores: Scores, provenance: dict[str, Any]) -> None:
    """Write scores, whole or not at all."""
    with new_file(path) as file:
        file["index"] = scores.index
        _write_statistics(file.create_group("statistics"), scores.statistics)
        for rung, statistics in scores.ladder.items():
            _write_statistics(file.create_group(f"ladder/{rung}"), statistics)
        file["skipped_steps"] = scores.skipped_steps
        file["resets"] = scores.resets
        file["memory/peak"] = scores.peak_memory
        for name, values in scores.wall_time.items():
            file[f"wall_time/{name}"] = values
        write_attributes(
            file,
            format=FORMAT,
            version=VERSION,
            **scores.key.__dict__,
            split=scores.split,
            fps=scores.fps,
            iteration=-1 if scores.iteration is None else scores.iteration,
            classes=json.dumps(scores.space.classes),
            things=json.dumps(scores.space.things),
            provenance=json.dumps(provenance, sort_keys=True),
        )


def _write_statistics(group: h5py.Group, statistics: Statistics) -> None:
    for name, values in statistics.arrays().items():
        group.create_dataset(name, data=values, compression="gzip")


def read_scores(path: Path) -> Scores:
    """Read scores.

    Raises:
        InputError: the file is absent, has another format or an unknown version.
    """
    with read_checked(path, FORMAT, VERSION) as file:
        ids = attributes_of(file)
        key = key_of(ids)
        rungs = sorted(int(name) for name in file.get("ladder", ()))
        space = stored_space(ids["classes"], ids["things"])
        kind = _kind_of(key.task)

        def statistics(name: str) -> Statistics:
            arrays = {array: stored[:] for array, stored in file[name].items()}
            found = kind.from_arrays(arrays, space)
            found.check(len(file["index"]))
            return found

        wall_time = {name: file[f"wall_time/{name}"][:] for name in WALL_TIMES}
        numbers = [*wall_time.values(), file["skipped_steps"][:], file["resets"][:]]
        if len({len(values) for values in numbers}) > 1:
            raise ValueError("times and counts differ in their number of frames")
        if not np.isfinite(numbers).all() or np.min(numbers, initial=0) < 0:
            raise ValueError("a time or a count is negative or not finite")
        return Scores(
            key=key,
            split=ids["split"],
            fps=float(ids["fps"]),
            index=file["index"][:],
            statistics=statistics("statistics"),
            wall_time=wall_time,
            skipped_steps=file["skipped_steps"][:],
            resets=file["resets"][:],
            peak_memory=int(file["memory/peak"][()]),
            ladder={rung: statistics(f"ladder/{rung}") for rung in rungs},
            iteration=int(ids["iteration"]) if rungs else None,
        )


def _kind_of(task: str) -> type[Statistics]:
    try:
        return statistics_of(task)
    except InputError as error:
        raise ValueError(str(error)) from None
