"""Predictions as panels of a figure."""

from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib.font_manager
import numpy as np
from matplotlib.axes import Axes
from PIL import Image, ImageFont

from videottt.core.segments import Prediction
from videottt.evaluation.metrics import Headline
from videottt.report.figures.objects import ObjectColours
from videottt.report.figures.overlay import Overlay, captions, laid_over, overlay_of

PIXELS = 300  # an inch of a panel, as in the PDF
FONT_SIZE = 5.5  # points
POINTS = 72  # an inch


@dataclass(frozen=True)
class Picture:
    """A picture, and what is laid over it.

    Attributes:
        image: uint8 [h, w, 3], RGB.
        overlay: None: the picture is shown as it is.
    """

    image: np.ndarray
    overlay: Overlay | None = None


def pictures_of(
    frame: np.ndarray, row: Sequence[Prediction | None], objects: Sequence[ObjectColours]
) -> list[Picture | None]:
    """Return how labels and predictions of a frame that stand side by side are shown.

    An image is shown itself, anything else over the frame. None stays None.

    Args:
        frame: uint8 [H, W, 3], RGB.
        row: the predictions.
        objects: for each of them, the colours of its objects.
    """
    return [
        None if each is None else _picture(frame, each, colours)
        for each, colours in zip(row, objects, strict=True)
    ]


def _picture(frame: np.ndarray, prediction: Prediction, objects: ObjectColours) -> Picture:
    if isinstance(prediction, np.ndarray) and prediction.ndim == 3:
        return Picture(prediction)
    return Picture(frame, overlay_of(prediction, objects))


def bare_axes(axes: Axes) -> None:
    """Take ticks and frame from axes that hold a picture; their labels stay."""
    axes.set(xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set_visible(False)


def show_picture(axes: Axes, picture: Picture, size: tuple[int, int], inches: float) -> None:
    """Draw a picture on axes, which have the pixels of the video's frames as coordinates.

    A map of classes is shown by itself; objects and segments over the picture, with their names.

    Args:
        axes: to draw on.
        picture: of a frame, or of the model's input size, which fills the same place.
        size: (H, W) of the frames.
        inches: width of the axes.
    """
    height, width = size
    extent = (0, width, height, 0)
    overlay = picture.overlay
    if overlay is None:
        axes.imshow(picture.image, interpolation="antialiased", extent=extent)
        return
    if not overlay.outlined:
        classes = overlay.colours[overlay.ids]
        axes.imshow(classes, interpolation="nearest", extent=extent)
        return
    factor = -(-int(inches * PIXELS) // width)
    large = Image.fromarray(picture.image).resize(
        (width * factor, height * factor), Image.Resampling.BICUBIC
    )
    drawn = np.asarray(laid_over(large, overlay))
    axes.imshow(drawn, interpolation="antialiased", extent=extent)
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


def masked_input(frame: np.ndarray, visible: np.ndarray) -> np.ndarray:
    """Return what a model was shown of a frame at its input size: uint8 [h, w, 3], else black.

    Args:
        frame: uint8 [H, W, 3], RGB.
        visible: bool [h, w].
    """
    size = visible.shape[::-1]
    seen = np.array(Image.fromarray(frame).resize(size, Image.Resampling.BILINEAR))
    seen[~visible] = 0
    return seen


def quality_text(metric: Headline, value: float) -> str:
    """Return how good a prediction is, such as ``AP 23.1 %``; "" where it is not known.

    Args:
        metric: of the task.
        value: in the unit of the metric; NaN = not known.
    """
    return "" if np.isnan(value) else f"{metric.name} {value:.1f} {metric.unit}"
