"""Score instance segmentation: average precision (AP) of COCO, by pycocotools.

COCOeval works in two steps. The first, which needs masks, matches the detections of a frame with
its objects; the second ranks the detections of all frames together. This module keeps the result of
the first for every frame, compactly, and gives it to the second for any set of frames. The metrics
are those of COCOeval run over these frames at once, bit for bit.

* pooled: all frames at once, as in COCO, and as the authors' release scores its baseline;
* frames: COCOeval over each frame alone, averaged over the frames that have an object (the
  authors' release, for its test-time training). Ranks of detections then matter only within a
  frame, and a class counts only in frames that have it: do not compare the two forms.

Unlike in the release, only things are ground truth: its evaluator of single frames takes every
segment of the panoptic annotation, so that stuff, which is never predicted, counts as AP 0. The
area that decides between small, medium and large is that of the mask, in pixels.
"""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from videottt.core.segments import ClassSpace, Instances
from videottt.evaluation.metrics.statistics import Headline, Statistics, defined_mean
from videottt.store.frames import FrameStore

if TYPE_CHECKING:
    from pycocotools.coco import COCO

MAX_DETECTIONS = 100  # of one class in one frame
IOU_THRESHOLDS = 10  # COCO's, 0.50 ... 0.95
AREAS = 4  # COCO's ranges: all, small, medium, large
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
        found = _evaluated(label, prediction, classes.tolist())
        # COCOeval's results lie class by class, and range by range within a class.
        truths = [np.count_nonzero(each["gtIgnore"] == 0) for each in found]
        of_all = found[::AREAS]
        scores = [np.array(each["dtScores"], np.float32) for each in of_all]
        alone = cls(
            space,
            rows=np.array([len(classes)]),
            row_class=classes,
            row_truths=np.array(truths, np.int64).reshape(-1, AREAS),
            row_detections=np.array([len(each) for each in scores], np.int64),
            score=np.concatenate([np.zeros(0, np.float32), *scores]),
            matched=_columns(found, "dtMatches"),
            ignored=_columns(found, "dtIgnore"),
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
        from pycocotools.cocoeval import COCOeval

        evaluation = COCOeval(iouType="segm")
        parameters = evaluation.params
        # COCOeval concatenates the detections of all images before it ranks them. Here they already
        # are, so all frames are one image to it. Matching has kept only the best detections of each
        # frame, so none must be cut here.
        parameters.imgIds, parameters.catIds = [0], list(classes)
        parameters.maxDets = [max(1, len(self.score))]
        evaluation._paramsEval = parameters
        evaluation.evalImgs = [self._of_class(k, area) for k in classes for area in range(AREAS)]
        with contextlib.redirect_stdout(None):
            evaluation.accumulate()
        result: np.ndarray = evaluation.eval["precision"][..., 0]
        return result

    def _of_class(self, name: int, area: int) -> dict[str, Any]:
        """Return the detections of a class in all frames, in the form of COCOeval's first step."""
        rows = self.row_class == name
        chosen = np.repeat(rows, self.row_detections)
        return {
            "dtScores": self.score[chosen].astype(np.float64),
            "dtMatches": _flags(self.matched[chosen, area]),
            "dtIgnore": _flags(self.ignored[chosen, area]),
            "gtIgnore": np.zeros(self.row_truths[rows, area].sum()),
        }


def _evaluated(label: Instances, prediction: Instances, classes: list[int]) -> list[dict[str, Any]]:
    """Return COCOeval's matching of one frame, for each class and range of areas."""
    from pycocotools.cocoeval import COCOeval

    if not classes:
        return []
    with contextlib.redirect_stdout(None):
        evaluation = COCOeval(_coco(label, classes), _coco(prediction, classes), "segm")
        evaluation.params.maxDets = [MAX_DETECTIONS]
        evaluation.evaluate()
    result: list[dict[str, Any]] = evaluation.evalImgs
    return result


def _coco(instances: Instances, classes: list[int]) -> "COCO":
    from pycocotools import mask
    from pycocotools.coco import COCO

    height, width = instances.size
    columns = zip(
        instances.classes.tolist(),
        instances.scores.tolist(),
        instances.crowd.tolist(),
        instances.run_lengths,
        mask.area(instances.run_lengths).tolist() if len(instances) else [],
        strict=True,
    )
    dataset = COCO()
    dataset.dataset = {
        "images": [{"id": 0, "height": height, "width": width}],
        "categories": [{"id": index} for index in classes],
        # COCOeval reads id 0 as "not matched".
        "annotations": [
            {
                "id": number,
                "image_id": 0,
                "category_id": index,
                "score": score,
                "iscrowd": int(crowd),
                "segmentation": run_lengths,
                "area": area,
            }
            for number, (index, score, crowd, run_lengths, area) in enumerate(columns, start=1)
        ],
    }
    dataset.createIndex()
    return dataset


def _averages(precision: np.ndarray) -> dict[str, float]:
    """Return each of `AVERAGES` of a precision [IoU thresholds, recalls, classes, areas]."""
    values = {}
    for name, (thresholds, area) in AVERAGES.items():
        chosen = precision[thresholds, ..., area]
        values[name] = defined_mean(chosen[chosen > -1])
    return values


def _columns(found: list[dict[str, Any]], name: str) -> np.ndarray:
    """Return the flags of all detections of one frame: uint16 [D, areas], bit t = threshold t."""
    areas = [
        np.concatenate(
            [np.zeros(0, np.uint16), *(_bits(each[name]) for each in found[area::AREAS])]
        )
        for area in range(AREAS)
    ]
    return np.stack(areas, axis=1)


def _bits(flags: np.ndarray) -> np.ndarray:
    """Return flags [IoU thresholds, D] as uint16 [D]."""
    places = np.arange(IOU_THRESHOLDS)[:, None]
    result: np.ndarray = ((flags != 0) << places).sum(axis=0).astype(np.uint16)
    return result


def _flags(bits: np.ndarray) -> np.ndarray:
    """Return what `_bits` packed: bool [IoU thresholds, D]."""
    return (bits[None] >> np.arange(IOU_THRESHOLDS, dtype=np.uint16)[:, None] & 1).astype(bool)
