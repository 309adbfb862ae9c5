"""Masking of patches, and the reconstruction loss (paper sections 3 and 4.3)."""

import torch
from torch import Tensor, nn


def random_visible(
    batch: int, size: tuple[int, int], patch: int, mask_ratio: float, generator: torch.Generator
) -> Tensor:
    """Draw which pixels stay visible, independently for each image of a batch.

    Of the L patches of `patch` x `patch` pixels that cover the image, int(L · (1 - mask_ratio))
    stay visible, as in the authors' code. Patches at the right and lower edge may be cut.

    Returns:
        float [batch, 1, H, W] on the CPU, 1 = visible.
    """
    rows, columns = -(-size[0] // patch), -(-size[1] // patch)
    count = rows * columns
    # The small term keeps 0.8 of 100 patches from counting as 19 by rounding of 1 - 0.8.
    kept = int(count * (1 - mask_ratio) + 1e-9)
    # One draw an image, so that cutting a batch into micro-batches changes no mask.
    noise = torch.stack([torch.rand(count, generator=generator) for _ in range(batch)])
    order = noise.argsort(dim=1)
    grid = (order.argsort(dim=1) < kept).float().view(batch, 1, rows, columns)
    pixels = grid.repeat_interleave(patch, dim=2).repeat_interleave(patch, dim=3)
    return pixels[:, :, : size[0], : size[1]]


def reconstruction_loss(pixels: Tensor, images: Tensor, visible: Tensor, loss_on: str) -> Tensor:
    """Return the mean squared error of reconstructed pixels in normalised pixel space, a scalar.

    Args:
        pixels: float [B, 3, H, W], reconstructed.
        images: float [B, 3, H, W], the target.
        visible: float [B, 1, H, W], 1 = visible.
        loss_on: "masked" compares masked pixels only (the paper), "all" every pixel (the release).
    """
    if loss_on == "all":
        return nn.functional.mse_loss(pixels, images)
    masked = 1 - visible
    # Each image has the same number of masked patches, but cut ones differ in pixels: average
    # within an image first, then over the batch.
    error = ((pixels - images) ** 2 * masked).mean(dim=(1, 2, 3))
    return (error / masked.mean(dim=(1, 2, 3)).clamp_min(1e-12)).mean()
