"""Semantic segmentation: confusion counts, and every convention of mean IoU derived from them.

Two choices tell published numbers apart, and neither is hidden here:

* pooled: counts are summed over frames, then divided once (Cityscapes; current detectron2);
  frames: every frame has its own mean IoU, and those are averaged (the authors' release).
* the denominator: classes in the ground truth (current detectron2), or classes in the ground truth
  or the prediction, where a class predicted but absent counts as 0 (the authors' detectron2).
"""

import numpy as np

from videottt.frames import VOID

# Of `mean_iou`: the classes that it is an average over.
DENOMINATORS = ("ground_truth", "ground_truth_or_prediction")
# Suffix of a metric's id for each denominator.
SUFFIX = {"ground_truth": "", "ground_truth_or_prediction": "_gt_or_predicted"}


def confusion(prediction: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """Return how many pixels of each class were predicted as each class.

    Args:
        prediction: integer [H, W], each in 0..classes-1.
        labels: uint8 [H, W], class indices or 255 = void; void pixels are not counted.
        classes: number of classes.

    Returns:
        int64 [classes, classes], rows are ground truth.
    """
    counted = labels != VOID
    pairs = labels[counted].astype(np.int64) * classes + prediction[counted]
    return np.bincount(pairs, minlength=classes**2).reshape(classes, classes)


def class_iou(counts: np.ndarray) -> np.ndarray:
    """Return the IoU of each class: float64 [..., classes]; NaN where a class never occurs.

    Args:
        counts: int [..., classes, classes], rows are ground truth.
    """
    hit = np.diagonal(counts, axis1=-2, axis2=-1).astype(np.float64)
    union = counts.sum(axis=-1) + counts.sum(axis=-2) - hit
    return np.divide(hit, union, out=np.full(hit.shape, np.nan), where=union > 0)


def mean_iou(counts: np.ndarray, denominator: str) -> np.ndarray:
    """Return the mean IoU: float64 [...]; NaN where no pixel is labelled.

    The sum runs over the classes in the ground truth in either case; only what it is divided by
    differs.

    Args:
        counts: int [..., classes, classes], rows are ground truth.
        denominator: one of `DENOMINATORS`.
    """
    labelled = counts.sum(axis=-1) > 0
    predicted = counts.sum(axis=-2) > 0
    total = np.where(labelled, np.nan_to_num(class_iou(counts)), 0.0).sum(axis=-1)
    over = labelled if denominator == "ground_truth" else labelled | predicted
    number = np.where(labelled.any(axis=-1), over.sum(axis=-1), 0)
    return np.divide(total, number, out=np.full(total.shape, np.nan), where=number > 0)


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
        each = mean_iou(counts, denominator)
        defined = each[~np.isnan(each)]
        values[f"miou_pooled{SUFFIX[denominator]}"] = float(mean_iou(pooled, denominator))
        values[f"miou_frames{SUFFIX[denominator]}"] = (
            float(defined.mean()) if defined.size else float("nan")
        )
    values["frames_undefined"] = float(np.isnan(mean_iou(counts, "ground_truth")).sum())
    return values
