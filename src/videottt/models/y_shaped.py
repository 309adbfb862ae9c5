"""The Y-shaped model of the paper: encoder f, main-task head h, decoder g (sections 3 and 4.3)."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from transformers import Mask2FormerForUniversalSegmentation
from transformers.models.mask2former.modeling_mask2former import Mask2FormerLoss

from videottt.core.errors import InputError, nearest
from videottt.core.randomness import global_draws
from videottt.models.encoders import drop_path_on_feedforward
from videottt.models.masking import masked
from videottt.models.presets import (
    COLOUR_QUERIES,
    RECONSTRUCTION_QUERIES,
    Preset,
    mask2former_config,
)


@dataclass(frozen=True)
class QueryOutputs:
    """What the main-task head says of a batch, one entry a decoder layer, the last one final.

    Attributes:
        class_logits: each [B, queries, classes + 1]; the last class means "no object".
        mask_logits: each [B, queries, H/4, W/4].
    """

    class_logits: tuple[Tensor, ...]
    mask_logits: tuple[Tensor, ...]


# What a main-task head says of a batch: classes and masks, or colours, float [B, 2, H, W].
HeadOutputs = QueryOutputs | Tensor


class MaskedAttentionBranch(nn.Module):
    """Everything after the encoder in Mask2Former: pixel decoder and masked-attention decoder.

    The main-task head h and the decoder g are two of these, with different numbers of queries.
    """

    def __init__(self, template: Mask2FormerForUniversalSegmentation) -> None:
        super().__init__()
        self.pixel_decoder = template.model.pixel_level_module.decoder
        self.query_decoder = template.model.transformer_module

    def query(self, features: tuple[Tensor, ...]) -> tuple[list[Tensor], list[Tensor]]:
        """Return query states, each [queries, B, C], and mask logits, each [B, queries, H/4, W/4].

        Args:
            features: the encoder's four maps, [B, C_i, H / 2^(i+2), W / 2^(i+2)].
        """
        # Deformable attention loses too much in half precision; the release excludes it too.
        with torch.autocast(features[0].device.type, enabled=False):
            pixels = self.pixel_decoder([feature.float() for feature in features])
        queries = self.query_decoder(
            multi_scale_features=pixels.multi_scale_features,
            mask_features=pixels.mask_features,
            output_hidden_states=True,
        )
        return queries.intermediate_hidden_states, queries.masks_queries_logits


class MainTaskHead(MaskedAttentionBranch):
    """The head h: a branch whose queries also name a class."""

    def __init__(self, template: Mask2FormerForUniversalSegmentation) -> None:
        super().__init__(template)
        self.class_predictor = template.class_predictor

    def forward(self, features: tuple[Tensor, ...]) -> QueryOutputs:
        """Return class and mask logits of every layer."""
        states, masks = self.query(features)
        classes = tuple(self.class_predictor(state.transpose(0, 1)) for state in states)
        return QueryOutputs(classes, tuple(masks))


class PaintingBranch(MaskedAttentionBranch):
    """A branch of C·4·4 queries whose mask logits are re-arranged to pixels of C channels."""

    def forward(self, features: tuple[Tensor, ...]) -> Tensor:
        """Return pixels [B, C, H, W].

        Query c·16 + p·4 + q is channel c of row p, column q of every 4 x 4 patch.
        """
        _, masks = self.query(features)
        return nn.functional.pixel_shuffle(masks[-1], 4)


class ColourHead(PaintingBranch):
    """The head h of colorization: 2·4·4 queries that paint the two planes of colour.

    What the paper says of g, that it copies h but for the last layer (section 4.3), the other way
    round: for pixels instead of segments, the architecture is that of g.
    """


class ReconstructionDecoder(PaintingBranch):
    """The decoder g: 3·4·4 queries that paint pixels normalised like the input (section 4.3)."""


# Queries of the head h of colorization take the place of those of a preset.
HEADS: dict[str, type[MaskedAttentionBranch]] = {"segments": MainTaskHead, "colours": ColourHead}


class YShapedModel(nn.Module):
    """Encoder f with two branches: main-task head h and decoder g.

    It knows nothing of streams, windows or data sets. Images are float [B, 3, H, W], normalised,
    H and W multiples of 32.

    Args:
        preset: every size.
        classes: that h names; 0 for a head that names none.
        seed: of the initial weights.
        head: what h says: "segments" or "colours".

    Raises:
        InputError: there is no such head.
    """

    def __init__(self, preset: Preset, classes: int, seed: int = 0, head: str = "segments") -> None:
        super().__init__()
        if head not in HEADS:
            raise InputError(f"model: no head says '{head}'; {nearest(head, HEADS)}")
        self.preset = preset
        self.classes = classes
        self.says = head
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
        """Return the encoder's four maps for images of which only `visible` pixels are shown.

        The fourth channel is 1 where a pixel is visible (paper section 4.3).

        Args:
            images: float [B, 3, H, W], normalised.
            visible: float or bool [B, 1, H, W].
            masked_with: what masked pixels are; see videottt.models.masking.masked.
        """
        visible = visible.to(images.dtype)
        shown = masked(images, visible, masked_with)
        maps: tuple[Tensor, ...] = self.encoder(torch.cat([shown, visible], dim=1)).feature_maps
        return maps

    def predict(self, images: Tensor) -> HeadOutputs:
        """Return h(f(x)), all patches visible."""
        outputs: HeadOutputs = self.head(self.features(images, torch.ones_like(images[:, :1])))
        return outputs

    def reconstruct(self, images: Tensor, visible: Tensor, masked_with: str = "mean") -> Tensor:
        """Return g(f(x̃)), float [B, 3, H, W]: all pixels, from the visible ones."""
        pixels: Tensor = self.decoder(self.features(images, visible, masked_with)).float()
        return pixels


def main_task_criterion(preset: Preset, classes: int) -> tuple[Mask2FormerLoss, dict[str, float]]:
    """Return Mask2Former's set criterion and the weight of each of its losses."""
    config = mask2former_config(preset, preset.queries, classes)
    weights = {
        "loss_cross_entropy": config.class_weight,
        "loss_mask": config.mask_weight,
        "loss_dice": config.dice_weight,
    }
    return Mask2FormerLoss(config, weights), weights
