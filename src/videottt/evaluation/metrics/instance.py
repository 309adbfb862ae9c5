"""Score instance segmentation: average precision (AP) of COCO, as pycocotools defines it.

COCOeval works in two steps. The first, which needs masks, matches the detections of a frame with
its objects; the second ranks the detections of all frames together. This module keeps the result of
the first for every frame, compactly, and does the second for any set of frames. The metrics are
those of COCOeval run over these frames at once, bit for bit, and the IoUs those of pycocotools; but
arrays take the place of COCOeval's loops over thresholds, areas and detections.

* pooled: all frames at once, as in COCO, and as the authors' release scores its baseline;
* frames: COCOeval over each frame alone, averaged over the frames that have an object (the
  authors' release, for its test-time training). Ranks of detections then matter only within a
  frame, and a class counts only in frames that have it: do not compare the two forms.

Unlike in the release, only things are ground truth: its evaluator of single frames takes every
segment of the panoptic annotation, so that stuff, which is never predicted, counts as AP 0. The
area that decides between small, medium and large is that of the mask, in pixels.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple, Self

import numpy as np

from videottt.core.segments import ClassSpace, Instances
from videottt.evaluation.metrics.statistics import Headline, Statistics, defined_mean
from videottt.store.frames import FrameStore

MAX_DETECTIONS = 100  # of one class in one frame
# COCO's parameters. Areas are in pixels, ends included: all, small, medium, large.
IOU_THRESHOLDS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0, 1, 101)
AREAS = np.array([[0, 1e10], [0, 32**2], [32**2, 96**2], [96**2, 1e10]])
# Metric -> IoU thresholds and range of areas of COCOeval's precision that it averages.
AVERAGES: dict[str, tuple[slice | int, int]] = {
    "ap": (slice(None), 0),
    "ap50": (0, 0),
    "ap75": (5, 0),
    "ap_small": (slice(None), 1),
    "ap_medium": (slice(None), 2),
    "ap_large": (slice(None), 3),
}


@dataclass(frozen=True)
class DetectionMatches(Statistics):
    """The matches of COCOeval in N frames.

    There is a row for each frame and each class in its ground truth or prediction. Bit t of
    `matched` and `ignored` is for the IoU threshold t of COCO, 0.50 ... 0.95; the four columns are
    COCO's ranges of areas. The detections of a row are sorted by score.

    Attributes:
        rows: int64 [N], rows of each frame.
        row_class: uint8 [R].
        row_truths: int64 [R, 4], objects that count: in the range, and not crowds.
        row_detections: int64 [R].
        score: float32 [D].
        matched: uint16 [D, 4].
        ignored: uint16 [D, 4], neither right nor wrong.
        frame_averages: float64 [N, 6], each of `AVERAGES` of each frame alone; NaN = undefined.
    """

    headline: ClassVar[Headline] = Headline("AP", "ap_pooled", "ap_frames", "ap")
    kind: ClassVar[str] = "instances"

    rows: np.ndarray
    row_class: np.ndarray
    row_truths: np.ndarray
    row_detections: np.ndarray
    score: np.ndarray
    matched: np.ndarray
    ignored: np.ndarray
    frame_averages: np.ndarray

    @staticmethod
    def label(store: FrameStore, index: int) -> Instances:
        """Return the objects of frame `index`."""
        return store.instances(index)

    @classmethod
    def of_frame(cls, label: Instances, prediction: Instances, space: ClassSpace) -> Self:
        """Return the matches of COCOeval in one frame; segments of stuff do not count."""
        occurring = np.union1d(label.classes, prediction.classes).astype(np.uint8)
        classes = occurring[space.is_thing[occurring]]
        matches = [_matches_of(label, prediction, name) for name in classes]
        alone = cls(
            space,
            rows=np.array([len(classes)]),
            row_class=classes,
            row_truths=np.array([each.truths for each in matches], np.int64).reshape(
                -1, len(AREAS)
            ),
            row_detections=np.array([len(each.scores) for each in matches], np.int64),
            score=np.concatenate([np.zeros(0, np.float32), *(each.scores for each in matches)]),
            matched=_columns([each.matched for each in matches]),
            ignored=_columns([each.ignored for each in matches]),
            frame_averages=np.full((1, len(AVERAGES)), np.nan),
        )
        averages = _averages(alone._precision(alone._labelled_classes()))
        return replace(alone, frame_averages=np.array([list(averages.values())]))

    def metrics(self) -> dict[str, float]:
        """Return each of `AVERAGES` with ``_pooled`` and ``_frames``, and ``ap:<class>``.

        ``_pooled`` and the classes are over all frames at once. Only things have an AP.
        """
        labelled = self._labelled_classes()
        precision = self._precision(labelled)
        values = {f"{name}_pooled": value for name, value in _averages(precision).items()}
        for column, name in enumerate(AVERAGES):
            values[f"{name}_frames"] = defined_mean(self.frame_averages[:, column])
        values["frames_undefined"] = float(np.isnan(self.frame_values()).sum())
        things = (name for name in self.space.classes if name in self.space.things)
        values |= {f"ap:{name}": float("nan") for name in things}
        for place, index in enumerate(labelled):
            of_class = precision[:, :, place : place + 1]
            values[f"ap:{self.space.classes[index]}"] = _averages(of_class)["ap"]
        return values

    def frame_values(self) -> np.ndarray:
        """Return the AP of each frame alone: float64 [N]; NaN without an object."""
        return self.frame_averages[:, 0]

    def _labelled_classes(self) -> list[int]:
        """Return the classes that have an AP: those with an object that counts."""
        result: list[int] = np.unique(self.row_class[self.row_truths[:, 0] > 0]).tolist()
        return result

    def _precision(self, classes: Sequence[int]) -> np.ndarray:
        """Return COCOeval's precision over all frames at once; -1: not defined.

        Returns:
            float64 [IoU thresholds, 101 recalls, classes, areas].
        """
        result = np.empty((len(IOU_THRESHOLDS), len(RECALLS), len(classes), len(AREAS)))
        for place, name in enumerate(classes):
            rows = self.row_class == name
            chosen = np.flatnonzero(np.repeat(rows, self.row_detections))
            # As in COCOeval, detections of equal scores keep their order.
            ranked = chosen[np.argsort(-self.score[chosen], kind="stable")]
            matched, counted = _flags(self.matched[ranked]), ~_flags(self.ignored[ranked])
            truths = self.row_truths[rows].sum(axis=0)
            result[:, :, place] = ranked_precision(matched & counted, ~matched & counted, truths)
        return result


def ranked_precision(right: np.ndarray, wrong: np.ndarray, truths: np.ndarray) -> np.ndarray:
    """Return the precision of ranked detections at each of `RECALLS`.

    The numbers are those of COCOeval.accumulate, bit for bit, which goes through the detections one
    by one. The precision at a recall is the best at it or at a greater one, and 0 at a recall that
    is not reached.

    Args:
        right: bool [IoU thresholds, areas, D], the detection of the best score first.
        wrong: likewise; a detection that is neither does not count.
        truths: int [areas], number of objects that count.

    Returns:
        float64 [IoU thresholds, 101 recalls, areas]; -1 where no object counts.
    """
    thresholds, areas, detections = right.shape
    found, missed = right.cumsum(axis=-1), wrong.cumsum(axis=-1)
    precision = found / (missed + found + np.spacing(1))
    # The last place is that of recalls that are not reached.
    best = np.zeros((thresholds, areas, detections + 1))
    best[..., :-1] = np.maximum.accumulate(precision[..., ::-1], axis=-1)[..., ::-1]
    # Objects to find for each recall: int [areas, recalls].
    needed = np.stack([np.searchsorted(np.arange(n + 1) / max(n, 1), RECALLS) for n in truths])
    # One search does for all thresholds and areas, because what is added keeps them apart.
    row = np.arange(thresholds * areas).reshape(thresholds, areas, 1)
    apart = row * (detections + int(truths.max()) + 1)
    places = np.searchsorted((found + apart).ravel(), (needed + apart).ravel())
    places = places.reshape(thresholds, areas, -1) - row * detections
    result = np.take_along_axis(best, places, axis=-1)
    result[:, truths == 0] = -1
    return result.transpose(0, 2, 1)


class _Matches(NamedTuple):
    """What COCOeval's first step finds of a class in a frame; D detections, the best score first.

    Attributes:
        truths: int64 [areas], objects that count.
        scores: float32 [D].
        matched: bool [IoU thresholds, areas, D].
        ignored: likewise, neither right nor wrong.
    """

    truths: np.ndarray
    scores: np.ndarray
    matched: np.ndarray
    ignored: np.ndarray


def _matches_of(label: Instances, prediction: Instances, name: int) -> _Matches:
    from pycocotools import mask

    truths = np.flatnonzero(label.classes == name)
    found = np.flatnonzero(prediction.classes == name)
    found = found[np.argsort(-prediction.scores[found], kind="stable")][:MAX_DETECTIONS]
    true_masks = [{"size": list(label.size), "counts": label.masks[i]} for i in truths]
    masks = [{"size": list(prediction.size), "counts": prediction.masks[i]} for i in found]
    crowd = label.crowd[truths]
    not_counted = crowd | _outside(mask.area(true_masks) if true_masks else [])
    matched = np.zeros((len(IOU_THRESHOLDS), len(AREAS), len(found)), bool)
    ignored = matched.copy()
    if masks and true_masks:
        overlaps = mask.iou(masks, true_masks, crowd.astype(int).tolist())
        matched, ignored = matches(overlaps, crowd, not_counted)
    outside = _outside(mask.area(masks) if masks else [])
    return _Matches(
        truths=np.count_nonzero(~not_counted, axis=1),
        scores=prediction.scores[found],
        matched=matched,
        ignored=ignored | (~matched & outside),
    )


def _outside(areas: np.ndarray | list[int]) -> np.ndarray:
    """Return which masks of N areas lie outside of each range of areas: bool [areas, N]."""
    pixels = np.asarray(areas, np.int64)
    return (pixels < AREAS[:, :1]) | (pixels > AREAS[:, 1:])


def matches(
    overlaps: np.ndarray, crowd: np.ndarray, not_counted: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Match the detections of one class in one frame with its objects, as COCOeval does.

    Each detection, the best score first, takes the object that it overlaps most among those that
    are free and count; the last of equals; without any, one that does not count. A crowd stays
    free.

    Args:
        overlaps: float64 [D, G], the IoU of each detection with each object.
        crowd: bool [G].
        not_counted: bool [areas, G], objects that do not count for a range of areas, crowds among
            them.

    Returns:
        Whether each detection has an object, and whether that is one that does not count: bool
        [IoU thresholds, areas, D].
    """
    objects = overlaps.shape[1]
    free = np.ones((len(IOU_THRESHOLDS), *not_counted.shape), bool)
    matched = np.zeros((*free.shape[:2], len(overlaps)), bool)
    ignored = matched.copy()
    ranges = np.arange(len(not_counted))
    for index in np.flatnonzero(overlaps.max(axis=1) >= IOU_THRESHOLDS[0]).tolist():
        overlap = overlaps[index]
        choices = free & (overlap >= IOU_THRESHOLDS[:, None, None])
        counting = choices & ~not_counted
        choices = np.where(counting.any(axis=-1, keepdims=True), counting, choices)
        # The last of equals: argmax gives the first.
        backwards = np.where(choices, overlap, -1.0)[..., ::-1]
        chosen = objects - 1 - backwards.argmax(axis=-1)
        taken = choices.any(axis=-1)
        matched[..., index] = taken
        ignored[..., index] = taken & not_counted[ranges, chosen]
        thresholds, areas = np.nonzero(taken & ~crowd[chosen])
        free[thresholds, areas, chosen[thresholds, areas]] = False
    return matched, ignored


def _averages(precision: np.ndarray) -> dict[str, float]:
    """Return each of `AVERAGES` of a precision [IoU thresholds, recalls, classes, areas]."""
    values = {}
    for name, (thresholds, area) in AVERAGES.items():
        chosen = precision[thresholds, ..., area]
        values[name] = defined_mean(chosen[chosen > -1])
    return values


def _columns(flags: list[np.ndarray]) -> np.ndarray:
    """Pack the flags of the classes of one frame: uint16 [D, areas], bit t = IoU threshold t."""
    none = np.zeros((len(IOU_THRESHOLDS), len(AREAS), 0), bool)
    joined = np.concatenate([none, *flags], axis=-1)
    packed: np.ndarray = (joined << _places()).sum(axis=0).astype(np.uint16).T
    return packed


def _flags(packed: np.ndarray) -> np.ndarray:
    """Return what `_columns` packed: bool [IoU thresholds, areas, D]."""
    return (packed.T >> _places().astype(np.uint16) & 1).astype(bool)


def _places() -> np.ndarray:
    return np.arange(len(IOU_THRESHOLDS))[:, None, None]
