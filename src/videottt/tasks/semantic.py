"""Semantic segmentation: predict a class for every pixel."""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from videottt.core.segments import VOID, ClassSpace
from videottt.models.class_scores import semantic_scores
from videottt.models.inputs import Placement
from videottt.models.y_shaped import QueryOutputs
from videottt.settings.decoding import Decoding
from videottt.tasks.segmentation import Segmentation
from videottt.tasks.task import LabelMaps, check_classes


class SemanticSegmentation(Segmentation):
    """Mask2Former's semantic segmentation: one segment for each class present in the image.

    A panoptic model fits too: its segments are summed by class.
    """

    kind: ClassVar[str] = "classes"

    def __init__(self, space: ClassSpace, classes: Sequence[str], _: Decoding) -> None:
        check_classes(classes, [space.classes], "semantic")

    @classmethod
    def model_classes(cls, space: ClassSpace) -> tuple[str, ...]:
        """Return the names of all classes of the data set."""
        return space.classes

    def targets(self, labels: LabelMaps) -> tuple[list[Tensor], list[Tensor]]:
        """Return one mask for each class in each image; void belongs to no mask."""
        masks, classes = [], []
        for image in labels.semantic:
            present = image.unique()
            present = present[present != VOID]
            masks.append((image[None] == present[:, None, None]).float())
            classes.append(present.long())
        return masks, classes

    def decode(self, outputs: QueryOutputs, place: Placement, _: np.ndarray) -> np.ndarray:
        """Return the most likely class of each pixel: uint8 [H, W]."""
        return self.decode_scores(self.scores(outputs, place))

    def scores(self, outputs: QueryOutputs, place: Placement) -> Tensor:
        """Return the score of each class at each pixel of the frame: float [classes, H, W]."""
        scores = semantic_scores(outputs, place.padded)
        scores = scores[:, :, : place.inner[0], : place.inner[1]]
        if place.inner != place.size:
            scores = nn.functional.interpolate(
                scores, size=place.size, mode="bilinear", align_corners=False
            )
        return scores[0]

    def decode_scores(self, scores: Tensor) -> np.ndarray:
        """Return the class with the highest score at each pixel: uint8 [H, W]."""
        # The same indices as argmax, which takes nine times as long on a CPU.
        return scores.max(dim=0).indices.to(torch.uint8).cpu().numpy()

    def count_classes(self, prediction: np.ndarray) -> int:
        """Return the number of different classes in a prediction, uint8 [H, W]."""
        return int(np.unique(prediction).size)
