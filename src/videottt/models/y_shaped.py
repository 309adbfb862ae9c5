"""The Y-shaped model of the paper: encoder f, main-task head h, decoder g (sections 3 and 4.3)."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from transformers import Mask2FormerForUniversalSegmentation
from transformers.models.mask2former.modeling_mask2former import Mask2FormerLoss

from videottt.core.errors import InputError, nearest
from videottt.core.randomness import global_draws
from videottt.models.encoders import drop_path_on_feedforward
from videottt.models.mask2former_config import (
    COLOUR_QUERIES,
    RECONSTRUCTION_QUERIES,
    mask2former_config,
)
from videottt.models.masking import masked
from videottt.settings.presets import Preset


@dataclass(frozen=True)
class QueryOutputs:
    """Mask2Former's outputs for a batch: one entry for each decoder layer, the final layer last.

    Attributes:
        class_logits: float [B, queries, classes + 1] each; the last class means "no object".
        mask_logits: float [B, queries, H/4, W/4] each, for an input of H x W pixels.
    """

    class_logits: tuple[Tensor, ...]
    mask_logits: tuple[Tensor, ...]


# Output of the head h for a batch: classes and masks, or colours, float [B, 2, H, W].
HeadOutputs = QueryOutputs | Tensor


class MaskedAttentionBranch(nn.Module):
    """Mask2Former without its backbone: pixel decoder and masked-attention query decoder.

    The head h and the decoder g are two such branches with different numbers of queries (paper
    section 4.3).

    Args:
        template: Mask2Former with new weights; the branch takes over its two decoders.
    """

    def __init__(self, template: Mask2FormerForUniversalSegmentation) -> None:
        super().__init__()
        self.pixel_decoder = template.model.pixel_level_module.decoder
        self.query_decoder = template.model.transformer_module

    def query(self, features: tuple[Tensor, ...]) -> tuple[list[Tensor], list[Tensor]]:
        """Run both decoders; return the states and the mask logits of every decoder layer.

        Args:
            features: the encoder's four maps, float [B, C_i, H / 2^(i+2), W / 2^(i+2)], i = 0..3.

        Returns:
            query states, [queries, B, hidden_dim] each, and mask logits, [B, queries, H/4, W/4]
            each.
        """
        # float32: deformable attention is too inexact in half precision; the release agrees.
        with torch.autocast(features[0].device.type, enabled=False):
            pixels = self.pixel_decoder([feature.float() for feature in features])
        queries = self.query_decoder(
            multi_scale_features=pixels.multi_scale_features,
            mask_features=pixels.mask_features,
            output_hidden_states=True,
        )
        return queries.intermediate_hidden_states, queries.masks_queries_logits


class MainTaskHead(MaskedAttentionBranch):
    """The head h for segments: a branch that also predicts a class for each query."""

    def __init__(self, template: Mask2FormerForUniversalSegmentation) -> None:
        super().__init__(template)
        self.class_predictor = template.class_predictor

    def forward(self, features: tuple[Tensor, ...]) -> QueryOutputs:
        """Return the class and mask logits of every decoder layer for the encoder's maps."""
        states, masks = self.query(features)
        classes = tuple(self.class_predictor(state.transpose(0, 1)) for state in states)
        return QueryOutputs(classes, tuple(masks))


class PaintingBranch(MaskedAttentionBranch):
    """A branch with C·4·4 queries whose mask logits are rearranged to pixels of C channels."""

    def forward(self, features: tuple[Tensor, ...]) -> Tensor:
        """Return pixels, float [B, C, H, W], for the encoder's maps.

        Query c·16 + p·4 + q is channel c of row p, column q of every 4 x 4 patch.
        """
        _, masks = self.query(features)
        return nn.functional.pixel_shuffle(masks[-1], 4)


class ColourHead(PaintingBranch):
    """The head h of colorization: 2·4·4 queries predict the CIELAB planes a and b.

    In the paper g copies the architecture of h except the last layer, which maps into pixel space
    (section 4.3). The head h of colorization also predicts pixels, so it has the architecture of g.
    """


class ReconstructionDecoder(PaintingBranch):
    """The decoder g: 3·4·4 queries reconstruct RGB pixels, normalised like the input (4.3)."""


# Classes of h by kind of output.
HEADS: dict[str, type[MaskedAttentionBranch]] = {"segments": MainTaskHead, "colours": ColourHead}


class YShapedModel(nn.Module):
    """Encoder f shared by two branches: main task head h and decoder g (paper section 3).

    The model is independent of streams, windows and data sets. Its images are float [B, 3, H, W],
    normalised, H and W multiples of 32.

    Args:
        preset: all sizes.
        classes: number of classes that h predicts; 0 for "colours".
        seed: of the initial weights.
        head: output of h: "segments" or "colours".

    Attributes:
        preset: all sizes.
        classes: number of classes that h predicts.
        head_kind: output of h: "segments" or "colours".
        encoder: f, a Swin Transformer with a fourth input channel.
        head: h.
        decoder: g.

    Raises:
        InputError: no head has this kind of output.
    """

    def __init__(self, preset: Preset, classes: int, seed: int = 0, head: str = "segments") -> None:
        super().__init__()
        if head not in HEADS:
            raise InputError(f"model: no head predicts '{head}'; {nearest(head, HEADS)}")
        self.preset = preset
        self.classes = classes
        self.head_kind = head
        queries = preset.queries if head == "segments" else COLOUR_QUERIES
        with global_draws("initial weights", seed):
            main = Mask2FormerForUniversalSegmentation(mask2former_config(preset, queries, classes))
            reconstruction = Mask2FormerForUniversalSegmentation(
                mask2former_config(preset, RECONSTRUCTION_QUERIES, classes)
            )
        self.encoder = main.model.pixel_level_module.encoder
        self.head = HEADS[head](main)
        self.decoder = ReconstructionDecoder(reconstruction)
        drop_path_on_feedforward(self.encoder)

    def features(
        self, images: Tensor, visible: Tensor, masked_with: str = "mean"
    ) -> tuple[Tensor, ...]:
        """Return the encoder's four feature maps f(x̃) of masked images.

        The encoder's fourth input channel is 1 where a pixel is visible (paper section 4.3).

        Args:
            images: float [B, 3, H, W], normalised.
            visible: float or bool [B, 1, H, W], 1 = visible.
            masked_with: colour of masked pixels, "mean" or "black"; see
                `videottt.models.masking.masked`.

        Returns:
            maps i = 0..3, float [B, embed_dim · 2^i, H / 2^(i+2), W / 2^(i+2)].
        """
        visible = visible.to(images.dtype)
        shown = masked(images, visible, masked_with)
        maps: tuple[Tensor, ...] = self.encoder(torch.cat([shown, visible], dim=1)).feature_maps
        return maps

    def predict(self, images: Tensor) -> HeadOutputs:
        """Return h(f(x)) of images with all patches visible, as the main task sees them."""
        outputs: HeadOutputs = self.head(self.features(images, torch.ones_like(images[:, :1])))
        return outputs

    def reconstruct(self, images: Tensor, visible: Tensor, masked_with: str = "mean") -> Tensor:
        """Reconstruct all pixels from the visible ones.

        Args:
            images: float [B, 3, H, W], normalised.
            visible: float or bool [B, 1, H, W], 1 = visible.
            masked_with: colour of masked pixels, "mean" or "black".

        Returns:
            g(f(x̃)), float32 [B, 3, H, W], in normalised pixel space.
        """
        pixels: Tensor = self.decoder(self.features(images, visible, masked_with)).float()
        return pixels


def main_task_criterion(preset: Preset, classes: int) -> tuple[Mask2FormerLoss, dict[str, float]]:
    """Return Mask2Former's set criterion ℓ_m, and the weights of its losses by name."""
    config = mask2former_config(preset, preset.queries, classes)
    weights = {
        "loss_cross_entropy": config.class_weight,
        "loss_mask": config.mask_weight,
        "loss_dice": config.dice_weight,
    }
    return Mask2FormerLoss(config, weights), weights
