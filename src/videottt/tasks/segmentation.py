"""Mask2Former's main task loss, shared by semantic, instance and panoptic segmentation."""

import abc
from typing import ClassVar

from torch import Tensor

from videottt.models.y_shaped import QueryOutputs, YShapedModel, main_task_criterion
from videottt.tasks.task import LabelMaps, MainTaskLoss

# Losses of the criterion that are sums over masks.
OF_MASKS = ("loss_mask", "loss_dice")


class Segmentation(abc.ABC):
    """A task whose head h predicts a class and a mask for each query."""

    head: ClassVar[str] = "segments"

    @abc.abstractmethod
    def targets(self, labels: LabelMaps) -> tuple[list[Tensor], list[Tensor]]:
        """Return the targets of ℓ_m.

        Returns:
            for each image masks, float [N, H, W], and class indices of the model, int64 [N].
        """

    def observable(self, images: Tensor) -> Tensor:
        """Return the images unchanged: labels cannot be seen in them."""
        return images

    def main_task_loss(self, model: YShapedModel) -> MainTaskLoss:
        """Return ℓ_m: Mask2Former's set criterion, weighted and summed over decoder layers.

        The criterion draws its points from torch's global generator. It sums the losses of masks
        and divides by the number of masks, at least 1. Mask2Former divides by the average number
        over all GPUs, so that every mask of a batch has the same weight; here the average is over
        the parts of a batch.
        """
        criterion, weights = main_task_criterion(model.preset, model.classes)
        criterion.to(next(model.parameters()).device)

        def loss(outputs: QueryOutputs, labels: LabelMaps, targets: float | None = None) -> Tensor:
            masks, classes = self.targets(labels)
            factors = weights
            if targets is not None:
                # The criterion divides by the number of masks in this part; replace that number by
                # the average over the parts.
                share = max(sum(map(len, classes)), 1) / max(targets, 1)
                factors = weights | {kind: weights[kind] * share for kind in OF_MASKS}
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
            total: Tensor = sum(
                value * factors[next(kind for kind in factors if name.startswith(kind))]
                for name, value in losses.items()
            )
            return total

        return loss

    def count_targets(self, labels: LabelMaps) -> int:
        """Return the number of target masks in all images together."""
        return sum(map(len, self.targets(labels)[1]))
