"""Compute class scores of pixels and full-size masks of queries from Mask2Former's outputs."""

import torch
from torch import Tensor, nn

from videottt.models.inputs import Placement
from videottt.models.y_shaped import QueryOutputs


def semantic_scores(outputs: QueryOutputs, size: tuple[int, int] | None = None) -> Tensor:
    """Return class probabilities × mask probabilities, summed over queries.

    The final layer's masks are enlarged to `size` before the sigmoid, as in the authors'
    semantic_inference.

    Args:
        outputs: of the head h; only the final decoder layer counts.
        size: (H, W) of the scores; None keeps the resolution of the masks.

    Returns:
        float32 [B, classes, H, W], at least 0; the sum over classes can exceed 1.
    """
    classes = outputs.class_logits[-1].float().softmax(dim=-1)[..., :-1]
    logits = outputs.mask_logits[-1].float()
    if size is not None:
        logits = _enlarged(logits, size)
    return torch.einsum("bqc,bqhw->bchw", classes, logits.sigmoid())


def class_log_probabilities(outputs: QueryOutputs) -> Tensor:
    """Return the log of each pixel's distribution over classes: float32 [B, classes, H/4, W/4].

    Mask2Former's class scores of a pixel do not sum to 1: several queries or none may claim the
    pixel. The scores are therefore divided by their sum.
    """
    scores = semantic_scores(outputs).clamp_min(torch.finfo(torch.float32).tiny)
    return scores.log() - scores.sum(dim=1, keepdim=True).log()


def query_masks(outputs: QueryOutputs, queries: Tensor, place: Placement) -> Tensor:
    """Return the mask logits of selected queries at the frame's size: float32 [N, H, W].

    As in the authors' code for instances and panoptic maps, the logits themselves are enlarged to
    the model's input, cropped to the frame without its padding, and resized to the frame.

    Args:
        outputs: of a batch of one frame; only the final decoder layer counts.
        queries: int64 [N], indices of the selected queries. Select few: enlarging the masks takes
            most of the time of decoding.
        place: position of the frame in the model's input.
    """
    logits = outputs.mask_logits[-1][:, queries].float()
    logits = _enlarged(logits, place.padded)[:, :, : place.inner[0], : place.inner[1]]
    return (logits if place.inner == place.size else _enlarged(logits, place.size))[0]


def _enlarged(maps: Tensor, size: tuple[int, int]) -> Tensor:
    return nn.functional.interpolate(maps, size=size, mode="bilinear", align_corners=False)
