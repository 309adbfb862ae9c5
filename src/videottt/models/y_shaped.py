"""The Y-shaped model of the paper: encoder f, main-task head h, decoder g (sections 3 and 4.3)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from videottt.core.errors import InputError, nearest
from videottt.models.encoders import build_encoder
from videottt.models.masking import masked
from videottt.models.pixel_decoder import PixelDecoder, Pixels
from videottt.models.query_decoder import QueryDecoder
from videottt.settings.presets import Preset

if TYPE_CHECKING:
    from videottt.models.set_criterion import SetCriterion

# Queries of the decoder g: one for each RGB channel and pixel of a 4 x 4 patch (section 4.3).
RECONSTRUCTION_QUERIES = 3 * 4 * 4
# Queries of the head h of colorization: one for each plane a, b and pixel of a 4 x 4 patch.
COLOUR_QUERIES = 2 * 4 * 4


@dataclass(frozen=True)
class QueryOutputs:
    """Mask2Former's outputs for a batch: of the final decoder layer, or of every layer in turn.

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
        preset: all sizes.
        channels: of the encoder's maps, from high to low resolution.
        queries: number of queries.
    """

    def __init__(self, preset: Preset, channels: Sequence[int], queries: int) -> None:
        super().__init__()
        self.pixel_decoder = PixelDecoder(
            list(channels),
            preset.hidden_dim,
            preset.mask_dim,
            preset.attention_heads,
            preset.pixel_decoder_feedforward,
            preset.pixel_decoder_layers,
        )
        self.query_decoder = QueryDecoder(
            queries,
            preset.hidden_dim,
            preset.mask_dim,
            preset.attention_heads,
            preset.feedforward,
            preset.decoder_layers,
        )

    def query(self, features: tuple[Tensor, ...]) -> tuple[list[Tensor], Pixels]:
        """Run both decoders; return the queries' states and the pixels they are compared with.

        Args:
            features: the encoder's four maps, float [B, C_i, H / 2^(i+2), W / 2^(i+2)], i = 0..3.

        Returns:
            normalised states, [B, queries, hidden_dim] each: before the first decoder layer and
            after each layer; and the refined pixels.
        """
        # float32: deformable attention is too inexact in half precision; the release agrees.
        with torch.autocast(features[0].device.type, enabled=False):
            pixels = self.pixel_decoder(tuple(feature.float() for feature in features))
        return self.query_decoder(pixels), pixels


class MainTaskHead(MaskedAttentionBranch):
    """The head h for segments: a branch that also predicts a class for each query.

    Args:
        preset: all sizes.
        channels: of the encoder's maps.
        classes: number of classes, without "no object".
    """

    def __init__(self, preset: Preset, channels: Sequence[int], classes: int) -> None:
        super().__init__(preset, channels, preset.queries)
        self.class_predictor = nn.Linear(preset.hidden_dim, classes + 1)

    def forward(self, features: tuple[Tensor, ...]) -> QueryOutputs:
        """Return the class and mask logits of every decoder layer, which ℓ_m supervises."""
        return self._outputs(*self.query(features))

    def final(self, features: tuple[Tensor, ...]) -> QueryOutputs:
        """Return the class and mask logits of the final layer, which predictions need."""
        states, pixels = self.query(features)
        return self._outputs(states[-1:], pixels)

    def _outputs(self, states: list[Tensor], pixels: Pixels) -> QueryOutputs:
        return QueryOutputs(
            tuple(self.class_predictor(state) for state in states),
            tuple(self.query_decoder.masks(state, pixels) for state in states),
        )


class PaintingBranch(MaskedAttentionBranch):
    """A branch with C·4·4 queries whose mask logits are rearranged to pixels of C channels."""

    def forward(self, features: tuple[Tensor, ...]) -> Tensor:
        """Return pixels, float [B, C, H, W], for the encoder's maps.

        Query c·16 + p·4 + q is channel c of row p, column q of every 4 x 4 patch.
        """
        states, pixels = self.query(features)
        return _painted(self.query_decoder.masks(states[-1], pixels))


def _painted(masks: Tensor) -> Tensor:
    """Return masks [B, C · 16, H, W] as pixels [B, C, 4 · H, 4 · W].

    As torch's pixel_shuffle, whose backward pass is several times slower on a CPU.
    """
    batch, _, height, width = masks.shape
    parts = masks.view(batch, -1, 4, 4, height, width).permute(0, 1, 4, 2, 5, 3)
    return parts.reshape(batch, -1, 4 * height, 4 * width)


class ColourHead(PaintingBranch):
    """The head h of colorization: 2·4·4 queries predict the CIELAB planes a and b.

    In the paper g copies the architecture of h except the last layer, which maps into pixel space
    (section 4.3). The head h of colorization also predicts pixels, so it has the architecture of g.

    Args:
        preset: all sizes.
        channels: of the encoder's maps.
        classes: 0, as there are none.
    """

    def __init__(self, preset: Preset, channels: Sequence[int], classes: int) -> None:
        super().__init__(preset, channels, COLOUR_QUERIES)

    def final(self, features: tuple[Tensor, ...]) -> Tensor:
        """Return the pixels, which only the final layer paints."""
        pixels: Tensor = self(features)
        return pixels


class ReconstructionDecoder(PaintingBranch):
    """The decoder g: 3·4·4 queries reconstruct RGB pixels, normalised like the input (4.3).

    Args:
        preset: all sizes.
        channels: of the encoder's maps.
    """

    def __init__(self, preset: Preset, channels: Sequence[int]) -> None:
        super().__init__(preset, channels, RECONSTRUCTION_QUERIES)


# Classes of h by kind of output.
HEADS: dict[str, type[MainTaskHead] | type[ColourHead]] = {
    "segments": MainTaskHead,
    "colours": ColourHead,
}


class YShapedModel(nn.Module):
    """Encoder f shared by two branches: main task head h and decoder g (paper section 3).

    The model is independent of streams, windows and data sets. Its images are float [B, 3, H, W],
    normalised, H and W multiples of 32.

    Args:
        preset: all sizes.
        classes: number of classes that h predicts; 0 for "colours".
        seed: of the initial weights; None leaves the model without weights, to be filled by
            `load_state_dict` with `assign=True`.
        head: output of h: "segments" or "colours".

    Attributes:
        preset: all sizes.
        classes: number of classes that h predicts.
        head_kind: output of h: "segments" or "colours".
        encoder: f, with a fourth input channel.
        head: h.
        decoder: g.

    Raises:
        InputError: no head has this kind of output.
    """

    def __init__(
        self, preset: Preset, classes: int, seed: int | None = 0, head: str = "segments"
    ) -> None:
        super().__init__()
        if head not in HEADS:
            raise InputError(f"model: no head predicts '{head}'; {nearest(head, HEADS)}")
        self.preset = preset
        self.classes = classes
        self.head_kind = head
        self.encoder = build_encoder(preset.encoder, seed)
        channels = self.encoder.channels
        with torch.device("meta"):
            self.head = HEADS[head](preset, channels, classes)
            self.decoder = ReconstructionDecoder(preset, channels)
        if seed is not None:
            self._initialise(seed)

    def _initialise(self, seed: int) -> None:
        # Here, because transformers takes seconds to import and other jobs do not need it.
        from videottt.models.initial_weights import initial_weights

        queries = self.head.query_decoder.queries_features.num_embeddings
        drawn = initial_weights(
            self.preset, self.encoder, self.classes, queries, RECONSTRUCTION_QUERIES, seed
        )
        self.load_state_dict({name: drawn[name] for name in self.state_dict()}, assign=True)

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
            maps i = 0..3, float [B, C_i, H / 2^(i+2), W / 2^(i+2)].
        """
        visible = visible.to(images.dtype)
        shown = masked(images, visible, masked_with)
        maps: tuple[Tensor, ...] = self.encoder(torch.cat([shown, visible], dim=1))
        return maps

    def predict(self, images: Tensor) -> HeadOutputs:
        """Return h(f(x)), after every decoder layer, of images with all patches visible."""
        outputs: HeadOutputs = self.head(self._features_of_all(images))
        return outputs

    def predict_final(self, images: Tensor) -> HeadOutputs:
        """Return h(f(x)) after the final decoder layer only; faster than `predict`."""
        return self.head.final(self._features_of_all(images))

    def _features_of_all(self, images: Tensor) -> tuple[Tensor, ...]:
        return self.features(images, torch.ones_like(images[:, :1]))

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


def main_task_criterion(preset: Preset, classes: int) -> "tuple[SetCriterion, dict[str, float]]":
    """Return Mask2Former's set criterion ℓ_m, and the weights of its losses by name."""
    # Here, because transformers takes seconds to import and only training needs it.
    from videottt.models.mask2former_config import mask2former_config
    from videottt.models.set_criterion import SetCriterion

    config = mask2former_config(preset, preset.queries, classes)
    weights = {
        "loss_cross_entropy": config.class_weight,
        "loss_mask": config.mask_weight,
        "loss_dice": config.dice_weight,
    }
    return SetCriterion(config, weights), weights
