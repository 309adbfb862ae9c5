"""Colorization: the colours of a frame of which only the lightness is seen (paper section 5.4)."""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from videottt.core.cielab import coloured, lab_of, made_grey
from videottt.core.errors import InputError
from videottt.core.segments import ClassSpace
from videottt.models.inputs import Placement
from videottt.models.y_shaped import YShapedModel
from videottt.tasks.decoding import Decoding
from videottt.tasks.task import LabelMaps, MainTaskLoss

# What the head calls 1, in CIELAB's units: about the deviation of colours over natural images, so
# that ℓ_m has the size of ℓ_s, which is taken on normalised pixels.
UNIT = 20.0


class Colorization:
    """Regression of CIELAB's planes of colour ab, with the mean squared error.

    The paper has "simply" a supervised problem, without perceptual losses or others of the field.
    ab rather than RGB: the lightness is given, need not be learned and is kept as it is, so that
    whatever scores tell apart is colour. Regression rather than the 313 classes of Zhang et al.,
    whose rebalancing is a technique of the field.
    """

    kind: ClassVar[str] = "images"
    head: ClassVar[str] = "colours"

    def __init__(self, _: ClassSpace, classes: Sequence[str], __: Decoding) -> None:
        if classes:
            raise InputError(
                f"the model names {len(classes)} classes, but the task 'colorization' paints; take "
                "a checkpoint that was trained for colorization"
            )

    @classmethod
    def model_classes(cls, _: ClassSpace) -> tuple[str, ...]:
        """Return no class."""
        return ()

    def observable(self, images: Tensor) -> Tensor:
        """Return the images without their colours."""
        return made_grey(images)

    def main_task_loss(self, _: YShapedModel) -> MainTaskLoss:
        """Return the mean squared error over both planes and all pixels."""

        def loss(outputs: Tensor, labels: LabelMaps, targets: float | None = None) -> Tensor:
            return nn.functional.mse_loss(outputs.float(), lab_of(labels.colours)[:, 1:] / UNIT)

        return loss

    def count_targets(self, _: LabelMaps) -> int:
        """Return 0: every image has as many pixels."""
        return 0

    def decode(self, outputs: Tensor, place: Placement, frame: np.ndarray) -> np.ndarray:
        """Return a frame in colour, uint8 [H, W, 3], as light as the frame is.

        The predicted planes are enlarged to the frame; its lightness keeps every detail.
        """
        ab = outputs.float()[:, :, : place.inner[0], : place.inner[1]]
        if place.inner != place.size:
            ab = nn.functional.interpolate(
                ab, size=place.size, mode="bilinear", align_corners=False
            )
        grey = torch.from_numpy(frame[None]).to(ab.device)
        return coloured(grey, ab * UNIT)[0].cpu().numpy()
