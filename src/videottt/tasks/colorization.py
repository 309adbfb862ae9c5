"""Colorization: predict the colours of a frame from its lightness (paper section 5.4)."""

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
from videottt.settings.decoding import Decoding
from videottt.tasks.task import LabelMaps, MainTaskLoss

# CIELAB units per unit of the head's output: about the standard deviation of a and b over natural
# images, so that ℓ_m is as large as ℓ_s, which is computed on normalised pixels.
UNIT = 20.0


class Colorization:
    """Regression of CIELAB's planes a and b with the mean squared error.

    The paper treats colorization "simply" as supervised learning, without perceptual losses or
    other domain-specific techniques. The target is ab, not RGB: the lightness is given and kept, so
    scores of colorized frames differ only by their colours. The loss is a regression and not the
    classification of Zhang et al. into 313 bins, because class rebalancing, which that
    classification needs, is domain-specific.
    """

    kind: ClassVar[str] = "images"
    head: ClassVar[str] = "colours"

    def __init__(self, _: ClassSpace, classes: Sequence[str], __: Decoding) -> None:
        if classes:
            raise InputError(
                f"the model predicts {len(classes)} classes, but the task 'colorization' needs "
                "colours; take a checkpoint that was trained for colorization"
            )

    @classmethod
    def model_classes(cls, _: ClassSpace) -> tuple[str, ...]:
        """Return an empty tuple: the head predicts colours."""
        return ()

    def observable(self, images: Tensor) -> Tensor:
        """Return images uint8 [B, H, W, 3] without their colours."""
        return made_grey(images)

    def main_task_loss(self, _: YShapedModel) -> MainTaskLoss:
        """Return ℓ_m: the mean squared error over the planes a and b and all pixels."""

        def loss(outputs: Tensor, labels: LabelMaps, targets: float | None = None) -> Tensor:
            return nn.functional.mse_loss(outputs.float(), lab_of(labels.colours)[:, 1:] / UNIT)

        return loss

    def count_targets(self, _: LabelMaps) -> int:
        """Return 0: ℓ_m is a mean over pixels, and all images have equally many."""
        return 0

    def decode(self, outputs: Tensor, place: Placement, frame: np.ndarray) -> np.ndarray:
        """Return the colorized frame, RGB uint8 [H, W, 3], with the lightness of `frame`.

        The predicted planes a and b are enlarged to the frame; the lightness keeps its detail.
        """
        ab = outputs.float()[:, :, : place.inner[0], : place.inner[1]]
        if place.inner != place.size:
            ab = nn.functional.interpolate(
                ab, size=place.size, mode="bilinear", align_corners=False
            )
        grey = torch.from_numpy(frame[None]).to(ab.device)
        return coloured(grey, ab * UNIT)[0].cpu().numpy()
