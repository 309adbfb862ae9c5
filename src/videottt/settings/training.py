"""Declare the optimizer, schedule and losses of training a checkpoint."""

from typing import Annotated, Literal

from pydantic import Field

from videottt.core.annotations import Count, NotNegative, Positive, Whole
from videottt.core.settings import settings
from videottt.settings.precision import Precision


@settings
class TrainingSettings:
    """Steps, batch, learning rate and losses of a training.

    Attributes:
        iterations: gradient steps.
        batch: images a step.
        learning_rate: learning rate outside the encoder, after warm-up.
        encoder_multiplier: factor on the rate of the encoder.
        weight_decay: weight decay of AdamW; 0 for norms, embeddings and relative position tables.
        gradient_clip: largest L2 norm of all gradients; null does not clip.
        warmup: iterations of linear warm-up.
        warmup_factor: factor on the rate at iteration 0; null is 1 / (warmup + 1). With 1,
            as Mask2Former has it, nothing warms up.
        schedule: "poly", a polynomial decay to 0 at the last iteration, or "steps".
        power: exponent of the decay of "poly".
        milestones: iterations, ascending, from which on the rate of "steps" is multiplied by gamma.
        gamma: factor on the rate at each milestone of "steps".
        reconstruction: whether ℓ_s is added and the decoder g is trained.
        reconstruction_weight: weight of ℓ_s beside ℓ_m; 1 in the paper (section 4.1). Where the
            gradient of ℓ_s is small beside that of ℓ_m, it hardly shapes the encoder: `videottt
            diagnose` tells.
        mask_ratio: fraction of patches masked for ℓ_s.
        loss_on: "masked" or "all" pixels for ℓ_s.
        masked_with: what masked pixels are for ℓ_s, "black" or the "mean" colour.
        precision: "auto", "float32", "bfloat16" or "float16".
        workers: processes that load and augment images; 0 does it in this one. Changes no number.
        micro_batch: images of one part of a batch; null is the whole batch. Mask2Former's batch is
            8 parts of 2 images, one a GPU.
        skipped_limit: steps in a row that may be left out because loss or gradient was not finite;
            one more ends the training.
    """

    iterations: Count
    batch: Count
    learning_rate: NotNegative
    encoder_multiplier: NotNegative = 1.0
    weight_decay: NotNegative = 0.05
    gradient_clip: Positive | None = 1.0
    warmup: Whole = 0
    power: NotNegative = 0.9
    reconstruction: bool = True
    reconstruction_weight: NotNegative = 1.0
    mask_ratio: Annotated[float, Field(gt=0, le=1)] = 0.8
    loss_on: Literal["masked", "all"] = "masked"
    masked_with: Literal["black", "mean"] = "mean"
    precision: Precision = "auto"
    workers: Whole = 0
    micro_batch: Count | None = None
    schedule: Literal["poly", "steps"] = "poly"
    milestones: tuple[Count, ...] = ()
    gamma: Positive = 0.1
    warmup_factor: NotNegative | None = None
    skipped_limit: Whole = 20

    def __post_init__(self) -> None:
        if self.batch % (self.micro_batch or self.batch):
            raise ValueError(
                f"a batch of {self.batch} images cannot be cut into parts of {self.micro_batch}; "
                "choose a micro_batch that divides it"
            )
        if list(self.milestones) != sorted(set(self.milestones)):
            raise ValueError(
                f"milestones are {list(self.milestones)}; write them in ascending order"
            )
        if (self.schedule == "steps") != bool(self.milestones):
            raise ValueError(
                f"schedule is '{self.schedule}' with {len(self.milestones)} milestones; 'steps' "
                "needs some, 'poly' has none"
            )

    @property
    def parts(self) -> int:
        """Return how many parts a batch is cut into."""
        return self.batch // (self.micro_batch or self.batch)
