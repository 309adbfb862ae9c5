"""Compute every metric of videos and splits from their scores, as one tidy table."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from videottt.core.errors import InputError
from videottt.evaluation.metrics import headline
from videottt.evaluation.scores import Scores
from videottt.store.predictions import WALL_TIMES

logger = logging.getLogger(__name__)


def aggregate(
    scores: Iterable[Scores], released: Mapping[str, Mapping[str, int]] | None = None
) -> pd.DataFrame:
    """Return every metric of every video and split; log caveats of the pooled values.

    Args:
        scores: of all videos, methods and seeds.
        released: data set -> video -> number of frames in the authors' released code, where it
            differs from the video's.

    Returns:
        One number a row: dataset, split, task, method, seed, aggregation, video, metric, value.
        `aggregation` is "video"; "pooled" (the frames of all videos of a split as of one video);
        "frame_weighted" (mean of the videos' values, weighted by their scored frames; NaN if one
        of them is NaN); or "as_released" (likewise, weighted by the numbers of `released`; only for
        the headline metric by frame, in splits with a video in `released`). Metrics are those of
        `Statistics.metrics` of the task, ``frames``, ``wall_time_<phase>`` per frame,
        ``wall_time_score`` per scored frame (NaN if not measured), ``seconds_per_frame`` (adapt +
        predict), ``skipped_steps``, ``resets``, ``peak_memory_bytes`` of the process and
        ``peak_gpu_memory_bytes`` (NaN on a CPU), both the largest of the videos, and ``iteration``
        (offline updates; NaN for other methods, and where videos differ).

    Raises:
        InputError: videos of one split were scored with different classes or networks, or a video
            is listed twice.
    """
    rows: list[dict[str, Any]] = []
    groups: dict[tuple[str, str, str, str, int], list[Scores]] = {}
    for each in scores:
        ids = (each.key.dataset, each.split, each.key.task, each.key.method, each.key.seed)
        members = groups.setdefault(ids, [])
        if any(other.key.video == each.key.video for other in members):
            raise InputError(
                f"scores of {' '.join(map(str, ids))}: the video '{each.key.video}' is listed "
                "twice; name each file of scores once"
            )
        members.append(each)
    names = ("dataset", "split", "task", "method", "seed")
    for ids, members in groups.items():
        common: dict[str, Any] = dict(zip(names, ids, strict=True))
        videos = [_values(each) for each in members]
        for each, values in zip(members, videos, strict=True):
            rows += _rows(common, "video", each.key.video, values)
        pooled = _joined(members)
        rows += _rows(common, "pooled", "all", _values(pooled))
        for caveat in pooled.statistics.caveats():
            logger.warning("%s: %s", " ".join(map(str, ids)), caveat)
        rows += _rows(common, "frame_weighted", "all", _weighted(videos))
        stated = (released or {}).get(common["dataset"], {})
        if stated.keys() & {each.key.video for each in members}:
            metric = headline(common["task"]).frames
            lengths = [
                stated.get(each.key.video, values["frames"])
                for each, values in zip(members, videos, strict=True)
            ]
            mean = np.average([values[metric] for values in videos], weights=lengths)
            rows += _rows(common, "as_released", "all", {metric: float(mean)})
    return pd.DataFrame(rows)


def _values(scores: Scores) -> dict[str, float]:
    values = scores.statistics.metrics()
    values["frames"] = float(len(scores.index))
    for name, seconds in scores.wall_time.items():
        values[f"wall_time_{name}"] = float(seconds.mean())
    measured = scores.score_time.size > 0
    values["wall_time_score"] = float(scores.score_time.mean()) if measured else np.nan
    values["seconds_per_frame"] = values["wall_time_adapt"] + values["wall_time_predict"]
    values["skipped_steps"] = float(scores.skipped_steps.sum())
    values["resets"] = float(scores.resets.sum())
    values["peak_memory_bytes"] = float(scores.peak_memory)
    values["peak_gpu_memory_bytes"] = float(scores.peak_gpu_memory)
    values["iteration"] = np.nan if scores.iteration is None else float(scores.iteration)
    return values


def _joined(members: list[Scores]) -> Scores:
    first = members[0]
    iterations = {each.iteration for each in members}
    return replace(
        first,
        index=np.concatenate([each.index for each in members]),
        statistics=first.statistics.joined([each.statistics for each in members]),
        wall_time={n: np.concatenate([each.wall_time[n] for each in members]) for n in WALL_TIMES},
        skipped_steps=np.concatenate([each.skipped_steps for each in members]),
        resets=np.concatenate([each.resets for each in members]),
        peak_memory=max(each.peak_memory for each in members),
        peak_gpu_memory=_largest([each.peak_gpu_memory for each in members]),
        score_time=np.concatenate([each.score_time for each in members]),
        ladder={},
        costs={},
        iteration=first.iteration if len(iterations) == 1 else None,
    )


def _weighted(videos: list[dict[str, float]]) -> dict[str, float]:
    """Return means weighted by scored frames, NaN if a video's value is NaN."""
    weights = np.array([values["frames"] for values in videos])
    means = {
        name: float(np.average([values[name] for values in videos], weights=weights))
        for name in videos[0]
    }
    for count in ("frames", "frames_undefined", "skipped_steps", "resets"):
        means[count] = float(sum(values[count] for values in videos))
    for peak in ("peak_memory_bytes", "peak_gpu_memory_bytes"):
        means[peak] = _largest([values[peak] for values in videos])
    if len({values["iteration"] for values in videos}) > 1:
        means["iteration"] = np.nan
    return means


def _largest(values: list[float]) -> float:
    """Return the largest value; NaN only if all are NaN, as the peak of a GPU on CPUs is."""
    return float(np.fmax.reduce(values))


def _rows(
    common: dict[str, Any], aggregation: str, video: str, values: dict[str, float]
) -> list[dict[str, Any]]:
    return [
        {**common, "aggregation": aggregation, "video": video, "metric": metric, "value": value}
        for metric, value in values.items()
    ]
