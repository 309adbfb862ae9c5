"""From queries to scores: of classes at each pixel, and of each query's mask at a frame's size."""

import torch
from torch import Tensor, nn

from videottt.models.inputs import Placement
from videottt.models.y_shaped import QueryOutputs


def semantic_scores(outputs: QueryOutputs, size: tuple[int, int] | None = None) -> Tensor:
    """Return class probabilities × mask probabilities, summed over queries: [B, classes, H, W].

    The final layer's masks are enlarged to `size` before the sigmoid, as in the authors'
    semantic_inference; without a size, scores stay at the masks' own resolution.
    """
    classes = outputs.class_logits[-1].float().softmax(dim=-1)[..., :-1]
    logits = outputs.mask_logits[-1].float()
    if size is not None:
        logits = _enlarged(logits, size)
    return torch.einsum("bqc,bqhw->bchw", classes, logits.sigmoid())


def class_log_probabilities(outputs: QueryOutputs) -> Tensor:
    """Return the log of the predicted distribution over classes, [B, classes, H/4, W/4].

    Mask2Former's scores of a pixel are no distribution (queries may claim a pixel several times or
    not at all), so they are divided by their sum.
    """
    scores = semantic_scores(outputs).clamp_min(torch.finfo(torch.float32).tiny)
    return scores.log() - scores.sum(dim=1, keepdim=True).log()


def query_masks(outputs: QueryOutputs, queries: Tensor, place: Placement) -> Tensor:
    """Return mask logits of some queries of one frame, at its own size: float [N, H, W].

    Enlarged to what the model saw, cut to the image within it, and resized: logits all the way, as
    the authors' code does before it decodes instances or a panoptic map.

    Args:
        outputs: of a batch of one; those of the final layer are taken.
        queries: indices int64 [N] of those that are wanted: enlarging masks is what decoding costs.
        place: where the frame lies in what the model saw.
    """
    logits = outputs.mask_logits[-1][:, queries].float()
    logits = _enlarged(logits, place.padded)[:, :, : place.inner[0], : place.inner[1]]
    return (logits if place.inner == place.size else _enlarged(logits, place.size))[0]


def _enlarged(maps: Tensor, size: tuple[int, int]) -> Tensor:
    return nn.functional.interpolate(maps, size=size, mode="bilinear", align_corners=False)
