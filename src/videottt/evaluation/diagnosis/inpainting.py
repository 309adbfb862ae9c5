"""Fill masked pixels from the visible pixels of the same image, without anything learned.

They are what a reconstruction by g is compared with: a g that has learned what images are like does
better than both.
"""

import numpy as np
from scipy import fft

from videottt.core.errors import InputError

# Exponent of the distance. In the plane, the many far pixels outweigh the few near ones up to 2,
# which is Shepard's own; from 3 on, the near ones count most.
POWER = 3.0


def filled_with_mean(images: np.ndarray, visible: np.ndarray) -> np.ndarray:
    """Return images whose masked pixels have the mean colour of the image's visible pixels.

    Args:
        images: float [B, C, H, W], in any units.
        visible: [B, 1, H, W], 1 or true = visible.

    Returns:
        float64 [B, C, H, W]; visible pixels keep their values.

    Raises:
        InputError: an image has no visible pixel.
    """
    shown = _shown(visible)
    return np.where(shown, images, _means(images, shown))


def filled_by_inverse_distance(
    images: np.ndarray, visible: np.ndarray, power: float = POWER
) -> np.ndarray:
    """Return images whose masked pixels are averages of all visible ones, the nearer the heavier.

    The weight of a pixel at distance d is d^-power (Shepard, 1968, with all data points). Sums over
    all visible pixels are convolutions, computed by FFT.

    Args:
        images: float [B, C, H, W], in any units.
        visible: [B, 1, H, W], 1 or true = visible.
        power: exponent, above 0.

    Returns:
        float64 [B, C, H, W]; visible pixels keep their values.

    Raises:
        InputError: an image has no visible pixel.
    """
    shown = _shown(visible)
    means = _means(images, shown)
    height, width = images.shape[-2:]
    # Twice as large as the image, so that no pixel sees another around the edge.
    ring = fft.next_fast_len(2 * height, real=True), fft.next_fast_len(2 * width, real=True)
    weights = fft.rfft2(_weights(ring, power))
    filled = np.empty(images.shape)
    for place, (image, seen, mean) in enumerate(zip(images, shown, means, strict=True)):
        # Without the mean, a rounding error is one of the contrast and not of the brightness.
        planes = np.concatenate([np.where(seen, image - mean, 0.0), seen])
        *sums, total = fft.irfft2(fft.rfft2(planes, ring) * weights, ring)[:, :height, :width]
        # At a visible pixel the total may be 0: the pixel itself has no weight.
        averages = np.divide(sums, total, out=np.zeros(image.shape), where=~seen)
        filled[place] = np.where(seen, image, mean + averages)
    return filled


def _shown(visible: np.ndarray) -> np.ndarray:
    """Return visible pixels as bool [B, 1, H, W].

    Raises:
        InputError: an image has none.
    """
    shown = np.asarray(visible).astype(bool)
    if not shown.any(axis=(1, 2, 3)).all():
        raise InputError(
            "diagnose: a masked image has no visible pixel to fill it from; lower the mask_ratio "
            "in the method's options"
        )
    return shown


def _means(images: np.ndarray, shown: np.ndarray) -> np.ndarray:
    """Return the mean of each image's visible pixels: float64 [B, C, 1, 1]."""
    sums = np.where(shown, images, 0.0).sum(axis=(2, 3), keepdims=True, dtype=np.float64)
    result: np.ndarray = sums / shown.sum(axis=(2, 3), keepdims=True)
    return result


def _weights(ring: tuple[int, int], power: float) -> np.ndarray:
    """Return the weight of every offset on a ring of pixels, which starts at 0: float64 [H, W]."""
    rows, columns = (fft.fftfreq(edge, 1 / edge) for edge in ring)
    distance = np.hypot(rows[:, None], columns)
    result: np.ndarray = np.power(distance, -power, out=np.zeros_like(distance), where=distance > 0)
    return result
