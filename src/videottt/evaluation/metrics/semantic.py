"""Score semantic segmentation: confusion counts, and every convention of mean IoU from them.

Published numbers differ in two choices, and this module computes every combination:

* pooled: counts are summed over frames, then divided once (Cityscapes; current detectron2);
  frames: every frame has its own mean IoU, and these are averaged (the authors' release).
* the denominator: classes in the ground truth (current detectron2), or classes in the ground truth
  or the prediction, where a class predicted but absent counts as 0 (the authors' detectron2).
"""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from videottt.core.segments import ClassSpace
from videottt.evaluation.metrics.statistics import Headline, Statistics, defined_mean
from videottt.store.frames import FrameStore

# The classes that `mean_iou` averages over.
DENOMINATORS = ("ground_truth", "ground_truth_or_prediction")
# Suffix of a metric's id for each denominator.
SUFFIX = {"ground_truth": "", "ground_truth_or_prediction": "_gt_or_predicted"}


def confusion(prediction: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """Return the pixels of each class by the class that they were predicted as.

    Args:
        prediction: integer [H, W], in 0..classes-1.
        labels: uint8 [H, W], class indices or 255 = void; void pixels are not counted.
        classes: number of classes.

    Returns:
        int64 [classes, classes], rows are ground truth.
    """
    # Pairs with void come after all others, and are cut off.
    pairs = labels.astype(np.uint16) * np.uint16(classes) + prediction
    counts = np.bincount(pairs.ravel(), minlength=classes**2)[: classes**2]
    return counts.reshape(classes, classes)


def class_iou(counts: np.ndarray) -> np.ndarray:
    """Return the IoU of each class: float64 [..., classes]; NaN for a class that never occurs.

    Args:
        counts: int [..., classes, classes], rows are ground truth.
    """
    hit = np.diagonal(counts, axis1=-2, axis2=-1).astype(np.float64)
    union = counts.sum(axis=-1) + counts.sum(axis=-2) - hit
    result: np.ndarray = np.divide(hit, union, out=np.full(hit.shape, np.nan), where=union > 0)
    return result


def mean_iou(counts: np.ndarray, denominator: str) -> np.ndarray:
    """Return the mean IoU: float64 [...]; NaN if no pixel is labelled.

    The sum is always over the classes in the ground truth; only the denominator differs.

    Args:
        counts: int [..., classes, classes], rows are ground truth.
        denominator: one of `DENOMINATORS`.
    """
    labelled = counts.sum(axis=-1) > 0
    predicted = counts.sum(axis=-2) > 0
    total = np.where(labelled, np.nan_to_num(class_iou(counts)), 0.0).sum(axis=-1)
    over = labelled if denominator == "ground_truth" else labelled | predicted
    number = np.where(labelled.any(axis=-1), over.sum(axis=-1), 0)
    result: np.ndarray = np.divide(
        total, number, out=np.full(total.shape, np.nan), where=number > 0
    )
    return result


def metrics_of(counts: np.ndarray) -> dict[str, float]:
    """Return every metric of a set of frames.

    Args:
        counts: int [T, classes, classes], one confusion matrix a frame.

    Returns:
        ``miou_pooled`` and ``miou_frames``, each also with ``_gt_or_predicted``, and
        ``frames_undefined``: frames without a labelled pixel, which ``miou_frames`` leaves out.
    """
    pooled = counts.sum(axis=0)
    values: dict[str, float] = {}
    for denominator in DENOMINATORS:
        suffix = SUFFIX[denominator]
        values[f"miou_pooled{suffix}"] = float(mean_iou(pooled, denominator))
        values[f"miou_frames{suffix}"] = defined_mean(mean_iou(counts, denominator))
    values["frames_undefined"] = float(np.isnan(mean_iou(counts, "ground_truth")).sum())
    return values


@dataclass(frozen=True)
class ConfusionCounts(Statistics):
    """Confusion counts of N frames.

    Attributes:
        confusion: int64 [N, classes, classes], pixels; rows are ground truth.
    """

    headline: ClassVar[Headline] = Headline(
        "mIoU", "miou_pooled", "miou_frames_gt_or_predicted", "iou"
    )
    kind: ClassVar[str] = "classes"

    confusion: np.ndarray

    @staticmethod
    def label(store: FrameStore, index: int) -> np.ndarray:
        """Return the map of classes of frame `index`: uint8 [H, W], 255 = void."""
        return store.semantic(index)

    @classmethod
    def of_frame(cls, label: np.ndarray, prediction: np.ndarray, space: ClassSpace) -> Self:
        """Return the counts of one frame from two maps of classes: uint8 [H, W]."""
        return cls(space, confusion(prediction, label, len(space.classes))[None])

    def check(self, frames: int) -> None:
        """Raise a ValueError if these are not the counts of `frames` frames."""
        super().check(frames)
        wanted = (frames, len(self.space.classes), len(self.space.classes))
        if self.confusion.shape != wanted:
            raise ValueError(f"'confusion' has the shape {self.confusion.shape}, not {wanted}")

    def metrics(self) -> dict[str, float]:
        """Return the metrics of `metrics_of`, and ``iou:<class>`` over all frames."""
        shares = class_iou(self.confusion.sum(axis=0))
        of_class = zip(self.space.classes, shares, strict=True)
        return metrics_of(self.confusion) | {f"iou:{name}": float(iou) for name, iou in of_class}

    def frame_values(self) -> np.ndarray:
        """Return the mean IoU of each frame over the classes in its ground truth: float64 [N]."""
        return mean_iou(self.confusion, "ground_truth")
