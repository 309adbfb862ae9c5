"""Predictions as panels of a figure."""

import matplotlib.font_manager
import numpy as np
from matplotlib.axes import Axes
from PIL import Image, ImageFont

from videottt.figures.overlay import Overlay, captions, laid_over

PIXELS = 300  # an inch of a panel, as in the PDF
FONT_SIZE = 5.5  # points
POINTS = 72  # an inch


def show_overlay(axes: Axes, frame: np.ndarray, overlay: Overlay, inches: float) -> None:
    """Draw what is predicted of a frame on axes.

    A map of classes is shown by itself; objects and segments over the frame, with their names.

    Args:
        axes: to draw on; they have the frame's pixels as coordinates.
        frame: uint8 [H, W, 3], RGB.
        overlay: of the prediction.
        inches: width of the axes.
    """
    height, width = overlay.ids.shape
    extent = (0, width, height, 0)
    if not overlay.outlined:
        picture = overlay.colours[overlay.ids]
        axes.imshow(picture, interpolation="nearest", extent=extent)
        return
    factor = -(-int(inches * PIXELS) // width)
    large = Image.fromarray(frame).resize(
        (width * factor, height * factor), Image.Resampling.BICUBIC
    )
    picture = np.asarray(laid_over(large, overlay))
    axes.imshow(picture, interpolation="antialiased", extent=extent)
    # Pixels of the enlarged frame for each point of the figure.
    scale = width * factor / (inches * POINTS)
    font = ImageFont.truetype(
        matplotlib.font_manager.findfont("DejaVu Sans"), round(10 * FONT_SIZE)
    )

    def measure(text: str) -> tuple[float, float]:
        return (font.getlength(text) / 10 + 3) * scale, (FONT_SIZE + 2.5) * scale

    for each in captions(overlay, factor, measure):
        axes.text(
            (each.left + each.width / 2) / factor,
            (each.top + each.height / 2) / factor,
            each.text,
            color="white",
            fontsize=FONT_SIZE,
            ha="center",
            va="center_baseline",
            bbox={"facecolor": (0.1, 0.1, 0.1, 0.7), "linewidth": 0, "pad": 0.8},
        )


def quality_text(name: str, percent: float) -> str:
    """Return how good a prediction is, such as ``AP 23.1 %``; "" where it is not known."""
    return "" if np.isnan(percent) else f"{name} {percent:.1f} %"
