"""Convert images between RGB and CIELAB (D65), and remove or restore their colours.

CIELAB splits an image into its lightness L, in 0..100, and two colour planes a and b, about
-110..110; 0 is grey. Colorization is given L and predicts ab, as in Zhang et al., ECCV 2016.
"""

import numpy as np
import torch
from torch import Tensor


def lab_of(images: Tensor) -> Tensor:
    """Convert RGB uint8 [B, H, W, 3] to CIELAB: float32 [B, 3, H, W], L in 0..100."""
    # Colours alone need kornia, which is an extra.
    from kornia.color import rgb_to_lab

    return rgb_to_lab(images.permute(0, 3, 1, 2).float() / 255)


def made_grey(images: Tensor) -> Tensor:
    """Remove the colours of RGB uint8 [B, H, W, 3] and keep its lightness.

    The three channels become equal; sepia and other tints become neutral too.
    """
    lab = lab_of(images)
    grey = _rgb(torch.cat([lab[:, :1], torch.zeros_like(lab[:, 1:])], dim=1))
    # CIELAB's rounded matrices may turn a grey into channels that differ by one level.
    return grey[..., 1:2].expand_as(grey).contiguous()


def coloured(grey: Tensor, ab: Tensor) -> Tensor:
    """Add colours to grey images.

    Args:
        grey: RGB uint8 [B, H, W, 3]; only its lightness is used.
        ab: the colour planes, float [B, 2, H, W].

    Returns:
        RGB uint8 [B, H, W, 3]; colours outside RGB are clipped.
    """
    return _rgb(torch.cat([lab_of(grey)[:, :1], ab], dim=1))


def grey_frame(frame: np.ndarray) -> np.ndarray:
    """Remove the colours of a frame uint8 [H, W, 3]; see `made_grey`."""
    return made_grey(torch.from_numpy(frame[None]))[0].numpy()


def _rgb(lab: Tensor) -> Tensor:
    from kornia.color import lab_to_rgb

    pixels = lab_to_rgb(lab, clip=True) * 255
    return pixels.round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous()
