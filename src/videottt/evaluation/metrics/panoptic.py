"""Score panoptic segmentation: panoptic quality (PQ) of Kirillov et al., as in panopticapi.

A predicted segment matches a true one of its class where their IoU exceeds 1/2; then

    PQ = sum of IoU of matches / (TP + FP / 2 + FN / 2) = SQ x RQ,
    SQ = sum of IoU of matches / TP,  RQ = TP / (TP + FP / 2 + FN / 2),

for each class, averaged over the classes that occur in the ground truth or wrongly in predictions.
Void pixels do not count. A predicted segment that is mostly void, or crowd of its own class, is not
a false positive, and a missed crowd is not a false negative.

* pooled: TP, FP, FN and IoU are summed over frames, then divided once, as in panopticapi;
* frames: the PQ of each frame alone, averaged over frames (the authors' release, which treats a
  crowd as any other segment).

The counts of a frame are those of panopticapi bit for bit, which takes ten times as long: it reads
files of images only. Averages over classes come from its `pq_average`; without any class, they are
NaN.
"""

from dataclasses import dataclass
from types import ModuleType
from typing import ClassVar, Self

import numpy as np

from videottt.core.errors import InputError
from videottt.core.segments import ClassSpace, Panoptic
from videottt.evaluation.metrics.statistics import Headline, Statistics, defined_mean
from videottt.store.frames import FrameStore

# Part of a metric's id -> argument of panopticapi's `pq_average`.
GROUPS = {"": None, "_things": True, "_stuff": False}
QUALITIES = ("pq", "sq", "rq")


@dataclass(frozen=True)
class SegmentMatches(Statistics):
    """The matched segments of N frames.

    Attributes:
        tp: int64 [N, classes], predicted segments with a match.
        fp: int64 [N, classes], predicted segments without a match that are not mostly void or
            crowd.
        fn: int64 [N, classes], true segments without a match, except crowds.
        iou: float64 [N, classes], sum over the matches.
    """

    headline: ClassVar[Headline] = Headline("PQ", "pq_pooled", "pq_frames", "pq")
    kind: ClassVar[str] = "panoptic"

    tp: np.ndarray
    fp: np.ndarray
    fn: np.ndarray
    iou: np.ndarray

    @staticmethod
    def label(store: FrameStore, index: int) -> Panoptic:
        """Return the segments of frame `index`."""
        return store.panoptic(index)

    @classmethod
    def of_frame(cls, label: Panoptic, prediction: Panoptic, space: ClassSpace) -> Self:
        """Return the matches in one frame."""
        common = _common_pixels(label, prediction)
        true_area, area = common[1:].sum(axis=1), common[:, 1:].sum(axis=0)
        # A segment matches only one that has more than half of its pixels that are not void.
        same = label.classes[:, None] == prediction.classes
        both = common[1:, 1:]
        truths, found = np.nonzero(same & (both > 0) & ~label.crowd[:, None])
        shared = both[truths, found]
        union = area[found] + true_area[truths] - shared - common[0, 1:][found]
        overlap = shared / union
        matching = overlap > 0.5
        truths, found, overlap = truths[matching], found[matching], overlap[matching]
        missed = (true_area > 0) & ~label.crowd
        missed[truths] = False
        wrong = area > 0
        wrong[found] = False
        wrong &= ~_excused(label, prediction, common)
        number = len(space.classes)
        iou = np.zeros(number)
        # One by one, in the order of the segments, as panopticapi sums.
        np.add.at(iou, label.classes[truths], overlap)
        counts = {
            "tp": label.classes[truths],
            "fp": prediction.classes[wrong],
            "fn": label.classes[missed],
        }
        return cls(
            space,
            **{name: np.bincount(each, minlength=number)[None] for name, each in counts.items()},
            iou=iou[None],
        )

    def metrics(self) -> dict[str, float]:
        """Return PQ, SQ and RQ over all classes, things and stuff, and ``pq:<class>``.

        Ids are ``pq``, ``sq`` or ``rq``, then nothing, ``_things`` or ``_stuff``, then ``_pooled``
        or ``_frames``; classes are over all frames at once.

        Raises:
            InputError: panopticapi is not installed.
        """
        pooled = self._pooled()
        values = {f"{name}_pooled": value for name, value in pooled._averages(0).items()}
        frames = [self._averages(frame) for frame in range(len(self.tp))]
        for name in frames[0]:
            each = np.array([averages[name] for averages in frames])
            values[f"{name}_frames"] = defined_mean(each)
        values["frames_undefined"] = float(np.isnan([each["pq"] for each in frames]).sum())
        number = (pooled.tp + 0.5 * pooled.fp + 0.5 * pooled.fn)[0]
        nothing = np.full(number.shape, np.nan)
        quality = np.divide(pooled.iou[0], number, out=nothing, where=number > 0)
        of_class = zip(self.space.classes, quality, strict=True)
        return values | {f"pq:{name}": float(value) for name, value in of_class}

    def frame_values(self) -> np.ndarray:
        """Return the PQ of each frame alone: float64 [N]; NaN without any class.

        Raises:
            InputError: panopticapi is not installed.
        """
        return np.array([self._averages(frame)["pq"] for frame in range(len(self.tp))])

    def _pooled(self) -> Self:
        sums = {name: each.sum(axis=0, keepdims=True) for name, each in self.arrays().items()}
        return type(self)(self.space, **sums)

    def _averages(self, frame: int) -> dict[str, float]:
        """Return panopticapi's averages over the classes of one frame; NaN without any class."""
        statistics = _panopticapi().PQStat()
        occurring = np.flatnonzero((self.tp + self.fp + self.fn)[frame]).tolist()
        is_thing = self.space.is_thing
        for index in occurring:
            for name, each in self.arrays().items():
                setattr(statistics[index], name, each[frame, index].item())
        values: dict[str, float] = {}
        for group, wanted in GROUPS.items():
            of_group = [i for i in occurring if wanted is None or is_thing[i] == wanted]
            chosen = {index: {"isthing": int(is_thing[index])} for index in of_group}
            found = statistics.pq_average(chosen, wanted)[0] if chosen else {}
            values |= {f"{each}{group}": float(found.get(each, np.nan)) for each in QUALITIES}
        return values


def _panopticapi() -> ModuleType:
    try:
        from panopticapi import evaluation
    except ImportError:
        raise InputError(
            "PQ needs panopticapi, which is not installed: "
            "pip install --no-deps panopticapi-lite==0.2.0 (its metadata asks for numpy < 2, which "
            "it does not need)"
        ) from None
    result: ModuleType = evaluation
    return result


def _common_pixels(label: Panoptic, prediction: Panoptic) -> np.ndarray:
    """Return the pixels that segments have in common: int64 [1 + true, 1 + predicted], void first.

    Raises:
        ValueError: a pixel is of a segment that is not listed.
    """
    rows, columns = len(label.classes) + 1, len(prediction.classes) + 1
    pairs = label.ids.astype(np.int64) * columns + prediction.ids
    return np.bincount(pairs.ravel(), minlength=rows * columns).reshape(rows, columns)


def _excused(label: Panoptic, prediction: Panoptic, common: np.ndarray) -> np.ndarray:
    """Return which predicted segments are mostly void, or crowd of their own class: bool [S]."""
    aside = common[0, 1:].copy()
    # Of several crowds of a class, panopticapi takes the last.
    crowds = {label.classes[i]: i for i in np.flatnonzero(label.crowd & (common[1:].any(axis=1)))}
    for name, index in crowds.items():
        of_class = prediction.classes == name
        aside[of_class] += common[1 + index, 1:][of_class]
    area = common[:, 1:].sum(axis=0)
    excused: np.ndarray = aside / np.maximum(area, 1) > 0.5
    return excused
