"""Attend within the windows of a Swin Transformer, shifted or not (Liu et al., ICCV 2021).

Tokens of a map are [B, H·W, C], row by row. A window is a square of tokens; maps are padded at the
bottom and the right to whole windows, and shifted windows wrap around. Padding tokens are zeros
before the projections, so their keys and values are the projections' biases: they are attended to,
as in the published model, but never projected.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from videottt.models.computed_once import computed_once

# Added to the scores of tokens of a shifted window that are not neighbours on the map.
NOT_NEIGHBOURS = -100.0
# Weights of about exp(-100) are denormal numbers, with which CPUs are many times slower.
NEGLIGIBLE = 1e-30


@dataclass(frozen=True)
class WindowLayout:
    """Where the tokens of a batch stand in the windows of one stage.

    Rows are the parts of a token that belong to one attention head. Of `tokens` rows, row
    ((b · H·W + token) · 3 + kind) · heads + head is a query, a key or a value (kind 0, 1, 2).

    Attributes:
        into: int64 [3 · B · windows · heads · area], for each row of the windows' queries, keys and
            values the row it is taken from; of a padding token, a row after the last token.
        out_of: int64 [B · H·W · heads], for each row of the tokens its row in the windows.
        back_into: int64 [B · windows · heads · area], the inverse of `out_of`; of a padding token,
            the row after the last one.
        back_out_of: int64 [3 · B · H·W · heads], the inverse of `into` for the tokens' rows.
        padding: int64 [P · 3 · heads], the rows of padding tokens in the windows, or None.
        windows: number of windows of one map.
        area: tokens in a window.
    """

    into: Tensor
    out_of: Tensor
    back_into: Tensor
    back_out_of: Tensor
    padding: Tensor | None
    windows: int
    area: int


def _windows(grid: Tensor, window: int, shift: int) -> Tensor:
    """Return a map [H, W] as its windows, int64 [windows, window²], the map shifted before."""
    height, width = grid.shape
    grid = grid.roll((-shift, -shift), (0, 1))
    parts = grid.view(height // window, window, width // window, window)
    return parts.permute(0, 2, 1, 3).reshape(-1, window * window)


def _padded(size: tuple[int, int], window: int) -> tuple[int, int]:
    return -(-size[0] // window) * window, -(-size[1] // window) * window


@computed_once
def window_layout(
    batch: int, size: tuple[int, int], window: int, shift: int, heads: int, device: torch.device
) -> WindowLayout:
    """Return the layout of a batch of maps of `size` = (H, W) tokens in windows.

    Args:
        batch: number of maps.
        size: (H, W), in tokens.
        window: side of a window, in tokens.
        shift: of the windows, in tokens.
        heads: attention heads of the stage.
        device: of the layout's tensors.
    """
    height, width = size
    count = height * width
    grid = torch.full(_padded(size, window), -1)
    grid[:height, :width] = torch.arange(count).view(height, width)
    placed = _windows(grid, window, shift)
    windows, area = placed.shape
    absent = (placed < 0)[None, :, None, :]
    token = torch.arange(batch)[:, None, None, None] * count + placed[None, :, None, :]
    head = torch.arange(heads)[:, None]
    kind = torch.arange(3).view(3, 1, 1, 1, 1)
    rows = batch * count * 3 * heads
    into = torch.where(absent, batch * count, token) * 3 * heads + kind * heads + head
    back_into = torch.where(absent, batch * count * heads, token * heads + head)
    padding = None
    if bool(absent.any()):
        places = torch.arange(into.numel()).view(into.shape)
        gone = absent.expand(into.shape[1:])
        # [P, 3, heads]: each padding token in turn.
        padding = torch.stack([places[k].transpose(2, 3)[gone.transpose(2, 3)] for k in range(3)])
        padding = padding.view(3, -1, heads).transpose(0, 1).reshape(-1)
    return WindowLayout(
        into.reshape(-1).to(device),
        _inverse(back_into, batch * count * heads).to(device),
        back_into.reshape(-1).to(device),
        _inverse(into, rows).to(device),
        None if padding is None else padding.to(device),
        windows,
        area,
    )


def _inverse(index: Tensor, length: int) -> Tensor:
    """Return where each of 0..length - 1 stands in `index`; larger entries are left out."""
    index = index.reshape(-1)
    inverse = torch.full((length,), -1)
    kept = index < length
    inverse[index[kept]] = torch.arange(index.numel())[kept]
    return inverse


@computed_once
def neighbours(
    size: tuple[int, int], window: int, shift: int, device: torch.device
) -> Tensor | None:
    """Return what is added to the scores of shifted windows, or None without a shift.

    Returns:
        float32 [windows, 1, window², window²]: 0 between neighbours on the map, else -100.
    """
    if shift == 0:
        return None
    height, width = _padded(size, window)
    rows, columns = (
        (torch.arange(edge) >= edge - window).long() + (torch.arange(edge) >= edge - shift).long()
        for edge in (height, width)
    )
    # The regions wrap around with the windows, so they are numbered after the shift.
    region = _windows(rows[:, None] * 3 + columns, window, 0)
    apart = region[:, None, :] != region[:, :, None]
    return (apart.float() * NOT_NEIGHBOURS)[:, None].to(device)


@computed_once
def relative_positions(window: int, device: torch.device) -> Tensor:
    """Return the row of the bias table for each pair of tokens: int64 [window⁴]."""
    axis = torch.arange(window)
    row, column = (place.reshape(-1) for place in torch.meshgrid(axis, axis, indexing="ij"))
    down = row[:, None] - row[None, :] + window - 1
    right = column[:, None] - column[None, :] + window - 1
    return (down * (2 * window - 1) + right).reshape(-1).to(device)


class AttentionInWindows(torch.autograd.Function):
    """Softmax attention within windows, from projected tokens to attended tokens.

    One node of the graph: tokens are brought into windows and back by one gather each way.
    """

    @staticmethod
    def forward(
        ctx: Any, projected: Tensor, padding: Tensor, bias: Tensor, layout: WindowLayout
    ) -> Tensor:
        """Return attended tokens.

        Args:
            ctx: of autograd.
            projected: [B, H·W, 3 · C], queries, keys and values of the tokens.
            padding: [3 · C], the same of a padding token.
            bias: [1 or windows, heads, area, area], added to the scores.
            layout: of the tokens in the windows.

        Returns:
            [B, H·W, C].
        """
        batch, count, channels = projected.shape
        heads = bias.shape[1]
        width = channels // 3 // heads
        rows = projected.reshape(-1, width)
        if layout.padding is not None:
            rows = torch.cat([rows, padding.view(-1, width)])
        parts = rows.index_select(0, layout.into).view(3, -1, layout.area, width)
        query, key, value = parts.unbind(0)
        scores = torch.baddbmm(
            query.new_empty(()).expand(1, 1, 1), query, key.transpose(1, 2),
            beta=0, alpha=width**-0.5,
        )  # fmt: skip
        scores.view(batch, -1, *bias.shape[-3:]).add_(bias)
        weights = scores.softmax(-1, dtype=torch.float32)
        if len(bias) > 1:
            torch.threshold_(weights, NEGLIGIBLE, 0)
        weights = weights.to(value.dtype)
        attended = torch.bmm(weights, value).view(-1, width).index_select(0, layout.out_of)
        ctx.save_for_backward(parts, weights)
        ctx.layout, ctx.bias_shape, ctx.shape = layout, bias.shape, projected.shape
        return attended.view(batch, count, -1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor | None, Tensor | None, None]:
        """Return the gradients of projected tokens, of a padding token and of the bias."""
        parts, weights = ctx.saved_tensors
        layout: WindowLayout = ctx.layout
        query, key, value = parts.unbind(0)
        width = query.shape[-1]
        rows = gradient.reshape(-1, width)
        if layout.padding is not None:
            rows = torch.cat([rows, rows.new_zeros(1, width)])
        of_attended = rows.index_select(0, layout.back_into).view(-1, layout.area, width)
        of_parts = torch.empty_like(parts)
        torch.bmm(weights.transpose(1, 2), of_attended, out=of_parts[2])
        of_weights = torch.bmm(of_attended, value.transpose(1, 2))
        of_scores = torch.ops.aten._softmax_backward_data(of_weights, weights, -1, of_weights.dtype)
        of_bias = None
        if ctx.needs_input_grad[2]:
            windows, *one = ctx.bias_shape
            of_bias = of_scores.view(-1, windows, *one).sum(0)
        scale = width**-0.5
        torch.baddbmm(of_parts[0], of_scores, key, beta=0, alpha=scale, out=of_parts[0])
        torch.baddbmm(
            of_parts[1], of_scores.transpose(1, 2), query, beta=0, alpha=scale, out=of_parts[1]
        )
        of_rows = of_parts.view(-1, width)
        of_padding = None
        if layout.padding is not None:
            of_padding = of_rows.index_select(0, layout.padding)
            of_padding = of_padding.view(-1, ctx.shape[-1]).sum(0)
        of_projected = of_rows.index_select(0, layout.back_out_of).view(ctx.shape)
        return of_projected, of_padding, of_bias, None


class RelativePositionBias(nn.Module):
    """A learned bias of attention scores for each offset between two tokens of a window.

    Args:
        heads: attention heads.
        window: side of a window, in tokens.
    """

    def __init__(self, heads: int, window: int) -> None:
        super().__init__()
        self.window = window
        self.relative_position_bias_table = nn.Parameter(torch.zeros((2 * window - 1) ** 2, heads))

    def forward(self) -> Tensor:
        """Return the bias of each pair of tokens: [heads, window², window²]."""
        table, area = self.relative_position_bias_table.t(), self.window**2
        pairs = relative_positions(self.window, table.device)
        return table.gather(1, pairs.expand(len(table), -1)).view(-1, area, area)


class WindowAttention(nn.Module):
    """Multi-head self-attention within windows.

    Args:
        channels: of the tokens.
        heads: attention heads.
        window: side of a window, in tokens.
    """

    def __init__(self, channels: int, heads: int, window: int) -> None:
        super().__init__()
        self.heads = heads
        self.window = window
        self.q_proj = nn.Linear(channels, channels)
        self.k_proj = nn.Linear(channels, channels)
        self.v_proj = nn.Linear(channels, channels)
        self.o_proj = nn.Linear(channels, channels)
        self.relative_position_bias = RelativePositionBias(heads, window)

    def forward(self, tokens: Tensor, size: tuple[int, int], shift: int) -> Tensor:
        """Return attended tokens, [B, H·W, C], for tokens of maps of `size` = (H, W)."""
        projections = (self.q_proj, self.k_proj, self.v_proj)
        weight = torch.cat([projection.weight for projection in projections])
        bias = torch.cat([projection.bias for projection in projections])
        projected = nn.functional.linear(tokens, weight, bias)
        layout = window_layout(len(tokens), size, self.window, shift, self.heads, tokens.device)
        scores = self.relative_position_bias()[None]
        apart = neighbours(size, self.window, shift, tokens.device)
        if apart is not None:
            scores = scores + apart
        attended: Tensor = AttentionInWindows.apply(
            projected, bias.to(projected.dtype), scores.to(projected.dtype), layout
        )
        out: Tensor = self.o_proj(attended)
        return out
