"""Colours of images: what is seen of them without colour, and colours given back (CIELAB, D65).

CIELAB parts an image into its lightness L, in 0..100, and two planes of colour a and b, about
-110..110; 0 is grey. Colorization is given L and predicts ab, as in Zhang et al., ECCV 2016.
"""

import numpy as np
import torch
from kornia.color import lab_to_rgb, rgb_to_lab
from torch import Tensor


def lab_of(images: Tensor) -> Tensor:
    """Return RGB uint8 [B, H, W, 3] as CIELAB: float32 [B, 3, H, W], L in 0..100."""
    return rgb_to_lab(images.permute(0, 3, 1, 2).float() / 255)


def made_grey(images: Tensor) -> Tensor:
    """Return RGB uint8 [B, H, W, 3] without colour but as light as it was, in the same form.

    The three channels are equal. Sepia and other tints become neutral too.
    """
    lab = lab_of(images)
    grey = _rgb(torch.cat([lab[:, :1], torch.zeros_like(lab[:, 1:])], dim=1))
    # The matrices of CIELAB are rounded: its greys may differ by one level between the channels.
    return grey[..., 1:2].expand_as(grey).contiguous()


def coloured(grey: Tensor, ab: Tensor) -> Tensor:
    """Return grey images with colours.

    Args:
        grey: RGB uint8 [B, H, W, 3] of which only the lightness counts.
        ab: float [B, 2, H, W].

    Returns:
        RGB uint8 [B, H, W, 3]; colours that RGB has not are cut to those that it has.
    """
    return _rgb(torch.cat([lab_of(grey)[:, :1], ab], dim=1))


def grey_frame(frame: np.ndarray) -> np.ndarray:
    """Return a frame uint8 [H, W, 3] without colour; see `made_grey`."""
    return made_grey(torch.from_numpy(frame[None]))[0].numpy()


def _rgb(lab: Tensor) -> Tensor:
    pixels = lab_to_rgb(lab, clip=True) * 255
    return pixels.round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous()
