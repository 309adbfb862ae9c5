"""Joint training on still images: ℓ_m + ℓ_s in a single stage (paper section 4.1).

Every random draw is keyed by (seed, iteration), so a run resumed from a saved state equals an
uninterrupted one bit for bit on the same machine.
"""

import pickle
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch.utils.data import DataLoader, Dataset

from videottt.errors import InputError
from videottt.files import complete_file
from videottt.models.inputs import normalise
from videottt.models.y_shaped import YShapedModel
from videottt.objectives.mae import MaskedAutoencoding
from videottt.optimization import clip_gradients, gradient_norm, parameter_groups
from videottt.precision import Precision
from videottt.randomness import generator, global_draws
from videottt.tasks.task import LabelMaps, Task


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
        power: of the polynomial decay to 0 at the last iteration.
        reconstruction: whether ℓ_s is added and the decoder g is trained.
        mask_ratio: fraction of patches masked for ℓ_s.
        loss_on: "masked" or "all" pixels for ℓ_s.
        precision: "auto", "float32", "bfloat16" or "float16".
        workers: processes that load and augment images; 0 does it in this one. Changes no number.
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
    precision: str = "auto"
    workers: int = 0


@dataclass
class TrainingRun:
    """Everything that changes while a model is trained."""

    model: YShapedModel
    optimizer: torch.optim.Optimizer
    precision: Precision
    iteration: int = 0
    history: list[dict[str, float]] = field(default_factory=list)

    def save(self, path: Path) -> None:
        """Write the state, whole or not at all."""
        state = {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "precision": self.precision.state(),
            "iteration": self.iteration,
            "history": self.history,
        }
        with complete_file(path) as part:
            torch.save(state, part)

    def resume(self, path: Path) -> None:
        """Go on from a saved state.

        Raises:
            InputError: the file is not a state of this model.
        """
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
            self.model.load_state_dict(state["model"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.precision.load_state(state["precision"])
        except (RuntimeError, KeyError, ValueError, EOFError, pickle.UnpicklingError) as error:
            reason = str(error).splitlines()[0]
            raise InputError(
                f"{path}: not a state of this training ({reason}); delete it"
            ) from None
        self.iteration, self.history = state["iteration"], state["history"]


def start_run(model: YShapedModel, settings: TrainingSettings) -> TrainingRun:
    """Return a run at iteration 0; what ℓ_m (and ℓ_s) do not reach is frozen."""
    model.train()
    model.decoder.requires_grad_(settings.reconstruction)
    device = next(model.parameters()).device
    groups = parameter_groups(
        model, settings.learning_rate, settings.encoder_multiplier, settings.weight_decay
    )
    return TrainingRun(model, torch.optim.AdamW(groups), Precision(settings.precision, device))


def train(
    run: TrainingRun,
    task: Task,
    stills: Dataset,
    settings: TrainingSettings,
    seed: int,
    after_iteration: Callable[[TrainingRun], None],
) -> None:
    """Train until `settings.iterations`, calling back after every iteration.

    Args:
        run: trained in place, from its iteration on.
        task: says what the model is shown, and its loss ℓ_m.
        stills: sample i is an image uint8 [H, W, 3], its classes uint8 [H, W] and its instances
            int32 [H, W]; iteration n uses samples n · batch ... (n + 1) · batch - 1.
        settings: how long and how fast.
        seed: what random draws are keyed by.
        after_iteration: for progress and for saving the state.

    Raises:
        InputError: the loss is not finite.
    """
    device = next(run.model.parameters()).device
    main_task_loss = task.main_task_loss(run.model)
    objective = MaskedAutoencoding(settings.mask_ratio, settings.loss_on)
    first = run.iteration * settings.batch
    loader = DataLoader(
        stills,
        batch_size=settings.batch,
        sampler=range(first, settings.iterations * settings.batch),
        num_workers=settings.workers,
    )
    for images, semantic, instance in loader:
        for group in run.optimizer.param_groups:
            group["lr"] = group["initial_lr"] * rate_factor(run.iteration, settings)
        draws = generator(seed, "training masks", run.iteration)
        with global_draws(seed, "training", run.iteration):
            labels = LabelMaps(semantic, instance, images).to(device)
            pixels = normalise(task.observed(labels.colours))
            with run.precision.autocast():
                outputs = run.model.predict(pixels)
            loss = main_task_loss(outputs, labels)
            run.precision.scale(loss).backward()
            row = {"iteration": run.iteration, "main_task": float(loss.detach())}
            if settings.reconstruction:
                with run.precision.autocast():
                    self_loss = objective.loss(run.model, pixels, draws)
                run.precision.scale(self_loss).backward()
                row["reconstruction"] = float(self_loss.detach())
        row["gradient_norm"] = _step(run, settings)
        run.iteration += 1
        run.history.append(row)
        after_iteration(run)


def _step(run: TrainingRun, settings: TrainingSettings) -> float:
    parameters = [p for p in run.model.parameters() if p.requires_grad]
    run.precision.unscale(run.optimizer)
    norm = gradient_norm(parameters)
    # Loss scaling finds its scale by overflowing now and then; elsewhere it is an error.
    if run.precision.name != "float16" and not torch.isfinite(norm):
        raise InputError(
            f"training: the gradient of iteration {run.iteration} is not finite; lower the "
            "checkpoint's learning_rate in config.yaml"
        )
    clip_gradients(parameters, norm, settings.gradient_clip)
    run.precision.step(run.optimizer)
    run.precision.update()
    run.optimizer.zero_grad(set_to_none=True)
    return float(norm)


def rate_factor(iteration: int, settings: TrainingSettings) -> float:
    """Return the factor on the learning rate: linear warm-up times polynomial decay."""
    warm = min(1.0, (iteration + 1) / (settings.warmup + 1))
    return warm * (1 - iteration / settings.iterations) ** settings.power
