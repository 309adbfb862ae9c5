"""How long and how fast joint training goes: its settings and its learning rate."""

from bisect import bisect_right
from dataclasses import dataclass

from videottt.core.errors import InputError, nearest

SCHEDULES = ("poly", "steps")


@dataclass(frozen=True)
class TrainingSettings:
    """How long and how fast to train.

    Attributes:
        iterations: gradient steps.
        batch: images a step.
        learning_rate: largest rate outside the encoder.
        encoder_multiplier: factor on the rate of the encoder.
        weight_decay: of AdamW; 0 for norms, embeddings and relative position tables.
        gradient_clip: largest L2 norm of all gradients; None does not clip.
        warmup: iterations of linear warm-up.
        warmup_factor: on the rate at iteration 0; None is 1 / (warmup + 1). With 1, as Mask2Former
            has it, nothing warms up.
        schedule: "poly", a polynomial decay to 0 at the last iteration, or "steps".
        power: of the polynomial.
        milestones: iterations, ascending, from which on the rate of "steps" is multiplied by gamma.
        gamma: see there.
        reconstruction: whether ℓ_s is added and the decoder g is trained.
        mask_ratio: fraction of patches masked for ℓ_s.
        loss_on: "masked" or "all" pixels for ℓ_s.
        masked_with: what masked pixels are for ℓ_s, "black" or the "mean" colour.
        precision: "auto", "float32", "bfloat16" or "float16".
        workers: processes that load and augment images; 0 does it in this one. Changes no number.
        micro_batch: images of one part of a batch; None is all. Mask2Former's batch is 8 parts of
            2 images, one a GPU.
        skipped_limit: steps in a row that may be left out because loss or gradient was not finite;
            one more ends the training.

    Raises:
        InputError: they contradict each other.
    """

    iterations: int
    batch: int
    learning_rate: float
    encoder_multiplier: float = 1.0
    weight_decay: float = 0.05
    gradient_clip: float | None = 1.0
    warmup: int = 0
    power: float = 0.9
    reconstruction: bool = True
    mask_ratio: float = 0.8
    loss_on: str = "masked"
    masked_with: str = "mean"
    precision: str = "auto"
    workers: int = 0
    micro_batch: int | None = None
    schedule: str = "poly"
    milestones: tuple[int, ...] = ()
    gamma: float = 0.1
    warmup_factor: float | None = None
    skipped_limit: int = 20

    def __post_init__(self) -> None:
        """Check what a schema would not."""
        if self.batch % (self.micro_batch or self.batch):
            raise InputError(
                f"training: a batch of {self.batch} images cannot be cut into parts of "
                f"{self.micro_batch}; choose a micro_batch that divides it"
            )
        if self.schedule not in SCHEDULES:
            raise InputError(
                f"training: schedule is '{self.schedule}'; {nearest(self.schedule, SCHEDULES)}"
            )
        if list(self.milestones) != sorted(set(self.milestones)):
            raise InputError(
                f"training: milestones are {list(self.milestones)}; write them in ascending order"
            )
        if (self.schedule == "steps") != bool(self.milestones):
            raise InputError(
                f"training: schedule is '{self.schedule}' with {len(self.milestones)} milestones; "
                "'steps' needs some, 'poly' has none"
            )

    @property
    def parts(self) -> int:
        """Return how many parts a batch is cut into."""
        return self.batch // (self.micro_batch or self.batch)


def rate_factor(iteration: int, settings: TrainingSettings) -> float:
    """Return the factor on the learning rate: linear warm-up times the schedule.

    They are detectron2's WarmupPolyLR and WarmupMultiStepLR.
    """
    if settings.warmup_factor is None:
        warm = min(1.0, (iteration + 1) / (settings.warmup + 1))
    else:
        done = min(1.0, iteration / settings.warmup) if settings.warmup else 1.0
        warm = settings.warmup_factor * (1 - done) + done
    if settings.schedule == "steps":
        return warm * settings.gamma ** bisect_right(settings.milestones, iteration)
    decay: float = (1 - iteration / settings.iterations) ** settings.power
    return warm * decay
