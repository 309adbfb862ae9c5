"""Sine embeddings of positions on a map, as in Mask2Former (Cheng et al., CVPR 2022)."""

import math

import torch
from torch import Tensor

from videottt.models.computed_once import computed_once

TEMPERATURE = 10000.0


@computed_once
def position_embedding(
    size: tuple[int, int], channels: int, dtype: torch.dtype, device: torch.device
) -> Tensor:
    """Return the embedding of each position of a map of `size` = (H, W): [H·W, channels].

    The first half of the channels embeds the row, the second half the column.
    """
    height, width = size
    rows, columns = (
        torch.arange(1, edge + 1, dtype=dtype) / (edge + 1e-6) * (2 * math.pi)
        for edge in (height, width)
    )
    half = channels // 2
    number = torch.arange(half, dtype=torch.int64).to(dtype)
    period = TEMPERATURE ** (2 * torch.div(number, 2, rounding_mode="floor") / half)
    waves = [
        torch.stack([angle[:, 0::2].sin(), angle[:, 1::2].cos()], dim=2).flatten(1)
        for angle in (rows[:, None] / period, columns[:, None] / period)
    ]
    by_row = waves[0][:, None].expand(height, width, -1)
    by_column = waves[1][None].expand(height, width, -1)
    return torch.cat([by_row, by_column], dim=2).reshape(height * width, -1).to(device)
