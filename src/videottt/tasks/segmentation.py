"""What semantic, instance and panoptic segmentation share: Mask2Former's head and its loss."""

import abc
from typing import ClassVar

from torch import Tensor

from videottt.models.y_shaped import QueryOutputs, YShapedModel, main_task_criterion
from videottt.tasks.task import LabelMaps, MainTaskLoss

# The criterion's losses that are summed over masks.
OF_MASKS = ("loss_mask", "loss_dice")


class Segmentation(abc.ABC):
    """A task whose head says, for each query, a class and a mask."""

    head: ClassVar[str] = "segments"

    @abc.abstractmethod
    def targets(self, labels: LabelMaps) -> tuple[list[Tensor], list[Tensor]]:
        """Return, for each image, masks float [N, H, W] and the model's classes int64 [N]."""

    def observable(self, images: Tensor) -> Tensor:
        """Return the images themselves."""
        return images

    def main_task_loss(self, model: YShapedModel) -> MainTaskLoss:
        """Return Mask2Former's set criterion on every decoder layer, weighted and summed.

        Its points are drawn from torch's global generator. Its losses of masks are summed and
        divided by the number of masks, at least 1. Mask2Former takes for that the average over all
        GPUs, so that every mask of a batch counts as much; here it is that over a batch's parts.
        """
        criterion, weights = main_task_criterion(model.preset, model.classes)
        criterion.to(next(model.parameters()).device)

        def loss(outputs: QueryOutputs, labels: LabelMaps, targets: float | None = None) -> Tensor:
            masks, classes = self.targets(labels)
            factors = weights
            if targets is not None:
                # The criterion, which sees this part only, divides by the number of its own masks.
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
        """Return how many masks there are to match, in all images together."""
        return sum(map(len, self.targets(labels)[1]))
