"""Panoptic segmentation: assign every pixel to one thing instance or one stuff class."""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from videottt.core.segments import VOID, ClassSpace, Panoptic
from videottt.models.class_scores import query_masks
from videottt.models.inputs import Placement
from videottt.models.y_shaped import QueryOutputs
from videottt.settings.decoding import Decoding
from videottt.tasks.segmentation import Segmentation
from videottt.tasks.task import LabelMaps, check_classes


class PanopticSegmentation(Segmentation):
    """Mask2Former's panoptic segmentation: one segment for each thing and each stuff class."""

    kind: ClassVar[str] = "panoptic"

    def __init__(self, space: ClassSpace, classes: Sequence[str], decoding: Decoding) -> None:
        check_classes(classes, [space.classes], "panoptic")
        self._is_thing = space.is_thing
        self._decoding = decoding

    @classmethod
    def model_classes(cls, space: ClassSpace) -> tuple[str, ...]:
        """Return the names of all classes of the data set."""
        return space.classes

    def targets(self, labels: LabelMaps) -> tuple[list[Tensor], list[Tensor]]:
        """Return one mask for each segment in each image; void and crowds have none."""
        is_thing = torch.from_numpy(self._is_thing).to(labels.semantic.device)
        targets = [
            segment_targets(semantic, instance, is_thing)
            for semantic, instance in zip(labels.semantic, labels.instance, strict=True)
        ]
        return [masks for masks, _ in targets], [classes for _, classes in targets]

    def decode(self, outputs: QueryOutputs, place: Placement, _: np.ndarray) -> Panoptic:
        """Return the panoptic map of a frame as the authors' panoptic_inference does.

        A query competes for pixels if its most likely class is not "no object" and has a
        probability above `object_mask_threshold`. Each pixel goes to the query with the largest
        class probability × mask probability. A segment is left out if the pixels it wins are less
        than `overlap_threshold` of its mask (mask probability of at least 0.5). Each stuff class
        becomes one segment, with the score of its first query.
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
        winners = (scores[:, None, None] * masks).max(dim=0).indices.cpu().numpy()
        inside = (masks >= 0.5).cpu().numpy()
        segment_classes: list[int] = []
        segment_scores: list[float] = []
        stuff_ids: dict[int, int] = {}
        for query, (label, score) in enumerate(zip(classes.tolist(), scores.tolist(), strict=True)):
            won = winners == query
            segment = won & inside[query]
            area = inside[query].sum()
            if not segment.any() or won.sum() / area < self._decoding.overlap_threshold:
                continue
            if not self._is_thing[label] and label in stuff_ids:
                ids[segment] = stuff_ids[label]
                continue
            segment_classes.append(label)
            segment_scores.append(score)
            ids[segment] = len(segment_classes)
            if not self._is_thing[label]:
                stuff_ids[label] = len(segment_classes)
        return _panoptic(ids, segment_classes, segment_scores)

    def count_classes(self, prediction: Panoptic) -> int:
        """Return the number of different classes among the segments of a frame."""
        return int(np.unique(prediction.classes).size)


def segment_targets(semantic: Tensor, instance: Tensor, is_thing: Tensor) -> tuple[Tensor, Tensor]:
    """Return one mask for each segment of an image: each pair of class and instance, no crowds.

    Args:
        semantic: uint8 [H, W], 255 = void.
        instance: int32 [H, W], 0 = none; a thing class without an instance is a crowd.
        is_thing: bool [classes].

    Returns:
        masks float [N, H, W] and class indices int64 [N].
    """
    pairs = semantic.long() << 32 | instance.long()
    segments = pairs.unique()  # type: ignore[no-untyped-call]
    classes = segments >> 32
    real = classes != VOID
    segments, classes = segments[real], classes[real]
    single = ~(is_thing[classes] & (segments & 0xFFFFFFFF == 0))
    segments, classes = segments[single], classes[single]
    return (pairs[None] == segments[:, None, None]).float(), classes


def _panoptic(ids: np.ndarray, classes: list[int], scores: list[float]) -> Panoptic:
    return Panoptic(
        ids=ids,
        classes=np.array(classes, np.uint8),
        scores=np.array(scores, np.float32),
        crowd=np.zeros(len(classes), bool),
    )
