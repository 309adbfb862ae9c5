"""Convert stored frames to the encoder's normalised, padded input, and back to pixels."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from videottt.data.transforms.resize import STRIDE

# Mean and standard deviation of ImageNet's RGB in 0..255, as in Mask2Former's configurations.
PIXEL_MEAN = (123.675, 116.28, 103.53)
PIXEL_STD = (58.395, 57.12, 57.375)


@dataclass(frozen=True)
class Placement:
    """The position of a frame in the model's input; all sizes are (H, W) in pixels.

    Attributes:
        padded: size of the model's input.
        inner: size of the resized frame, which is at the input's upper left.
        size: size of the stored frame.
    """

    padded: tuple[int, int]
    inner: tuple[int, int]
    size: tuple[int, int]


def image_size(images: Tensor) -> tuple[int, int]:
    """Return (H, W) of images [..., H, W]."""
    return images.shape[-2], images.shape[-1]


def normalise(images: Tensor) -> Tensor:
    """Normalise RGB images by ImageNet's statistics, as the authors' release does.

    Args:
        images: uint8 [B, H, W, 3].

    Returns:
        float32 [B, 3, H, W], on the same device.
    """
    mean = torch.tensor(PIXEL_MEAN, device=images.device)
    std = torch.tensor(PIXEL_STD, device=images.device)
    return ((images.float() - mean) / std).permute(0, 3, 1, 2).contiguous()


def to_input(images: Tensor, device: torch.device) -> Tensor:
    """Return the encoder's input for RGB images.

    Args:
        images: uint8 [B, H, W, 3].
        device: of the result.

    Returns:
        float32 [B, 3, h, w], normalised, h and w padded with 0 to multiples of 32.
    """
    return pad_to_stride(normalise(images.to(device)))


def denormalise(images: Tensor) -> Tensor:
    """Invert `normalise`: return uint8 [B, H, W, 3], clamped to 0..255, of float [B, 3, H, W]."""
    mean = torch.tensor(PIXEL_MEAN, device=images.device)
    std = torch.tensor(PIXEL_STD, device=images.device)
    pixels = images.permute(0, 2, 3, 1) * std + mean
    return pixels.round().clamp(0, 255).to(torch.uint8)


def pad_to_stride(images: Tensor) -> Tensor:
    """Pad images [B, C, H, W] with 0 at the bottom and the right to multiples of 32."""
    height, width = images.shape[-2:]
    below = math.ceil(height / STRIDE) * STRIDE - height
    right = math.ceil(width / STRIDE) * STRIDE - width
    return nn.functional.pad(images, (0, right, 0, below)) if below or right else images
