"""Semantic segmentation: a class for every pixel."""

import numpy as np
import torch
from torch import Tensor, nn

from videottt.frames import VOID
from videottt.models.y_shaped import QueryOutputs


class SemanticSegmentation:
    """Mask2Former's semantic segmentation: one segment for each class that is in the image."""

    def targets(self, labels: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """Return one mask for each class in each image; void belongs to no mask."""
        masks, classes = [], []
        for image in labels:
            present = image.unique()
            present = present[present != VOID]
            masks.append((image[None] == present[:, None, None]).float())
            classes.append(present.long())
        return masks, classes

    def decode(
        self,
        outputs: QueryOutputs,
        padded: tuple[int, int],
        inner: tuple[int, int],
        size: tuple[int, int],
    ) -> np.ndarray:
        """Return the most likely class of each pixel: uint8 [H, W]."""
        scores = semantic_scores(outputs, padded)[:, :, : inner[0], : inner[1]]
        if inner != size:
            scores = nn.functional.interpolate(
                scores, size=size, mode="bilinear", align_corners=False
            )
        return scores[0].argmax(dim=0).to(torch.uint8).cpu().numpy()


def semantic_scores(outputs: QueryOutputs, size: tuple[int, int]) -> Tensor:
    """Return class probabilities × mask probabilities, summed over queries: [B, classes, H, W].

    Masks are enlarged to `size` before the sigmoid, as in the authors' semantic_inference.
    """
    classes = outputs.class_logits[-1].float().softmax(dim=-1)[..., :-1]
    masks = nn.functional.interpolate(
        outputs.mask_logits[-1].float(), size=size, mode="bilinear", align_corners=False
    ).sigmoid()
    return torch.einsum("bqc,bqhw->bchw", classes, masks)
