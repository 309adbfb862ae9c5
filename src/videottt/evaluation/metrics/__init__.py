"""From predictions and labels to statistics, and from statistics to numbers.

Adding a task: one file here with its `Statistics`, named below.
"""

import numpy as np

from videottt.core.errors import InputError, nearest
from videottt.core.segments import ClassSpace, Prediction
from videottt.evaluation.metrics.colour import ColourErrors
from videottt.evaluation.metrics.instance import DetectionMatches
from videottt.evaluation.metrics.panoptic import SegmentMatches
from videottt.evaluation.metrics.semantic import ConfusionCounts
from videottt.evaluation.metrics.statistics import Headline, Statistics
from videottt.store.frames import FrameStore

STATISTICS: dict[str, type[Statistics]] = {
    "semantic": ConfusionCounts,
    "instance": DetectionMatches,
    "panoptic": SegmentMatches,
    "colorization": ColourErrors,
}


def statistics_of(task: str) -> type[Statistics]:
    """Return how a task is scored.

    Raises:
        InputError: there is no such task.
    """
    if task not in STATISTICS:
        raise InputError(f"task '{task}' has no metrics; {nearest(task, STATISTICS)}")
    return STATISTICS[task]


def headline(task: str) -> Headline:
    """Return the metric of a task that the paper reports.

    Raises:
        InputError: there is no such task.
    """
    return statistics_of(task).headline


def labelled(store: FrameStore, task: str) -> np.ndarray:
    """Return which frames of a video have what predictions of a task are compared with: bool [T].

    Raises:
        InputError: there is no such task.
    """
    return statistics_of(task).labelled(store)


def label_of(store: FrameStore, index: int, task: str) -> Prediction:
    """Return what the predictions of a task are compared with: of the same form as they are.

    Raises:
        InputError: there is no such task, or the frame cannot be read.
    """
    label: Prediction = statistics_of(task).label(store, index)
    return label


def frame_value(task: str, prediction: Prediction, label: Prediction, space: ClassSpace) -> float:
    """Return the headline metric of one frame by itself, a fraction or dB; NaN = undefined.

    Raises:
        InputError: there is no such task.
    """
    return statistics_of(task).frame_value(label, prediction, space)


__all__ = [
    "Headline",
    "Statistics",
    "frame_value",
    "headline",
    "label_of",
    "labelled",
    "statistics_of",
]
