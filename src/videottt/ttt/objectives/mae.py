"""TTT-MAE: reconstruct masked patches of the frame (paper sections 3 and 4.2)."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from videottt.core.errors import InputError, nearest
from videottt.models.inputs import image_size
from videottt.models.masking import check_filling, random_visible, reconstruction_loss
from videottt.models.y_shaped import YShapedModel
from videottt.ttt.objectives.objective import Objective


@dataclass(frozen=True)
class MaskedAutoencoding(Objective, name="mae"):
    """Mean squared error of g(f(x̃)) against x; updates f and g, while h stays h₀.

    Attributes:
        mask_ratio: fraction of patches masked; 0.80 in the paper, 0.85 in the release.
        loss_on: "masked" pixels (the paper) or "all" (the release).
        masked_with: what masked pixels are, "black" (the paper) or the "mean" colour (the release).
    """

    mask_ratio: float = 0.8
    loss_on: str = "masked"
    masked_with: str = "mean"
    needs_decoder: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Check the options."""
        if not 0 < self.mask_ratio <= 1:
            raise InputError(
                f"objective 'mae': mask_ratio is {self.mask_ratio}, but must be above 0, at most 1"
            )
        if self.loss_on not in ("masked", "all"):
            raise InputError(
                f"objective 'mae': loss_on is '{self.loss_on}'; "
                + nearest(self.loss_on, ("masked", "all"))
            )
        check_filling(self.masked_with, "objective 'mae'")

    def trainable(self, model: YShapedModel) -> list[torch.nn.Parameter]:
        """Return the parameters of the encoder f and the decoder g."""
        return [*model.encoder.parameters(), *model.decoder.parameters()]

    def loss(self, model: YShapedModel, images: Tensor, generator: torch.Generator) -> Tensor:
        """Return ℓ_s of a batch; masks are drawn independently for each image."""
        visible = random_visible(
            len(images),
            image_size(images),
            model.preset.mask_patch,
            self.mask_ratio,
            generator,
        ).to(images.device)
        pixels = model.reconstruct(images, visible, self.masked_with)
        return reconstruction_loss(pixels, images, visible, self.loss_on)
