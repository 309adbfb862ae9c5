"""TTT-MAE: reconstruct masked patches of the frame (paper sections 3 and 4.2)."""

from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from videottt.core.settings import settings
from videottt.models.inputs import image_size, to_device
from videottt.models.masking import random_visible, reconstruction_loss
from videottt.models.y_shaped import YShapedModel
from videottt.ttt.objectives.objective import Objective


@settings
class MaskedAutoencoding(Objective, name="mae"):
    """Mean squared error of g(f(x̃)) against x; updates f and g, while h stays h₀ (equation 2).

    Attributes:
        mask_ratio: fraction of patches masked in x̃, above 0, at most 1; 0.80 in the paper (sections
            3 and 4.3), 0.85 in the authors' release.
        loss_on: pixels that the error is averaged over: "masked" pixels, as in the paper (section
            3), or "all" pixels, as in the release.
        masked_with: colour of masked pixels: "black", as in the paper (section 4.3), or ImageNet's
            "mean" colour, as in the release.
    """

    mask_ratio: Annotated[float, Field(gt=0, le=1)] = 0.8
    loss_on: Literal["masked", "all"] = "masked"
    masked_with: Literal["black", "mean"] = "mean"
    needs_decoder: ClassVar[bool] = True

    def trainable(self, model: YShapedModel) -> list[torch.nn.Parameter]:
        """Return the parameters of the encoder f and the decoder g."""
        return [*model.encoder.parameters(), *model.decoder.parameters()]

    def loss(self, model: YShapedModel, images: Tensor, generator: torch.Generator) -> Tensor:
        """Return ℓ_s of a batch, a scalar; masks are drawn independently for each image."""
        visible = random_visible(
            len(images),
            image_size(images),
            model.preset.mask_patch,
            self.mask_ratio,
            generator,
        )
        visible = to_device(visible, images.device)
        pixels = model.reconstruct(images, visible, self.masked_with)
        return reconstruction_loss(pixels, images, visible, self.loss_on)
