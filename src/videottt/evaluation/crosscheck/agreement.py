"""Compare our scores with detectron2's, on the same predictions and labels."""

import contextlib
import functools
import logging
import math
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from tabulate import tabulate

from videottt.core.errors import InputError
from videottt.core.files import write_csv, write_text
from videottt.evaluation.aggregation import aggregate
from videottt.evaluation.crosscheck.reference import Frame, reference
from videottt.evaluation.metrics import headline, label_of
from videottt.evaluation.scores import Scores, read_scores
from videottt.store.frames import FrameStore
from videottt.store.predictions import PredictionReader

logger = logging.getLogger(__name__)

# Both sides divide the same counts of pixels and segments. Only rounding differs: detectron2 gives
# percentages, panopticapi sums IoUs in another order.
TOLERANCE = 1e-12
# Characters a line of the caption.
WIDTH = 110
ALL = "all"  # videos of a split, as in scores.aggregate
IDS = ["dataset", "split", "task", "method", "seed", "video"]
YES, NO, NOT_GIVEN = "yes", "no", "–"
# Metric averaged over single frames. The mean IoU is over the classes in the ground truth, as in
# current detectron2.
OF_FRAMES = {"semantic": "miou_frames", "instance": "ap_frames", "panoptic": "pq_frames"}


class Files(NamedTuple):
    """The files of one video and method."""

    frames: Path
    predictions: Path
    scores: Path


@dataclass(frozen=True)
class Agreement:
    """Our scores and detectron2's.

    Attributes:
        table: one number a row: `IDS`, metric, frames, ours, detectron2, difference, agrees.
            Numbers are fractions in 0..1. `agrees` is "yes", "no", or "–" where detectron2 gives no
            value. A metric of `OF_FRAMES` is a mean over the `frames` that detectron2 gives a value
            for, and agrees if each of them does; the mean of our tables is over all frames.
    """

    table: pd.DataFrame

    @property
    def differing(self) -> pd.DataFrame:
        """Return the rows that do not agree."""
        return self.table[self.table.agrees == NO]

    @property
    def verdict(self) -> str:
        """Return in one line whether all numbers agree."""
        compared = self.table[self.table.agrees != NOT_GIVEN]
        found = (
            f"{len(compared)} numbers compared with detectron2's, "
            f"{len(self.table) - len(compared)} that it does not give"
        )
        if self.differing.empty:
            largest = compared.difference.abs().max()
            return (
                f"{found}: all agree within {TOLERANCE:g}, the largest difference is {largest:.2g}"
            )
        return f"{found}: {len(self.differing)} DIFFER by more than {TOLERANCE:g}"


def crosscheck(files: Sequence[Files]) -> Agreement:
    """Compare our scores with detectron2's, for every video and for all videos of a split.

    Args:
        files: of at least one video.

    Raises:
        InputError: a file cannot be read, or the three of a video do not belong together.
    """
    jobs: dict[tuple[str, str, str, str, int], list[tuple[Files, Scores]]] = {}
    for each in files:
        scores = read_scores(each.scores)
        key = scores.key
        ids = (key.dataset, scores.split, key.task, key.method, key.seed)
        jobs.setdefault(ids, []).append((each, scores))
    rows = [row for ids, members in jobs.items() for row in _compared(ids, members)]
    return Agreement(pd.DataFrame(rows))


def _compared(
    ids: tuple[str, str, str, str, int], members: Sequence[tuple[Files, Scores]]
) -> list[dict[str, Any]]:
    """Return the rows of one method and seed on one split."""
    task, space = ids[2], members[0][1].space
    ours = _our_values([scores for _, scores in members])
    alone = {scores.key.video: scores.statistics.frame_values() for _, scores in members}
    with contextlib.ExitStack() as opened:
        frames = {
            scores.key.video: opened.enter_context(_frames(files, scores))
            for files, scores in members
        }
        theirs = {video: reference(task, each, space) for video, each in frames.items()}
        theirs_alone = {
            video: [reference(task, [frame], space)[headline(task).pooled] for frame in each]
            for video, each in frames.items()
        }
        every = [frame for each in frames.values() for frame in each]
        # A single video is the whole split.
        theirs[ALL] = (
            reference(task, every, space) if len(frames) > 1 else next(iter(theirs.values()))
        )
    alone[ALL] = np.concatenate(list(alone.values()))
    theirs_alone[ALL] = [value for each in theirs_alone.values() for value in each]
    rows = []
    for video, values in theirs.items():
        common = dict(zip(IDS, (*ids, video), strict=True))
        single = _of_frames(alone[video], theirs_alone[video])
        rows.append({**common, "metric": OF_FRAMES[task], **single})
        for metric, value in values.items():
            numbers = {"frames": len(alone[video]), **_row(ours[video, metric], value)}
            rows.append({**common, "metric": metric, **numbers})
    return rows


def _our_values(scores: Sequence[Scores]) -> dict[tuple[str, str], float]:
    """Return (video, metric) -> value of our tables; video "all" is pooled."""
    table = aggregate(scores)
    table = table[table.aggregation.isin(["video", "pooled"])]
    return dict(zip(zip(table.video, table.metric, strict=True), table.value, strict=True))


@contextlib.contextmanager
def _frames(files: Files, scores: Scores) -> Iterator[list[Frame]]:
    """Yield the labelled frames of a video, which can be read inside the block.

    Raises:
        InputError: the files do not belong together.
    """
    with FrameStore(files.frames) as store, PredictionReader(files.predictions) as predictions:
        predictions.check_video(store)
        key, predicted = scores.key, predictions.key
        # A method may be scored on the predictions of another, offline, after a rung.
        if (key.dataset, key.task, key.seed, key.video) != (
            predicted.dataset, predicted.task, predicted.seed, predicted.video
        ):  # fmt: skip
            raise InputError(
                f"{files.scores}: is of '{key.video}' ({key.dataset}, {key.task}, seed {key.seed}) "
                f"but {files.predictions} of '{predicted.video}' ({predicted.dataset}, "
                f"{predicted.task}, seed {predicted.seed}); list the files of all three kinds in "
                "the same order"
            )
        index = np.flatnonzero(store.labelled)
        if scores.space != store.space or not np.array_equal(scores.index, index):
            raise InputError(
                f"{files.scores}: scores other classes, things or frames than {files.frames} has; "
                "score that video again"
            )
        predict = (
            predictions.prediction
            if scores.iteration is None
            else functools.partial(predictions.prediction_after, scores.iteration)
        )
        yield [
            Frame(
                functools.partial(label_of, store, frame, key.task),
                functools.partial(predict, frame),
            )
            for frame in index.tolist()
        ]


def _row(ours: float, theirs: float | None) -> dict[str, float | str]:
    value = np.nan if theirs is None else theirs
    agrees = _agrees(ours, theirs)
    return {"ours": ours, "detectron2": value, "difference": ours - value, "agrees": agrees}


def _of_frames(ours: np.ndarray, theirs: Sequence[float | None]) -> dict[str, float | str]:
    """Return the mean over the frames for which both sides have a value."""
    each = [_agrees(*pair) for pair in zip(ours.tolist(), theirs, strict=True)]
    given = np.array(each) != NOT_GIVEN
    pairs = np.stack([ours, np.array(theirs, np.float64)])[:, given & ~np.isnan(ours)]
    means = pairs.mean(axis=1) if pairs.size else np.full(2, np.nan)
    return {
        "frames": pairs.shape[1],
        **_row(*means.tolist()),
        "agrees": NO if NO in each else YES if given.any() else NOT_GIVEN,
    }


def _agrees(ours: float, theirs: float | None) -> str:
    if theirs is None:
        return NOT_GIVEN
    if math.isnan(theirs):
        # Not defined in detectron2, but 0 here: the IoU of a class that is predicted but not in the
        # ground truth, and the AP without any prediction.
        return YES if math.isnan(ours) else NOT_GIVEN if ours == 0 else NO
    return YES if abs(ours - theirs) <= TOLERANCE else NO


def markdown(agreement: Agreement) -> str:
    """Return an agreement to read: headline metrics, largest differences, verdict."""
    table = agreement.table
    pooled = table.task.map(lambda task: headline(task).pooled)
    parts = [
        "**Our scores beside detectron2's**",
        _pipe_table(table[(table.metric == pooled) | table.metric.isin(OF_FRAMES.values())]),
        "Of every metric, over all videos, methods and seeds:",
        _pipe_table(_by_metric(table)),
    ]
    if not agreement.differing.empty:
        parts += ["What differs:", _pipe_table(agreement.differing)]
    caption = (
        "Fractions, not percent. video all: all videos of the split, pooled. NaN: not defined. "
        f"{', '.join(OF_FRAMES.values())}: means over single frames with a value of detectron2. "
        f"agrees: {YES}, {NO}, or {NOT_GIVEN} where detectron2 gives no value: IoU of a predicted "
        "class without ground truth, AP without predictions (0 in ours), PQ without things or "
        "stuff. More: docs/metrics.md."
    )
    return "\n\n".join([*parts, textwrap.fill(caption, WIDTH), agreement.verdict]) + "\n"


def _by_metric(table: pd.DataFrame) -> pd.DataFrame:
    kinds = table.metric.str.replace(":.*", ":<class>", regex=True)
    rows = []
    for (dataset, task, metric), each in table.groupby(
        [table.dataset, table.task, kinds], sort=False
    ):
        rows.append(
            {
                "dataset": dataset,
                "task": task,
                "metric": metric,
                "compared": int((each.agrees != NOT_GIVEN).sum()),
                "not given": int((each.agrees == NOT_GIVEN).sum()),
                "largest difference": each.difference[each.agrees != NOT_GIVEN].abs().max(),
            }
        )
    return pd.DataFrame(rows)


def _pipe_table(table: pd.DataFrame) -> str:
    rows = [[_cell(value) for value in row] for row in table.itertuples(index=False)]
    return tabulate(rows, headers=list(table.columns), tablefmt="pipe", disable_numparse=True)


def _cell(value: object) -> str:
    if not isinstance(value, float):
        return str(value)
    # Of a difference, the power of ten matters; of a score, six digits.
    return "NaN" if math.isnan(value) else f"{value:.6f}" if abs(value) > 1e-4 else f"{value:.2g}"


def write_crosscheck(files: Sequence[Files], csv: Path, markdown_file: Path) -> bool:
    """Write our scores beside detectron2's; return whether all numbers agree.

    Args:
        files: of at least one video.
        csv: one number a row.
        markdown_file: the main numbers to read.

    Raises:
        InputError: a file cannot be read, or the files of one video are of different jobs.
    """
    agreement = crosscheck(files)
    write_csv(csv, agreement.table)
    write_text(markdown_file, markdown(agreement))
    if agreement.differing.empty:
        logger.info("%s", agreement.verdict)
        return True
    # Logged, because Snakemake keeps the log of a failed job but not its outputs.
    logger.error("%s", agreement.differing.to_string(index=False))
    logger.error("%s", agreement.verdict)
    return False
