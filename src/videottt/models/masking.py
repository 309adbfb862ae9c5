"""Mask random patches of images and compute the reconstruction loss (paper sections 3, 4.3)."""

import torch
from torch import Tensor, nn

from videottt.models.inputs import normalise


def random_visible(
    batch: int, size: tuple[int, int], patch: int, mask_ratio: float, generator: torch.Generator
) -> Tensor:
    """Draw random masks of patches, independently for each image of a batch.

    Of the L patches that cover an image, int(L · (1 - mask_ratio)) stay visible, as in the authors'
    code. Patches at the right and lower edge may be cut.

    Args:
        batch: number of images.
        size: (H, W) of the images, in pixels.
        patch: side of a patch, in pixels.
        mask_ratio: fraction of patches that are masked, 0..1; 0.8 in the paper (section 3).
        generator: source of the random draws.

    Returns:
        float32 [batch, 1, H, W] on the CPU, 1 = visible.
    """
    rows, columns = -(-size[0] // patch), -(-size[1] // patch)
    count = rows * columns
    # 1e-9 makes up for rounding: 100 * (1 - 0.8) is slightly below 20.
    kept = int(count * (1 - mask_ratio) + 1e-9)
    # One draw for each image, so that the masks do not depend on the size of a micro-batch.
    noise = torch.stack([torch.rand(count, generator=generator) for _ in range(batch)])
    shown = noise.argsort(dim=1)[:, :kept]
    grid = torch.zeros_like(noise).scatter_(1, shown, 1).view(batch, 1, rows, 1, columns, 1)
    pixels = grid.expand(-1, -1, -1, patch, -1, patch).reshape(batch, 1, rows * patch, -1)
    return pixels[:, :, : size[0], : size[1]]


def masked(images: Tensor, visible: Tensor, masked_with: str) -> Tensor:
    """Paint masked pixels in one colour.

    Args:
        images: float [B, 3, H, W], normalised.
        visible: float [B, 1, H, W], 1 = visible.
        masked_with: "mean" is ImageNet's mean colour, 0 after normalisation (the release); "black"
            is 0 before normalisation (paper section 4.3).

    Returns:
        x̃, float [B, 3, H, W].
    """
    unmasked = images * visible
    if masked_with == "mean":
        return unmasked
    black = normalise(torch.zeros(1, 1, 1, 3, dtype=torch.uint8, device=images.device))
    return unmasked + (1 - visible) * black


def reconstruction_loss(pixels: Tensor, images: Tensor, visible: Tensor, loss_on: str) -> Tensor:
    """Return ℓ_s: the pixel-wise mean squared error in normalised pixel space (paper section 3).

    Args:
        pixels: float [B, 3, H, W], the reconstruction.
        images: float [B, 3, H, W], the target.
        visible: float [B, 1, H, W], 1 = visible.
        loss_on: "masked" compares masked pixels only (the paper), "all" every pixel (the release).

    Returns:
        a scalar: the mean over the images of each image's error.
    """
    if loss_on == "all":
        return nn.functional.mse_loss(pixels, images)
    masked = 1 - visible
    # Images have equally many masked patches, but not pixels, as patches at the edges are cut:
    # average within each image first, then over the batch.
    error = ((pixels - images) ** 2 * masked).mean(dim=(1, 2, 3))
    return (error / masked.mean(dim=(1, 2, 3)).clamp_min(1e-12)).mean()
