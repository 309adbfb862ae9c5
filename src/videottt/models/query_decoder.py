"""Mask2Former's query decoder: masked cross-attention, self-attention and a feed-forward network.

The parameters have the names of transformers' Mask2Former, so that its checkpoints fit. Queries are
[B, queries, C]. Each layer attends to one of the three maps in turn, and only to the pixels that
the query's mask claims so far.
"""

import torch
from torch import Tensor, nn

from videottt.models.pixel_decoder import LEVELS, Pixels
from videottt.models.positions import position_embedding


class CrossAttention(nn.Module):
    """Multi-head attention from queries to tokens, with the parameters of torch's own."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.in_proj_weight = nn.Parameter(torch.zeros(3 * channels, channels))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * channels))
        self.out_proj = nn.Linear(channels, channels)

    def forward(self, queries: Tensor, keys: Tensor, values: Tensor, allowed: Tensor) -> Tensor:
        """Return attended queries [B, Q, C].

        Args:
            queries: [B, Q, C].
            keys: [B, L, C].
            values: [B, L, C].
            allowed: bool [B, 1, Q, L], true where a query may attend to a token.
        """
        weights = self.in_proj_weight.chunk(3)
        biases = self.in_proj_bias.chunk(3)
        query, key, value = (
            _heads(nn.functional.linear(each, weight, bias), self.heads)
            for each, weight, bias in zip((queries, keys, values), weights, biases, strict=True)
        )
        attended = nn.functional.scaled_dot_product_attention(query, key, value, allowed)
        out: Tensor = self.out_proj(attended.transpose(1, 2).flatten(2))
        return out


class SelfAttention(nn.Module):
    """Multi-head attention among queries."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.k_proj = nn.Linear(channels, channels)
        self.v_proj = nn.Linear(channels, channels)
        self.q_proj = nn.Linear(channels, channels)
        self.out_proj = nn.Linear(channels, channels)

    def forward(self, queries: Tensor, placed: Tensor) -> Tensor:
        """Return attended queries [B, Q, C]; `placed` are the queries with their embeddings."""
        weight = torch.cat([self.q_proj.weight, self.k_proj.weight])
        bias = torch.cat([self.q_proj.bias, self.k_proj.bias])
        query, key = (
            _heads(part, self.heads)
            for part in nn.functional.linear(placed, weight, bias).chunk(2, dim=-1)
        )
        value = _heads(self.v_proj(queries), self.heads)
        attended = nn.functional.scaled_dot_product_attention(query, key, value)
        out: Tensor = self.out_proj(attended.transpose(1, 2).flatten(2))
        return out


def _heads(tokens: Tensor, heads: int) -> Tensor:
    """Return tokens [B, L, C] by attention head: [B, heads, L, C / heads]."""
    return tokens.view(*tokens.shape[:2], heads, -1).transpose(1, 2)


class QueryLayer(nn.Module):
    """One layer: cross-attention, self-attention and a feed-forward network."""

    def __init__(self, channels: int, heads: int, feedforward: int) -> None:
        super().__init__()
        self.self_attn = SelfAttention(channels, heads)
        self.self_attn_layer_norm = nn.LayerNorm(channels)
        self.cross_attn = CrossAttention(channels, heads)
        self.cross_attn_layer_norm = nn.LayerNorm(channels)
        self.fc1 = nn.Linear(channels, feedforward)
        self.fc2 = nn.Linear(feedforward, channels)
        self.final_layer_norm = nn.LayerNorm(channels)

    def forward(
        self, queries: Tensor, embeddings: Tensor, keys: Tensor, values: Tensor, allowed: Tensor
    ) -> Tensor:
        """Return queries [B, Q, C].

        Args:
            queries: [B, Q, C].
            embeddings: [Q, C], added to queries that attend.
            keys: [B, L, C] of the map's tokens.
            values: [B, L, C] of the map's tokens.
            allowed: bool [B, 1, Q, L], true where a query may attend to a token.
        """
        attended = self.cross_attn(queries + embeddings, keys, values, allowed)
        queries = self.cross_attn_layer_norm(queries + attended)
        attended = self.self_attn(queries, queries + embeddings)
        queries = self.self_attn_layer_norm(queries + attended)
        changed = self.fc2(nn.functional.relu(self.fc1(queries)))
        normed: Tensor = self.final_layer_norm(queries + changed)
        return normed


class MaskPredictor(nn.Module):
    """Embed queries for their comparison with pixels."""

    def __init__(self, channels: int, mask_dim: int) -> None:
        super().__init__()
        sizes = ((channels, channels), (channels, channels), (channels, mask_dim))
        # Each layer is in a sequence of its own, for the names of its parameters.
        self.mask_embedder = nn.Sequential(
            *(nn.Sequential(nn.Linear(before, after)) for before, after in sizes)
        )

    def forward(self, states: Tensor) -> Tensor:
        """Return embeddings [B, Q, mask_dim] of normalised queries [B, Q, C]."""
        first, second, last = self.mask_embedder
        embeddings: Tensor = last(nn.functional.relu(second(nn.functional.relu(first(states)))))
        return embeddings


class Layers(nn.Module):
    """The layers of the query decoder, their common norm, and the predictor of masks."""

    def __init__(
        self, channels: int, mask_dim: int, heads: int, feedforward: int, layers: int
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList(QueryLayer(channels, heads, feedforward) for _ in range(layers))
        self.layernorm = nn.LayerNorm(channels)
        self.mask_predictor = MaskPredictor(channels, mask_dim)


class QueryDecoder(nn.Module):
    """Turn learned queries into masks and states, layer by layer.

    Args:
        queries: number of queries.
        channels: of tokens and queries.
        mask_dim: channels of the map that queries are compared with.
        heads: attention heads.
        feedforward: inner channels of the feed-forward networks.
        layers: number of layers.
    """

    def __init__(
        self,
        queries: int,
        channels: int,
        mask_dim: int,
        heads: int,
        feedforward: int,
        layers: int,
    ) -> None:
        super().__init__()
        self.queries_embedder = _embedding(queries, channels)
        self.queries_features = _embedding(queries, channels)
        self.decoder = Layers(channels, mask_dim, heads, feedforward, layers)
        self.level_embed = _embedding(LEVELS, channels)

    def forward(self, pixels: Pixels) -> list[Tensor]:
        """Return the normalised queries before the first layer and after each layer.

        Returns:
            [B, Q, C] each; `masks` compares them with the pixels.
        """
        values = [
            tokens + embed
            for tokens, embed in zip(pixels.levels, self.level_embed.weight, strict=True)
        ]
        channels = values[0].shape[-1]
        keys = [
            tokens + position_embedding(size, channels, tokens.dtype, tokens.device)
            for tokens, size in zip(values, pixels.sizes, strict=True)
        ]
        shrunk = _shrunk(pixels)
        embeddings = self.queries_embedder.weight
        queries = self.queries_features.weight.expand(len(values[0]), -1, -1)
        states = [self.decoder.layernorm(queries)]
        for number, layer in enumerate(self.decoder.layers):
            level = number % LEVELS
            allowed = self._allowed(states[-1], shrunk[level])
            queries = layer(queries, embeddings, keys[level], values[level], allowed)
            states.append(self.decoder.layernorm(queries))
        return states

    def masks(self, states: Tensor, pixels: Pixels) -> Tensor:
        """Return the mask logits of normalised queries: [B, Q, H/4, W/4]."""
        embeddings = self.decoder.mask_predictor(states)
        features = pixels.mask_features
        masks = torch.matmul(embeddings, features.flatten(2))
        return masks.view(*masks.shape[:2], *features.shape[-2:])

    @torch.no_grad()
    def _allowed(self, states: Tensor, features: Tensor) -> Tensor:
        """Return where queries may attend: bool [B, 1, Q, L]; without a mask, everywhere.

        Args:
            states: normalised queries, [B, Q, C].
            features: of the level's tokens, [B, L, mask_dim].
        """
        embeddings = self.decoder.mask_predictor(states)
        # Not the sign of the logits: the sigmoid of a tiny negative one is 0.5, and the release's
        # masks claim it.
        claimed = torch.matmul(embeddings, features.transpose(1, 2)).sigmoid() >= 0.5
        return (claimed | ~claimed.any(dim=-1, keepdim=True))[:, None]


def _embedding(rows: int, channels: int) -> nn.Embedding:
    # With weights of its own: drawing them on the meta device would import torch's compiler.
    return nn.Embedding(rows, channels, _weight=torch.empty(rows, channels))


@torch.no_grad()
def _shrunk(pixels: Pixels) -> list[Tensor]:
    """Return the features that queries are compared with at each level: [B, L, mask_dim].

    Shrinking the features once equals shrinking every mask: both are linear.
    """
    return [
        nn.functional.interpolate(
            pixels.mask_features, size=size, mode="bilinear", align_corners=False
        )
        .permute(0, 2, 3, 1)
        .flatten(1, 2)
        for size in pixels.sizes
    ]
