"""Turn predictions and labels into statistics of frames, and statistics into metrics.

To add a task, add a module with its `Statistics` and list it in `STATISTICS`.
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
    """Return the kind of statistics that a task is scored with.

    Raises:
        InputError: the task is unknown.
    """
    if task not in STATISTICS:
        raise InputError(f"task '{task}' has no metrics; {nearest(task, STATISTICS)}")
    return STATISTICS[task]


def headline(task: str) -> Headline:
    """Return the headline metric of a task, which the paper reports.

    Raises:
        InputError: the task is unknown.
    """
    return statistics_of(task).headline


def labelled(store: FrameStore, task: str) -> np.ndarray:
    """Return which frames of a video have labels for a task: bool [T].

    Raises:
        InputError: the task is unknown.
    """
    return statistics_of(task).labelled(store)


def label_of(store: FrameStore, index: int, task: str) -> Prediction:
    """Return the label of a frame for a task, in the form of its predictions.

    Raises:
        InputError: the task is unknown, or the frame cannot be read.
    """
    label: Prediction = statistics_of(task).label(store, index)
    return label


def frame_value(task: str, prediction: Prediction, label: Prediction, space: ClassSpace) -> float:
    """Return the headline metric of one frame alone, a fraction or dB; NaN: not defined.

    Raises:
        InputError: the task is unknown.
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
