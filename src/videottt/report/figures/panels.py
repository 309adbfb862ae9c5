"""Draw predictions as panels of a figure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageFont

from videottt.core.segments import Prediction
from videottt.evaluation.metrics import Headline
from videottt.report.figures.objects import ObjectColours
from videottt.report.figures.overlay import Overlay, captions, laid_over, overlay_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from videottt.store.frames import FrameStore

PIXELS = 300  # an inch of a panel, as in the PDF
FONT_SIZE = 5.5  # points
POINTS = 72  # an inch


@dataclass(frozen=True)
class Picture:
    """A picture and its overlay.

    Attributes:
        image: uint8 [h, w, 3], RGB.
        overlay: segments over the picture; None shows the picture alone.
    """

    image: np.ndarray
    overlay: Overlay | None = None


def pictures_of(
    frame: np.ndarray, row: Sequence[Prediction | None], objects: Sequence[ObjectColours]
) -> list[Picture | None]:
    """Return the pictures of labels and predictions of one frame, side by side.

    An image is its own picture; other predictions are laid over the frame. None stays None.

    Args:
        frame: uint8 [H, W, 3], RGB.
        row: labels and predictions.
        objects: the colours of the objects of each.
    """
    return [
        None if prediction is None else _picture(frame, prediction, colours)
        for prediction, colours in zip(row, objects, strict=True)
    ]


def _picture(frame: np.ndarray, prediction: Prediction, objects: ObjectColours) -> Picture:
    if isinstance(prediction, np.ndarray) and prediction.ndim == 3:
        return Picture(prediction)
    return Picture(frame, overlay_of(prediction, objects))


def bare_axes(axes: "Axes") -> None:
    """Remove ticks and frame of axes that hold a picture; their labels stay."""
    axes.set(xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set_visible(False)


def show_picture(axes: "Axes", picture: Picture, store: "FrameStore", inches: float) -> None:
    """Draw a picture on axes whose coordinates are the pixels of the video's frames.

    A map of classes is drawn alone; objects and segments over the picture, with their names.

    Args:
        axes: to draw on.
        picture: of the frame's or of the model's input size; either fills the axes.
        store: of the frames.
        inches: width of the axes.
    """
    # Here, because videos need this module without matplotlib.
    import matplotlib.font_manager

    height, width = store.size
    placed: dict[str, Any] = {"extent": (0, width, height, 0), "aspect": 1 / store.pixel_aspect}
    overlay = picture.overlay
    if overlay is None:
        axes.imshow(picture.image, interpolation="antialiased", **placed)
        return
    if not overlay.outlined:
        classes = overlay.colours[overlay.ids]
        axes.imshow(classes, interpolation="nearest", **placed)
        return
    factor = -(-int(inches * PIXELS) // width)
    large = Image.fromarray(picture.image).resize(
        (width * factor, height * factor), Image.Resampling.BICUBIC
    )
    drawn = np.asarray(laid_over(large, overlay))
    axes.imshow(drawn, interpolation="antialiased", **placed)
    # Columns of the enlarged frame for each point of the figure.
    scale = width * factor / (inches * POINTS)
    font = ImageFont.truetype(
        matplotlib.font_manager.findfont("DejaVu Sans"), round(10 * FONT_SIZE)
    )

    def measure(text: str) -> tuple[float, float]:
        rows = scale * store.pixel_aspect
        return (font.getlength(text) / 10 + 3) * scale, (FONT_SIZE + 2.5) * rows

    for name in captions(overlay, factor, measure):
        axes.text(
            (name.left + name.width / 2) / factor,
            (name.top + name.height / 2) / factor,
            name.text,
            color="white",
            fontsize=FONT_SIZE,
            ha="center",
            va="center_baseline",
            bbox={"facecolor": (0.1, 0.1, 0.1, 0.7), "linewidth": 0, "pad": 0.8},
        )


def masked_input(frame: np.ndarray, visible: np.ndarray) -> np.ndarray:
    """Return the visible patches of a frame at the model's input size, else black: uint8 [h, w, 3].

    Args:
        frame: uint8 [H, W, 3], RGB.
        visible: bool [h, w].
    """
    size = visible.shape[::-1]
    seen = np.array(Image.fromarray(frame).resize(size, Image.Resampling.BILINEAR))
    seen[~visible] = 0
    return seen


def quality_text(metric: Headline, value: float) -> str:
    """Return the metric of a prediction as text, for example ``AP 23.1 %``; "" for NaN.

    Args:
        metric: of the task.
        value: in the unit of the metric.
    """
    return "" if np.isnan(value) else f"{metric.name} {value:.1f} {metric.unit}"
