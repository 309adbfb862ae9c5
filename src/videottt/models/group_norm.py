"""Group norm of tokens, [B, N, C], which torch has only for maps with their channels first."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable


class NormaliseGroups(torch.autograd.Function):
    """Group norm with a backward pass of its own: one graph node, few passes over the tokens."""

    @staticmethod
    def forward(
        ctx: Any, tokens: Tensor, weight: Tensor, bias: Tensor, groups: int, eps: float
    ) -> Tensor:
        """Return normalised tokens [B, N, C]; mean and variance are of all tokens of a group."""
        mean = _by_channel(tokens.sum(1), groups) / _members(tokens, groups)
        centred = tokens - mean[:, None]
        variance = _by_channel((centred * centred).sum(1), groups) / _members(tokens, groups)
        scale = torch.rsqrt(variance + eps)
        ctx.save_for_backward(centred, scale, weight)
        ctx.groups = groups
        return torch.addcmul(bias, centred, (scale * weight)[:, None])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None]:
        """Return the gradients of tokens, weight and bias."""
        centred, scale, weight = ctx.saved_tensors
        members = _members(centred, ctx.groups)
        of_bias = gradient.sum(1)
        of_weight = (gradient * centred).sum(1)
        mean = _by_channel(of_bias * weight, ctx.groups) / members
        slope = _by_channel(of_weight * weight, ctx.groups) / members * scale * scale
        of_tokens = gradient * (scale * weight)[:, None]
        of_tokens.addcmul_(centred, (-slope * scale)[:, None]).sub_((mean * scale)[:, None])
        return of_tokens, (of_weight * scale).sum(0), of_bias.sum(0), None, None


class TokenGroupNorm(nn.GroupNorm):
    """Group norm of tokens, [B, N, C], as torch's of maps [B, C, H, W] with N = H·W pixels."""

    def forward(self, tokens: Tensor) -> Tensor:
        """Return normalised tokens, [B, N, C]."""
        normed: Tensor = NormaliseGroups.apply(
            tokens.contiguous(), self.weight, self.bias, self.num_groups, self.eps
        )
        return normed


def _by_channel(values: Tensor, groups: int) -> Tensor:
    """Return the sum over each group's channels, for each of these channels: [B, C]."""
    members = values.view(len(values), groups, -1)
    return members.sum(2, keepdim=True).expand_as(members).flatten(1)


def _members(tokens: Tensor, groups: int) -> int:
    return tokens.shape[1] * tokens.shape[2] // groups
