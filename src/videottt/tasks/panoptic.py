"""Panoptic segmentation: every pixel belongs to one thing, or to stuff of one class."""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from videottt.core.segments import VOID, ClassSpace, Panoptic
from videottt.models.class_scores import query_masks
from videottt.models.inputs import Placement
from videottt.models.y_shaped import QueryOutputs
from videottt.tasks.decoding import Decoding
from videottt.tasks.segmentation import Segmentation
from videottt.tasks.task import LabelMaps, check_classes


class PanopticSegmentation(Segmentation):
    """Mask2Former's panoptic segmentation: a query for each thing, and for each stuff class."""

    kind: ClassVar[str] = "panoptic"

    def __init__(self, space: ClassSpace, classes: Sequence[str], decoding: Decoding) -> None:
        check_classes(classes, [space.classes], "panoptic")
        self._is_thing = space.is_thing
        self._decoding = decoding

    @classmethod
    def model_classes(cls, space: ClassSpace) -> tuple[str, ...]:
        """Return all classes."""
        return space.classes

    def targets(self, labels: LabelMaps) -> tuple[list[Tensor], list[Tensor]]:
        """Return one mask for each segment in each image; none for void and crowds."""
        is_thing = torch.from_numpy(self._is_thing).to(labels.semantic.device)
        targets = [
            segment_targets(semantic, instance, is_thing)
            for semantic, instance in zip(labels.semantic, labels.instance, strict=True)
        ]
        return [masks for masks, _ in targets], [classes for _, classes in targets]

    def decode(self, outputs: QueryOutputs, place: Placement, _: np.ndarray) -> Panoptic:
        """Return segments as the authors' panoptic_inference does.

        Of the queries whose best class is not "no object" and has enough probability, each pixel
        goes to the one with the largest class probability x mask probability. A segment that keeps
        too little of its own mask (probability at least 0.5) is left out; stuff of a class is one
        segment, with the score of its first query.
        """
        probabilities = outputs.class_logits[-1][0].float().softmax(dim=-1)
        scores, classes = probabilities.max(dim=-1)
        real = classes < probabilities.shape[-1] - 1
        kept = torch.nonzero(real & (scores > self._decoding.object_mask_threshold))[:, 0]
        scores, classes = scores[kept], classes[kept]
        ids = np.zeros(place.size, np.uint16)
        if not len(classes):
            return _panoptic(ids, [], [])
        masks = query_masks(outputs, kept, place).sigmoid()
        winners = (scores[:, None, None] * masks).argmax(dim=0).cpu().numpy()
        inside = (masks >= 0.5).cpu().numpy()
        found: list[int] = []
        values: list[float] = []
        of_stuff: dict[int, int] = {}
        for query, (name, score) in enumerate(zip(classes.tolist(), scores.tolist(), strict=True)):
            own = winners == query
            segment = own & inside[query]
            area = inside[query].sum()
            if not segment.any() or own.sum() / area < self._decoding.overlap_threshold:
                continue
            if not self._is_thing[name] and name in of_stuff:
                ids[segment] = of_stuff[name]
                continue
            found.append(name)
            values.append(score)
            ids[segment] = len(found)
            if not self._is_thing[name]:
                of_stuff[name] = len(found)
        return _panoptic(ids, found, values)

    def count_classes(self, prediction: Panoptic) -> int:
        """Return how many classes the segments of a frame have."""
        return int(np.unique(prediction.classes).size)


def segment_targets(semantic: Tensor, instance: Tensor, is_thing: Tensor) -> tuple[Tensor, Tensor]:
    """Return one mask for each pair of class and instance that is no crowd.

    Args:
        semantic: uint8 [H, W], 255 = void.
        instance: int32 [H, W], 0 = none; a thing class without an instance is a crowd.
        is_thing: bool [classes].

    Returns:
        masks float [N, H, W] and class indices int64 [N].
    """
    pairs = semantic.long() << 32 | instance.long()
    found = pairs.unique()  # type: ignore[no-untyped-call]
    classes = found >> 32
    real = classes != VOID
    found, classes = found[real], classes[real]
    told_apart = ~(is_thing[classes] & (found & 0xFFFFFFFF == 0))
    found, classes = found[told_apart], classes[told_apart]
    return (pairs[None] == found[:, None, None]).float(), classes


def _panoptic(ids: np.ndarray, classes: list[int], scores: list[float]) -> Panoptic:
    return Panoptic(
        ids=ids,
        classes=np.array(classes, np.uint8),
        scores=np.array(scores, np.float32),
        crowd=np.zeros(len(classes), bool),
    )
