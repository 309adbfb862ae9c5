"""Convert stored frames to the encoder's normalised, padded input, and back to pixels."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from videottt.data.transforms.resize import STRIDE
from videottt.models.computed_once import computed_once

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
    mean, std = _statistics(images.device)
    # Planes first: a byte is cheaper to move than a float, and a plane has one mean.
    planes = images.permute(0, 3, 1, 2).contiguous().to(torch.float32, copy=True)
    return planes.sub_(mean).div_(std)


@computed_once
def _statistics(device: torch.device) -> tuple[Tensor, Tensor]:
    """Return ImageNet's mean and standard deviation on a device, float32 [3, 1, 1] each."""
    # Kept, as a new copy of them would make a GPU wait.
    return (
        torch.tensor(PIXEL_MEAN, device=device).view(3, 1, 1),
        torch.tensor(PIXEL_STD, device=device).view(3, 1, 1),
    )


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """Copy a tensor to a device; a GPU copies from pinned memory while the program goes on."""
    if tensor.device == device or device.type == "cpu":
        return tensor.to(device)
    pinned = tensor.pin_memory() if device.type == "cuda" else tensor
    return pinned.to(device, non_blocking=True)


def to_input(images: Tensor, device: torch.device) -> Tensor:
    """Return the encoder's input for RGB images.

    Args:
        images: uint8 [B, H, W, 3].
        device: of the result.

    Returns:
        float32 [B, 3, h, w], normalised, h and w padded with 0 to multiples of 32.
    """
    return pad_to_stride(normalise(to_device(images, device)))


def denormalise(images: Tensor) -> Tensor:
    """Invert `normalise`: return uint8 [B, H, W, 3], clamped to 0..255, of float [B, 3, H, W]."""
    mean, std = _statistics(images.device)
    pixels = images * std + mean
    return pixels.round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous()


def pad_to_stride(images: Tensor) -> Tensor:
    """Pad images [B, C, H, W] with 0 at the bottom and the right to multiples of 32."""
    height, width = images.shape[-2:]
    below = math.ceil(height / STRIDE) * STRIDE - height
    right = math.ceil(width / STRIDE) * STRIDE - width
    return nn.functional.pad(images, (0, right, 0, below)) if below or right else images
