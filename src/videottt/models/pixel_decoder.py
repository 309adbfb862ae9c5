"""Mask2Former's pixel decoder: deformable attention over three scales, and a finer map on top.

The parameters have the names of transformers' Mask2Former, so that its checkpoints fit. Tokens are
[B, L, C]: the positions of the coarsest map first, each map row by row.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from videottt.models.computed_once import computed_once
from videottt.models.group_norm import TokenGroupNorm
from videottt.models.positions import position_embedding

Size = tuple[int, int]

# Scales that deformable attention samples, and points on each, as published.
LEVELS = 3
POINTS = 4
# Groups of the group norms, as published.
GROUPS = 32
# Bilinear, zeros outside of the map, corners not aligned: the codes of torch's grid sampler.
SAMPLER = (0, 0, False)


@dataclass(frozen=True)
class SamplingGrid:
    """Where the tokens of all levels look on each level without an offset.

    Attributes:
        centres: float [levels, 1, 1, points, L, 2], each token's own position, (x, y) in -1..1.
        scale: float [levels, 1, 1, 1, 1, 2], a step of one pixel on the level, in the same units.
    """

    centres: Tensor
    scale: Tensor


@computed_once
def sampling_grid(
    sizes: tuple[Size, ...], dtype: torch.dtype, device: torch.device
) -> SamplingGrid:
    """Return the grid for maps of `sizes`, (H, W) each, in the order of their tokens."""
    own = []
    for height, width in sizes:
        y, x = torch.meshgrid(
            torch.linspace(0.5, height - 0.5, height, dtype=dtype) / height,
            torch.linspace(0.5, width - 0.5, width, dtype=dtype) / width,
            indexing="ij",
        )
        own.append(torch.stack([x.reshape(-1), y.reshape(-1)], dim=-1))
    centres = (2 * torch.cat(own) - 1).expand(len(sizes), 1, 1, POINTS, -1, 2)
    steps = torch.tensor([[2 / width, 2 / height] for height, width in sizes], dtype=dtype)
    scale = steps.view(len(sizes), 1, 1, 1, 1, 2)
    return SamplingGrid(centres.to(device), scale.to(device))


class SampleAndWeight(torch.autograd.Function):
    """Sample the values around each token and sum them up by their weights: one graph node.

    Tokens come last in memory, so that sums over points and channels run along them.
    """

    @staticmethod
    def forward(
        ctx: Any, values: Tensor, offsets: Tensor, weights: Tensor, sizes: tuple[Size, ...]
    ) -> Tensor:
        """Return the weighted sums of sampled values.

        Args:
            ctx: of autograd.
            values: [B, heads, width, L].
            offsets: [B, heads, levels, points, 2, L], (x, y) in pixels of the level.
            weights: [B, heads, levels, points, L].
            sizes: (H, W) of each level.

        Returns:
            [B, heads, width, L].
        """
        grid = sampling_grid(sizes, values.dtype, values.device)
        batch, heads, levels, points, _, count = offsets.shape
        places = offsets.new_empty(levels, batch, heads, points, count, 2)
        torch.addcmul(grid.centres, offsets.permute(2, 0, 1, 3, 5, 4), grid.scale, out=places)
        total = torch.zeros_like(values)
        sampled = []
        for level, part in enumerate(_levels(values, sizes)):
            found = torch.grid_sampler_2d(part, places[level].flatten(0, 1), *SAMPLER)
            sampled.append(found.view(batch, heads, *found.shape[1:]))
            total += (sampled[level] * weights[:, :, None, level]).sum(3)
        ctx.save_for_backward(values, places, weights, *sampled)
        ctx.sizes = sizes
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        """Return the gradients of values, offsets and weights."""
        values, places, weights, *sampled = ctx.saved_tensors
        of_total = gradient.contiguous().unsqueeze(3)
        of_values = torch.empty_like(values)
        of_places = torch.empty_like(places)
        of_weights = torch.empty_like(weights)
        start = 0
        for level, part in enumerate(_levels(values, ctx.sizes)):
            of_weights[:, :, level] = (of_total * sampled[level]).sum(2)
            of_sampled = (of_total * weights[:, :, None, level]).flatten(0, 1)
            of_part, of_place = torch.ops.aten.grid_sampler_2d_backward(
                of_sampled, part, places[level].flatten(0, 1), *SAMPLER, [True, True]
            )
            length = part.shape[-2] * part.shape[-1]
            of_values[..., start : start + length] = of_part.view(*values.shape[:3], length)
            of_places[level] = of_place.view_as(places[level])
            start += length
        scale = sampling_grid(ctx.sizes, values.dtype, values.device).scale
        of_offsets = (of_places * scale).permute(1, 2, 0, 3, 5, 4)
        return of_values, of_offsets, of_weights, None


def _levels(values: Tensor, sizes: tuple[Size, ...]) -> list[Tensor]:
    """Return values [B, heads, width, L] as one map [B · heads, width, H, W] for each level."""
    lengths = [height * width for height, width in sizes]
    parts = torch.split(values.flatten(0, 1), lengths, dim=2)
    return [part.view(*part.shape[:2], *size) for part, size in zip(parts, sizes, strict=True)]


class DeformableAttention(nn.Module):
    """Multi-scale deformable attention (Zhu et al., ICLR 2021)."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.sampling_offsets = nn.Linear(channels, heads * LEVELS * POINTS * 2)
        self.attention_weights = nn.Linear(channels, heads * LEVELS * POINTS)
        self.value_proj = nn.Linear(channels, channels)
        self.output_proj = nn.Linear(channels, channels)

    def forward(self, tokens: Tensor, positions: Tensor, sizes: tuple[Size, ...]) -> Tensor:
        """Return attended tokens [B, L, C].

        Args:
            tokens: [B, L, C] of maps of `sizes`.
            positions: [L, C], added to the tokens that look around.
            sizes: (H, W) of each map.
        """
        looking = (tokens + positions).transpose(1, 2)
        values = _projected(tokens.transpose(1, 2), self.value_proj)
        offsets = _projected(looking, self.sampling_offsets)
        weights = _projected(looking, self.attention_weights)
        batch, _, count = looking.shape
        # Over all points of all levels.
        weights = weights.view(batch, self.heads, -1, count).softmax(2)
        sampled: Tensor = SampleAndWeight.apply(
            values.view(batch, self.heads, -1, count),
            offsets.view(batch, self.heads, LEVELS, POINTS, 2, count),
            weights.view(batch, self.heads, LEVELS, POINTS, count),
            sizes,
        )
        attended: Tensor = self.output_proj(sampled.flatten(1, 2).transpose(1, 2))
        return attended


def _projected(channels_first: Tensor, linear: nn.Linear) -> Tensor:
    """Return a linear layer of tokens that are given and returned as [B, C, L]."""
    batch = len(channels_first)
    weight = linear.weight.expand(batch, -1, -1)
    return torch.baddbmm(linear.bias[:, None], weight, channels_first)


class DeformableLayer(nn.Module):
    """Deformable attention and a feed-forward network, each with a residual and a norm."""

    def __init__(self, channels: int, heads: int, feedforward: int) -> None:
        super().__init__()
        self.self_attn = DeformableAttention(channels, heads)
        self.self_attn_layer_norm = nn.LayerNorm(channels)
        self.fc1 = nn.Linear(channels, feedforward)
        self.fc2 = nn.Linear(feedforward, channels)
        self.final_layer_norm = nn.LayerNorm(channels)

    def forward(self, tokens: Tensor, positions: Tensor, sizes: tuple[Size, ...]) -> Tensor:
        """Return tokens [B, L, C]; arguments as of `DeformableAttention`."""
        tokens = self.self_attn_layer_norm(tokens + self.self_attn(tokens, positions, sizes))
        changed = self.fc2(nn.functional.relu(self.fc1(tokens)))
        normed: Tensor = self.final_layer_norm(tokens + changed)
        return normed


class DeformableEncoder(nn.Module):
    """Layers of deformable attention, one after the other."""

    def __init__(self, channels: int, heads: int, feedforward: int, layers: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            DeformableLayer(channels, heads, feedforward) for _ in range(layers)
        )

    def forward(self, tokens: Tensor, positions: Tensor, sizes: tuple[Size, ...]) -> Tensor:
        """Return tokens [B, L, C]; arguments as of `DeformableAttention`."""
        for layer in self.layers:
            tokens = layer(tokens, positions, sizes)
        return tokens


@dataclass(frozen=True)
class Pixels:
    """Output of the pixel decoder.

    Attributes:
        levels: tokens of the three maps that queries attend to, [B, H_l · W_l, C], coarsest first.
        sizes: (H_l, W_l) of these maps.
        mask_features: [B, mask_dim, H/4, W/4] for an input of H x W pixels; queries are compared
            with it. It is channels last in memory.
    """

    levels: tuple[Tensor, ...]
    sizes: tuple[Size, ...]
    mask_features: Tensor


class PixelDecoder(nn.Module):
    """Refine the encoder's maps, and build the map that queries are compared with.

    Args:
        channels_in: of the encoder's maps, from high to low resolution.
        channels: of the tokens.
        mask_dim: channels of the map that queries are compared with.
        heads: attention heads.
        feedforward: inner channels of the feed-forward networks.
        layers: number of deformable attention layers.
    """

    def __init__(
        self,
        channels_in: list[int],
        channels: int,
        mask_dim: int,
        heads: int,
        feedforward: int,
        layers: int,
    ) -> None:
        super().__init__()
        finest, *others = channels_in
        self.level_embed = nn.Parameter(torch.zeros(LEVELS, channels))
        self.input_projections = nn.ModuleList(
            nn.Sequential(nn.Conv2d(each, channels, 1), TokenGroupNorm(GROUPS, channels))
            for each in reversed(others)
        )
        self.encoder = DeformableEncoder(channels, heads, feedforward, layers)
        self.mask_projection = nn.Conv2d(channels, mask_dim, 1)
        self.adapter_1 = nn.Sequential(
            nn.Conv2d(finest, channels, 1, bias=False), TokenGroupNorm(GROUPS, channels)
        )
        self.layer_1 = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            TokenGroupNorm(GROUPS, channels),
            nn.ReLU(),
        )

    def forward(self, maps: tuple[Tensor, ...]) -> Pixels:
        """Return the refined maps of the encoder's four maps, float [B, C_i, H_i, W_i]."""
        finest, *others = maps
        coarse_first = others[::-1]
        sizes = tuple((each.shape[-2], each.shape[-1]) for each in coarse_first)
        tokens = torch.cat(
            [
                _pointwise_and_norm(each, projection)
                for each, projection in zip(coarse_first, self.input_projections, strict=True)
            ],
            dim=1,
        )
        positions = torch.cat(
            [
                position_embedding(size, tokens.shape[-1], tokens.dtype, tokens.device) + embed
                for size, embed in zip(sizes, self.level_embed, strict=True)
            ]
        )
        tokens = self.encoder(tokens, positions, sizes)
        levels = tokens.split([height * width for height, width in sizes], dim=1)
        fine = finest.shape[-2], finest.shape[-1]
        lateral = _as_maps(_pointwise_and_norm(finest, self.adapter_1), fine)
        enlarged = nn.functional.interpolate(
            _as_maps(levels[-1], sizes[-1]), size=fine, mode="bilinear", align_corners=False
        )
        convolution, norm, activation = self.layer_1
        convolved = _as_tokens(convolution(lateral + enlarged))
        pixels = activation(norm(convolved))
        return Pixels(levels, sizes, _as_maps(_pointwise(pixels, self.mask_projection), fine))


def _pointwise(tokens: Tensor, convolution: nn.Conv2d) -> Tensor:
    """Return a convolution of 1 x 1 pixels, which is a linear layer of tokens [B, N, C]."""
    return nn.functional.linear(tokens, convolution.weight.flatten(1), convolution.bias)


def _pointwise_and_norm(maps: Tensor, layers: nn.Module) -> Tensor:
    """Return the group norm of a convolution of maps [B, C, H, W], as tokens [B, H·W, C]."""
    convolution, norm = layers.children()
    assert isinstance(convolution, nn.Conv2d)
    normed: Tensor = norm(_pointwise(_as_tokens(maps), convolution))
    return normed


def _as_tokens(maps: Tensor) -> Tensor:
    """Return maps [B, C, H, W] as tokens [B, H·W, C]; no copy if their channels are last."""
    return maps.permute(0, 2, 3, 1).flatten(1, 2)


def _as_maps(tokens: Tensor, size: Size) -> Tensor:
    """Return tokens [B, H·W, C] as maps [B, C, H, W], channels last in memory; no copy."""
    return tokens.view(len(tokens), *size, -1).permute(0, 3, 1, 2)
