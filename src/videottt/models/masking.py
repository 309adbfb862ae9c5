"""Masking of patches, and the reconstruction loss (paper sections 3 and 4.3)."""

import torch
from torch import Tensor, nn

from videottt.core.errors import InputError, nearest
from videottt.models.inputs import normalise

# What takes the place of masked pixels.
FILLINGS = ("mean", "black")


def check_filling(masked_with: str, where: str) -> None:
    """Raise an InputError if masked pixels cannot be filled with something."""
    if masked_with not in FILLINGS:
        raise InputError(
            f"{where}: masked_with is '{masked_with}'; {nearest(str(masked_with), FILLINGS)}"
        )


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


def masked(images: Tensor, visible: Tensor, masked_with: str) -> Tensor:
    """Return images without what is masked, float [B, 3, H, W].

    Args:
        images: float [B, 3, H, W], normalised.
        visible: float [B, 1, H, W], 1 = visible.
        masked_with: "mean" colour, which is 0 after normalisation (the release), or "black", which
            is 0 before it (the paper, section 4.3).
    """
    seen = images * visible
    if masked_with == "mean":
        return seen
    black = normalise(torch.zeros(1, 1, 1, 3, dtype=torch.uint8, device=images.device))
    return seen + (1 - visible) * black


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
