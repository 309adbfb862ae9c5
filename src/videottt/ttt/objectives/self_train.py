"""Self-training: the model's own confident predictions as labels (paper appendix A.1)."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from videottt.core.errors import InputError
from videottt.models.class_scores import class_log_probabilities
from videottt.models.inputs import image_size
from videottt.models.masking import check_filling, random_visible
from videottt.models.y_shaped import QueryOutputs, YShapedModel
from videottt.ttt.objectives.objective import Objective


@dataclass(frozen=True)
class SelfTraining(Objective, name="self_train"):
    """Cross-entropy of h(f(x̃)) against the confident pixels of h(f(x)); updates f and h.

    The pseudo-label of a pixel is its most likely class when the model, as it is now, sees the
    whole image; it counts if that class has more than `threshold` of the pixel's distribution. The
    loss is per pixel and not Mask2Former's set criterion, because appendix A.1 defines a set of
    pixels: one that is left out must have no influence, but in the criterion it would be a negative
    of every mask. Semantic segmentation only, as in the paper.

    Attributes:
        threshold: λ, the confidence that a pseudo-label must exceed; 0 takes every pixel, as in
            Volpi et al., CVPR 2022. The paper gives no value.
        mask_ratio: fraction of patches masked in what the model learns from: 0.80 in the paper,
            inspired by FixMatch (Sohn et al., 2020); 0 shows the whole image, as Volpi et al. do.
        masked_with: what masked pixels are, "black" or the "mean" colour, as in the objective mae.
    """

    threshold: float = 0.5
    mask_ratio: float = 0.8
    masked_with: str = "mean"
    needs_classes: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Check the options."""
        for name in ("threshold", "mask_ratio"):
            value = getattr(self, name)
            if not 0 <= value < 1:
                raise InputError(
                    f"objective 'self_train': {name} is {value}, but must be at least 0, below 1"
                )
        check_filling(self.masked_with, "objective 'self_train'")

    def trainable(self, model: YShapedModel) -> list[torch.nn.Parameter]:
        """Return the parameters of the encoder f and the head h."""
        return [*model.encoder.parameters(), *model.head.parameters()]

    def loss(self, model: YShapedModel, images: Tensor, generator: torch.Generator) -> Tensor:
        """Return the mean over images of the mean cross-entropy of each image's chosen pixels.

        An image without a confident pixel counts as 0. Pixels are those of the masks, [H/4, W/4].
        """
        with torch.no_grad():
            outputs = model.predict(images)
            assert isinstance(outputs, QueryOutputs)
            confidence, labels = class_log_probabilities(outputs).exp().max(dim=1)
        chosen = confidence > self.threshold
        log = class_log_probabilities(self._masked_prediction(model, images, generator))
        error = -log.gather(1, labels[:, None])[:, 0] * chosen
        return (error.sum(dim=(1, 2)) / chosen.sum(dim=(1, 2)).clamp_min(1)).mean()

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
        visible = visible.to(images.device)
        outputs = model.head(model.features(images, visible, self.masked_with))
        assert isinstance(outputs, QueryOutputs)
        return outputs
