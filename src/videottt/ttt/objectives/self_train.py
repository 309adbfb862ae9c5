"""Self-Train: learn from the model's confident predictions as pseudo-labels (appendix A.1)."""

from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from videottt.core.settings import settings
from videottt.models.class_scores import class_log_probabilities
from videottt.models.inputs import image_size, to_device
from videottt.models.masking import random_visible
from videottt.models.y_shaped import QueryOutputs, YShapedModel
from videottt.ttt.objectives.objective import Objective


@settings
class SelfTraining(Objective, name="self_train"):
    """Cross-entropy of h(f(x̃)) against the confident pixels of h(f(x)); updates f and h.

    A pixel's pseudo-label is its most likely class when the current model predicts the unmasked
    image. The pixel is confident if this class has a probability above `threshold`. The loss is per
    pixel, and not Mask2Former's set criterion: in appendix A.1 a pixel without a pseudo-label has
    no influence, but in the set criterion the pixel would count as a negative of every mask. As in
    the paper, the objective is for semantic segmentation only.

    Attributes:
        threshold: confidence λ that a pseudo-label must exceed, at least 0, below 1; 0 takes every
            pixel, as in Volpi et al., CVPR 2022. Appendix A.1 gives no value.
        mask_ratio: fraction of patches masked in x̃, at least 0, below 1; 0.80 in the paper
            (appendix A.1; the masking follows FixMatch, Sohn et al., 2020, the ratio He et al.,
            2021). 0 masks nothing, as in Volpi et al.
        masked_with: colour of masked pixels: "black" or ImageNet's "mean" colour, as in the
            objective mae; appendix A.1 does not say.
    """

    threshold: Annotated[float, Field(ge=0, lt=1)] = 0.5
    mask_ratio: Annotated[float, Field(ge=0, lt=1)] = 0.8
    masked_with: Literal["black", "mean"] = "mean"
    needs_classes: ClassVar[bool] = True

    def trainable(self, model: YShapedModel) -> list[torch.nn.Parameter]:
        """Return the parameters of the encoder f and the head h."""
        return [*model.encoder.parameters(), *model.head.parameters()]

    def loss(self, model: YShapedModel, images: Tensor, generator: torch.Generator) -> Tensor:
        """Return the mean over images of the mean cross-entropy over an image's confident pixels.

        An image without a confident pixel counts as 0. Pixels are those of the masks, [H/4, W/4].
        The cross-entropy is in nats.
        """
        with torch.no_grad():
            outputs = model.predict_final(images)
            assert isinstance(outputs, QueryOutputs)
            confidence, labels = class_log_probabilities(outputs).exp().max(dim=1)
        confident = confidence > self.threshold
        log = class_log_probabilities(self._masked_prediction(model, images, generator))
        error = -log.gather(1, labels[:, None])[:, 0] * confident
        return (error.sum(dim=(1, 2)) / confident.sum(dim=(1, 2)).clamp_min(1)).mean()

    def _masked_prediction(
        self, model: YShapedModel, images: Tensor, generator: torch.Generator
    ) -> QueryOutputs:
        visible = random_visible(
            len(images),
            image_size(images),
            model.preset.mask_patch,
            self.mask_ratio,
            generator,
        )
        visible = to_device(visible, images.device)
        outputs = model.head.final(model.features(images, visible, self.masked_with))
        assert isinstance(outputs, QueryOutputs)
        return outputs
