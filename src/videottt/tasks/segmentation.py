"""What semantic, instance and panoptic segmentation share: Mask2Former's head and its loss."""

import abc
from typing import ClassVar

from torch import Tensor

from videottt.models.y_shaped import QueryOutputs, YShapedModel, main_task_criterion
from videottt.tasks.task import LabelMaps, MainTaskLoss


class Segmentation(abc.ABC):
    """A task whose head says, for each query, a class and a mask."""

    head: ClassVar[str] = "segments"

    @abc.abstractmethod
    def targets(self, labels: LabelMaps) -> tuple[list[Tensor], list[Tensor]]:
        """Return, for each image, masks float [N, H, W] and the model's classes int64 [N]."""

    def observed(self, images: Tensor) -> Tensor:
        """Return the images themselves."""
        return images

    def main_task_loss(self, model: YShapedModel) -> MainTaskLoss:
        """Return Mask2Former's set criterion on every decoder layer, weighted and summed.

        Its points are drawn from torch's global generator.
        """
        criterion, weights = main_task_criterion(model.preset, model.classes)
        criterion.to(next(model.parameters()).device)

        def loss(outputs: QueryOutputs, labels: LabelMaps) -> Tensor:
            masks, classes = self.targets(labels)
            layers = [
                {"class_queries_logits": c.float(), "masks_queries_logits": m.float()}
                for c, m in zip(outputs.class_logits, outputs.mask_logits, strict=True)
            ]
            losses = criterion(
                mask_labels=masks,
                class_labels=classes,
                auxiliary_predictions=layers[:-1],
                **layers[-1],
            )
            return sum(
                value * weights[next(kind for kind in weights if name.startswith(kind))]
                for name, value in losses.items()
            )

        return loss
