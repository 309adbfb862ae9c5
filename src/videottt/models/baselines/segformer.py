"""SegFormer-B4, which the paper's section 5.1 compares with Mask2Former.

"SegFormer: Simple and Efficient Design for Semantic Segmentation with Transformers",
https://arxiv.org/abs/2105.15203, in transformers' implementation, with the weights that SegFormer's
authors trained on 1024 x 1024 crops of Cityscapes
(nvidia/segformer-b4-finetuned-cityscapes-1024-1024). The network has 64.0 M parameters. The paper's
64.1 M count the 150 classes of ADE20K.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import SegformerConfig, SegformerForSemanticSegmentation

from videottt.models.baselines.published import fill, read_published

CLASSES = 19

# (pattern of a published name, name in the installed transformers), applied in this order.
RENAMED = (
    (r"encoder\.patch_embeddings\.(\d+)\.", r"stages.\1.patch_embeddings."),
    (r"encoder\.block\.(\d+)\.", r"stages.\1.blocks."),
    (r"encoder\.layer_norm\.(\d+)\.", r"stages.\1.layer_norm."),
    (r"\.attention\.self\.(query|key|value)\.", lambda match: f".attention.{match[1][0]}_proj."),
    (r"\.attention\.self\.sr\.", ".attention.sequence_reduction.sequence_reduction."),
    (r"\.attention\.self\.layer_norm\.", ".attention.sequence_reduction.layer_norm."),
    (r"\.attention\.output\.dense\.", ".attention.o_proj."),
    (r"\.mlp\.dense(\d)\.", r".mlp.fc\1."),
    (r"\.layer_norm_1\.", ".layernorm_before."),
    (r"\.layer_norm_2\.", ".layernorm_after."),
    (r"^decode_head\.linear_c\.", "decode_head.linear_projections."),
)
# Epsilon of the norms before attention, before the MLP and after a stage in training
# (NVlabs/SegFormer, mix_transformer.py); transformers has 1e-5 for all norms.
NORM_EPSILON = 1e-6


class SegFormerB4(nn.Module):
    """SegFormer with the sizes of B4; its parameters have transformers' names below `network`.

    Args:
        classes: number of classes; 19 for Cityscapes.
    """

    def __init__(self, classes: int = CLASSES) -> None:
        super().__init__()
        # Table 6 of the SegFormer paper; all other sizes are the same from B0 to B5.
        config = SegformerConfig(  # type: ignore[call-arg]
            depths=(3, 8, 27, 3),
            hidden_sizes=(64, 128, 320, 512),
            decoder_hidden_size=768,
            num_labels=classes,
        )
        self.network = SegformerForSemanticSegmentation(config)
        stages: Any = self.network.segformer.stages
        for stage in stages:
            stage.layer_norm.eps = NORM_EPSILON
            for block in stage.blocks:
                block.layernorm_before.eps = block.layernorm_after.eps = NORM_EPSILON

    def forward(self, images: Tensor) -> Tensor:
        """Return logits, float [B, classes, h/4, w/4], for normalised images float [B, 3, h, w]."""
        logits: Tensor = self.network(images).logits
        return logits


def load_segformer_b4(path: Path) -> SegFormerB4:
    """Return the network with its published weights, in eval mode, on the CPU.

    Args:
        path: pytorch_model.bin or model.safetensors, of which only tensors are read.

    Raises:
        InputError: the file is absent, holds other data than weights, or the weights of another
            network.
    """
    with torch.device("meta"):
        model = SegFormerB4()
    expected = model.network.state_dict()
    weights = current_names(read_published(path, lambda name: _current_name(name) in expected))
    fill(model.network, weights, path, "SegFormer-B4 for Cityscapes")
    return model.eval()


def current_names(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename published weights to the names of the installed transformers."""
    return {_current_name(name): tensor for name, tensor in weights.items()}


def _current_name(name: str) -> str:
    for published, current in RENAMED:
        name = re.sub(published, current, name)
    return name
