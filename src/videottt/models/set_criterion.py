"""Mask2Former's set criterion, with less copying than transformers' own."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from transformers.models.mask2former.modeling_mask2former import (
    Mask2FormerLoss,
    dice_loss,
    sample_point,
    sigmoid_cross_entropy_loss,
)


class SetCriterion(Mask2FormerLoss):
    """The criterion for images of one size; draws and losses are those of transformers.

    Only the order of the points in a sum differs.
    """

    def loss_masks(
        self,
        masks_queries_logits: Tensor,
        mask_labels: Sequence[Tensor],
        indices: Sequence[tuple[Tensor, Tensor]],
        num_masks: Any,
    ) -> dict[str, Tensor]:
        """Return the cross-entropy and the dice loss of the masks that are matched.

        Args:
            masks_queries_logits: [B, queries, h, w].
            mask_labels: of each image, float [N, H, W].
            indices: of each image, the matched queries and the masks they are matched with.
            num_masks: what sums over masks are divided by, a number or a tensor.
        """
        matched = self._get_predictions_permutation_indices(indices)  # type: ignore[no-untyped-call]
        predicted = masks_queries_logits[matched][:, None]
        # Images have one size, so nothing is padded before the masks are chosen.
        pairs = zip(mask_labels, indices, strict=True)
        labels = torch.cat([masks[chosen] for masks, (_, chosen) in pairs])[:, None]
        with torch.no_grad():
            places = self.sample_points_using_uncertainty(
                predicted,
                self.calculate_uncertainty,
                self.num_points,
                self.oversample_ratio,
                self.importance_sample_ratio,
            )
            targets = sample_point(labels, places, align_corners=False).squeeze(1)
        logits = sample_point(predicted, places, align_corners=False).squeeze(1)
        return {
            "loss_mask": sigmoid_cross_entropy_loss(logits, targets, num_masks),
            "loss_dice": dice_loss(logits, targets, num_masks),
        }

    def sample_points_using_uncertainty(
        self,
        logits: Tensor,
        uncertainty_function: Callable[[Tensor], Tensor],
        num_points: int,
        oversample_ratio: float,
        importance_sample_ratio: float,
    ) -> Tensor:
        """Return where masks are compared: the least certain of many random points, and others.

        Args:
            logits: of the masks, [N, 1, h, w].
            uncertainty_function: of the logits at some points.
            num_points: number of points of each mask.
            oversample_ratio: random points drawn for each point that is kept.
            importance_sample_ratio: share of the points that are the least certain.

        Returns:
            (x, y) of each point, 0..1: [N, num_points, 2].
        """
        masks = len(logits)
        drawn = torch.rand(masks, int(num_points * oversample_ratio), 2, device=logits.device)
        values = sample_point(logits, drawn, align_corners=False)
        uncertain = int(importance_sample_ratio * num_points)
        # Their order does not matter, and to sort them takes as long as to find them.
        chosen = torch.topk(uncertainty_function(values)[:, 0], uncertain, dim=1, sorted=False)[1]
        least_certain = drawn.gather(1, chosen[..., None].expand(-1, -1, 2))
        others = torch.rand(masks, num_points - uncertain, 2, device=logits.device)
        return torch.cat([least_certain, others], dim=1)
