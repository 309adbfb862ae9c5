"""From a frame as it is stored to what the encoder sees, and back."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from videottt.data.transforms.resize import STRIDE

# Of ImageNet, in 0..255, as detectron2's Mask2Former configs have them.
PIXEL_MEAN = (123.675, 116.28, 103.53)
PIXEL_STD = (58.395, 57.12, 57.375)


@dataclass(frozen=True)
class Placement:
    """Where a frame lies in what the model saw; each (H, W).

    Attributes:
        padded: of what the model saw.
        inner: of the resized frame within it, at the upper left.
        size: of the frame itself.
    """

    padded: tuple[int, int]
    inner: tuple[int, int]
    size: tuple[int, int]


def image_size(images: Tensor) -> tuple[int, int]:
    """Return (H, W) of images [..., H, W]."""
    return images.shape[-2], images.shape[-1]


def normalise(images: Tensor) -> Tensor:
    """Return uint8 [B, H, W, 3] as normalised float32 [B, 3, H, W], as the release does it."""
    mean = torch.tensor(PIXEL_MEAN, device=images.device)
    std = torch.tensor(PIXEL_STD, device=images.device)
    return ((images.float() - mean) / std).permute(0, 3, 1, 2).contiguous()


def to_input(images: Tensor, device: torch.device) -> Tensor:
    """Return images uint8 [B, H, W, 3] as the encoder takes them, on a device.

    Returns:
        float32 [B, 3, h, w], normalised, h and w padded with 0 to multiples of 32.
    """
    return pad_to_stride(normalise(images.to(device)))


def denormalise(images: Tensor) -> Tensor:
    """Return normalised float [B, 3, H, W] as uint8 [B, H, W, 3], clamped to 0..255."""
    mean = torch.tensor(PIXEL_MEAN, device=images.device)
    std = torch.tensor(PIXEL_STD, device=images.device)
    pixels = images.permute(0, 2, 3, 1) * std + mean
    return pixels.round().clamp(0, 255).to(torch.uint8)


def pad_to_stride(images: Tensor) -> Tensor:
    """Return images [B, C, H, W] padded below and at the right with 0 to multiples of 32."""
    height, width = images.shape[-2:]
    below = math.ceil(height / STRIDE) * STRIDE - height
    right = math.ceil(width / STRIDE) * STRIDE - width
    return nn.functional.pad(images, (0, right, 0, below)) if below or right else images
