"""Score one video: sufficient statistics, from which any aggregate takes seconds.

Layout of format version 6, for a video of T frames of which N have ground truth for the task::

    /index             int64   [N]        scored frames: those with ground truth
    /statistics/*                         the arrays of the task's `metrics.Statistics`, gzip
    /wall_time/*       float64 [T]        as in the prediction cache: wall time of every frame
    /wall_time/score   float64 [N]        ... of scoring it: reading label and prediction, comparing
    /skipped_steps     int64   [T]        updates left out because loss or gradient was not finite
    /ladder/<M>/statistics/*, /ladder/<M>/wall_time/*, /ladder/<M>/skipped_steps
                                          likewise, after each rung M of an offline method's ladder
    /resets            int64   [T]        1 where predictions had collapsed: the weights were reset
    /memory/*                             as in the prediction cache
    attributes         format, version, dataset, split, task, method, seed, video, fps,
                       iteration (the rung in /statistics; -1 without a ladder), classes (JSON),
                       things (JSON), provenance (JSON)

Two runs on the same predictions agree bit for bit in everything but ``score`` of the groups
``wall_time``, and the checksum.
"""

import json
import logging
import math
import time
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
VERSION = 6
# Statistics of one frame of its label, its prediction and the classes, as `Statistics.of_frame`.
FrameScorer = Callable[[Prediction, Prediction, ClassSpace], Statistics]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Cost:
    """What the predictions of a video took, and what scoring them took.

    Attributes:
        wall_time: for each of `WALL_TIMES`, float64 [T], in seconds.
        skipped_steps: int64 [T].
        score_time: float64 [N], seconds to score each scored frame; empty if not measured.
    """

    wall_time: dict[str, np.ndarray]
    skipped_steps: np.ndarray
    score_time: np.ndarray


@dataclass(frozen=True)
class Scores:
    """The scores of one job.

    Attributes:
        key: the ids of the job.
        split: of the video.
        fps: frames a second of the video.
        index: int64 [N], scored frames.
        statistics: of these frames.
        wall_time: for each of `WALL_TIMES`, float64 [T], in seconds.
        skipped_steps: int64 [T].
        resets: int64 [T].
        peak_memory: of the process, in bytes.
        peak_gpu_memory: bytes; NaN on a CPU.
        score_time: float64 [N], seconds to score each scored frame; empty if not measured.
        ladder: of an offline method: number of updates -> statistics after these.
        costs: of an offline method: number of updates -> what these and their predictions took.
        iteration: of an offline method: number of updates before `statistics`; wall times, skipped
            steps and score times are those of this rung, too.
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
    peak_gpu_memory: float = math.nan
    score_time: np.ndarray = field(default_factory=lambda: np.empty(0))
    ladder: dict[int, Statistics] = field(default_factory=dict)
    costs: dict[int, Cost] = field(default_factory=dict)
    iteration: int | None = None

    @property
    def space(self) -> ClassSpace:
        """Return the classes."""
        return self.statistics.space

    def after(self, iteration: int) -> "Scores":
        """Return the scores and the cost of the predictions after `iteration` offline updates.

        Raises:
            InputError: the ladder has no such rung.
        """
        if iteration not in self.ladder:
            raise InputError(
                f"{self.key.method}: no scores after {iteration} updates; its ladder is "
                f"{list(self.ladder)}"
            )
        cost = vars(self.costs[iteration])
        return replace(self, statistics=self.ladder[iteration], iteration=iteration, **cost)

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
    costs: dict[int | None, Cost] = {}
    for place, rung in enumerate(rungs):
        parts, seconds = [], []
        for frame in index.tolist():
            start = time.perf_counter()
            predicted = _predicted(predictions, rung, frame)
            parts.append(of_frame(label_of(store, frame, task), predicted, store.space))
            seconds.append(time.perf_counter() - start)
            progress.report(place * len(index) + len(parts))
        statistics[rung] = parts[0].joined(parts)
        costs[rung] = Cost(
            {name: predictions.wall_time(name, rung) for name in WALL_TIMES},
            predictions.number("skipped_steps", rung),
            np.array(seconds),
        )
    last = rungs[-1]
    return Scores(
        key=predictions.key,
        split=split,
        fps=store.fps,
        index=index,
        statistics=statistics[last],
        resets=predictions.number("resets"),
        peak_memory=predictions.peak_memory(),
        peak_gpu_memory=predictions.peak_gpu_memory(),
        ladder={rung: each for rung, each in statistics.items() if rung is not None},
        costs={rung: each for rung, each in costs.items() if rung is not None},
        iteration=last,
        **vars(costs[last]),
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
        _write_rung(file, scores.statistics, scores)
        for rung, statistics in scores.ladder.items():
            _write_rung(file.create_group(f"ladder/{rung}"), statistics, scores.costs[rung])
        file["resets"] = scores.resets
        file["memory/peak"] = np.int64(scores.peak_memory)
        file["memory/peak_gpu"] = np.float64(scores.peak_gpu_memory)
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


def _write_rung(group: h5py.Group, statistics: Statistics, cost: Cost | Scores) -> None:
    for name, values in statistics.arrays().items():
        group.create_dataset(f"statistics/{name}", data=values, compression="gzip")
    for name, values in cost.wall_time.items():
        group[f"wall_time/{name}"] = values
    group["wall_time/score"] = cost.score_time
    group["skipped_steps"] = cost.skipped_steps


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

        def statistics(group: h5py.Group) -> Statistics:
            arrays = {name: stored[:] for name, stored in group["statistics"].items()}
            found = kind.from_arrays(arrays, space)
            found.check(len(file["index"]))
            return found

        ladder = {rung: file[f"ladder/{rung}"] for rung in rungs}
        return Scores(
            key=key,
            split=ids["split"],
            fps=float(ids["fps"]),
            index=file["index"][:],
            statistics=statistics(file),
            resets=file["resets"][:],
            peak_memory=int(file["memory/peak"][()]),
            peak_gpu_memory=float(file["memory/peak_gpu"][()]),
            ladder={rung: statistics(group) for rung, group in ladder.items()},
            costs={rung: _cost_in(file, group) for rung, group in ladder.items()},
            iteration=int(ids["iteration"]) if rungs else None,
            **vars(_cost_in(file, file)),
        )


def _cost_in(file: h5py.File, group: h5py.Group) -> Cost:
    """Return the cost that a group of a file holds.

    Raises:
        ValueError: a time or a count is invalid, or of another number of frames.
    """
    wall_time = {name: group[f"wall_time/{name}"][:] for name in WALL_TIMES}
    cost = Cost(wall_time, group["skipped_steps"][:], group["wall_time/score"][:])
    columns = [*wall_time.values(), cost.skipped_steps, file["resets"][:]]
    scored = len(cost.score_time) in (0, len(file["index"]))
    if len({len(values) for values in columns}) > 1 or not scored:
        raise ValueError("times and counts differ in their number of frames")
    for values in (*columns, cost.score_time):
        if not np.isfinite(values).all() or np.min(values, initial=0) < 0:
            raise ValueError("a time or a count is negative or not finite")
    return cost


def _kind_of(task: str) -> type[Statistics]:
    try:
        return statistics_of(task)
    except InputError as error:
        raise ValueError(str(error)) from None
