"""From a frame as it is stored to what the encoder sees, and back."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

# Of ImageNet, in 0..255, as detectron2's Mask2Former configs have them.
PIXEL_MEAN = (123.675, 116.28, 103.53)
PIXEL_STD = (58.395, 57.12, 57.375)
# The encoder halves the resolution five times.
STRIDE = 32


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


def input_size(size: tuple[int, int], shortest_edge: int, longest_edge: int) -> tuple[int, int]:
    """Return (H, W) of a frame resized to a shortest edge, but no longer than a longest edge.

    The arithmetic is that of detectron2's ResizeShortestEdge, operation by operation: a half is
    where its rounding is decided (of 60 x 248 pixels with the edges 800 and 1333, for example).
    """
    height, width = size
    scale = shortest_edge / min(height, width)
    if height < width:
        resized = float(shortest_edge), scale * width
    else:
        resized = scale * height, float(shortest_edge)
    if max(resized) > longest_edge:
        scale = longest_edge / max(resized)
        resized = resized[0] * scale, resized[1] * scale
    return int(resized[0] + 0.5), int(resized[1] + 0.5)


def resize_image(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return an image uint8 [H, W, 3] resized to `size`, as detectron2's ResizeTransform does it.

    PIL's bilinear filter on bytes: antialiased, since its support grows as an image shrinks. That
    is not torch's or OpenCV's "bilinear", which skip pixels, and not the same as a resize of the
    normalised image, since every pixel is rounded to a byte.
    """
    if image.shape[:2] == size:
        return image
    resized = Image.fromarray(image).resize((size[1], size[0]), Image.Resampling.BILINEAR)
    return np.array(resized)


def normalise(images: Tensor) -> Tensor:
    """Return uint8 [B, H, W, 3] as normalised float32 [B, 3, H, W], as the release does it."""
    mean = torch.tensor(PIXEL_MEAN, device=images.device)
    std = torch.tensor(PIXEL_STD, device=images.device)
    return ((images.float() - mean) / std).permute(0, 3, 1, 2).contiguous()


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
