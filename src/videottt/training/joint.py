"""Train jointly on still images: ℓ_m + w·ℓ_s in a single stage; w is 1 in the paper (section 4.1).

A batch may be cut into parts; its loss is the mean of the parts' losses. One process takes the
parts one after the other, several processes share them. Every random draw is keyed by (stage, seed,
iteration, part). So a run that resumes from a saved state equals an uninterrupted run bit for bit
on the same machine, and the number of processes changes only the order of sums.
"""

import functools
import logging
import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from videottt.core.errors import InputError
from videottt.core.randomness import DrawKey, generator, global_draws
from videottt.models.inputs import normalise
from videottt.models.y_shaped import YShapedModel
from videottt.runtime.distributed import ALONE, Processes
from videottt.runtime.out_of_memory import is_out_of_memory
from videottt.runtime.precision import Precision
from videottt.settings.training import TrainingSettings
from videottt.tasks.task import LabelMaps, MainTaskLoss, Task
from videottt.training.loading import check_loading, loaded_parts
from videottt.training.schedule import rate_factor
from videottt.training.stills import Still
from videottt.ttt.objectives.mae import MaskedAutoencoding
from videottt.ttt.optimizer import AdamW, clip_gradients, gradient_norm, parameter_groups

logger = logging.getLogger(__name__)

# Iterations between two comparisons of the weights of all processes.
COMPARE_EVERY = 1000


@dataclass
class TrainingRun:
    """Everything that changes during a training.

    Attributes:
        model: trained in place.
        optimizer: of the model's trainable parameters.
        precision: of the forward passes.
        micro_batch: images in one part of a batch; less than the setting after memory ran out.
        iteration: number of the next iteration.
        history: one row for each iteration: its number, each loss, the gradient's L2 norm before
            clipping, and `skipped`, 1 if the step was skipped.
        skipped_in_a_row: number of skipped steps since the last step taken.
    """

    model: YShapedModel
    optimizer: AdamW
    precision: Precision
    micro_batch: int
    iteration: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    skipped_in_a_row: int = 0

    def state(self) -> dict[str, Any]:
        """Return the run as plain data for `restore`, without the history, which grows."""
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "precision": self.precision.state(),
            "iteration": self.iteration,
            "skipped_in_a_row": self.skipped_in_a_row,
            "micro_batch": self.micro_batch,
        }

    def restore(self, state: dict[str, Any], history: list[dict[str, float]]) -> None:
        """Restore a saved state of the same training, with its history up to then."""
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.precision.load_state(state["precision"])
        self.iteration = state["iteration"]
        self.skipped_in_a_row = state["skipped_in_a_row"]
        self.micro_batch = state["micro_batch"]
        self.history = history


def start_run(model: YShapedModel, settings: TrainingSettings) -> TrainingRun:
    """Return a run at iteration 0.

    Args:
        model: to be trained, on its device; g is frozen if `settings.reconstruction` is false.
        settings: of the training.
    """
    model.train()
    model.decoder.requires_grad_(settings.reconstruction)
    device = next(model.parameters()).device
    groups = parameter_groups(
        model, settings.learning_rate, settings.encoder_multiplier, settings.weight_decay
    )
    return TrainingRun(
        model,
        AdamW(groups),
        Precision(settings.precision, device),
        settings.micro_batch or settings.batch,
    )


def train(
    run: TrainingRun,
    task: Task,
    stills: Dataset[Still],
    settings: TrainingSettings,
    draws: DrawKey,
    after_iteration: Callable[[TrainingRun, bool], None],
    processes: Processes = ALONE,
    wants_to_stop: Callable[[], bool] = bool,
) -> None:
    """Train up to `settings.iterations`, with a callback after every iteration.

    If the device runs out of memory, the batch is cut into smaller parts, as with a smaller
    micro_batch, and the iteration starts again.

    Args:
        run: trained in place, from its current iteration.
        task: sets the observable part of the images and the loss ℓ_m.
        stills: sample i is an image uint8 [H, W, 3], its classes uint8 [H, W] and its instances
            int32 [H, W]; iteration n uses samples n · batch to (n + 1) · batch - 1.
        settings: of the training.
        draws: key of random draws: the stage, such as the checkpoint's id, and the seed.
        after_iteration: callback for progress and saving, called with the run and whether any
            process was asked to stop; the answer is the same in all processes.
        processes: share the parts of each batch; each loads only its own samples.
        wants_to_stop: returns whether this process was asked to stop; by default never.

    Raises:
        InputError: more than `skipped_limit` steps in a row had a loss or gradient that was not
            finite, memory is short even for one image, a process that loads images has ended, or
            the processes cannot train together.
    """
    while run.iteration < settings.iterations:
        parts = replace(settings, micro_batch=run.micro_batch)
        try:
            _train(run, task, stills, parts, draws, after_iteration, processes, wants_to_stop)
        except RuntimeError as error:
            check_loading(error)
            if not is_out_of_memory(error):
                raise
        else:
            return
        # Outside the except block: the error's stack frames keep the memory allocated.
        _cut_smaller(run, settings, processes)


def _train(
    run: TrainingRun,
    task: Task,
    stills: Dataset[Still],
    settings: TrainingSettings,
    draws: DrawKey,
    after_iteration: Callable[[TrainingRun, bool], None],
    processes: Processes,
    wants_to_stop: Callable[[], bool],
) -> None:
    device = next(run.model.parameters()).device
    own = processes.share(settings.parts)
    losses = _Losses.of(run, task, settings, draws)
    loaded = loaded_parts(stills, settings, own, run.iteration, device)
    first = run.iteration
    for iteration in range(first, settings.iterations):
        if processes.count > 1 and (iteration == first or iteration % COMPARE_EVERY == 0):
            processes.agree(iteration, "state to resume from")
            processes.agree(_fingerprint(run.model), "weights")
        for group in run.optimizer.param_groups:
            group["lr"] = group["initial_lr"] * rate_factor(iteration, settings)
        batch = {part: next(loaded) for part in own}
        targets = _mean_targets(task, batch, settings.parts, processes)
        added = functools.reduce(
            torch.add, (losses.backward(part, labels, targets) for part, labels in batch.items())
        )
        # Summed with the losses, so that all processes stop after the same iteration.
        stop = added.new_tensor([wants_to_stop()])
        *values, stops = processes.sum(torch.cat([added, stop])).tolist()
        row = {"iteration": iteration, **dict(zip(losses.names, values, strict=True))}
        run.history.append(row | _step(run, settings, processes, values))
        run.iteration += 1
        after_iteration(run, stops > 0)


def _cut_smaller(run: TrainingRun, settings: TrainingSettings, processes: Processes) -> None:
    """Cut batches into more parts, each at most half as large as before.

    Raises:
        InputError: a part has only one image, or several processes share the training.
    """
    run.optimizer.zero_grad()
    device = next(run.model.parameters()).device
    if device.type == "cuda":
        torch.cuda.empty_cache()
    before = run.micro_batch
    if before == 1 or processes.count > 1:
        raise InputError(
            f"training: {device} has not enough memory for parts of {before} image(s) at iteration "
            f"{run.iteration}; lower micro_batch or the augmentation's crop in config.yaml, or use "
            "a device with more memory"
        )
    run.micro_batch = max(n for n in range(1, before // 2 + 1) if settings.batch % n == 0)
    logger.warning(
        "iteration %d: %s ran out of memory with parts of %d images; going on with parts of %d, as "
        "with micro_batch: %d in config.yaml",
        run.iteration, device, before, run.micro_batch, run.micro_batch,
    )  # fmt: skip


def _mean_targets(
    task: Task, batch: dict[int, LabelMaps], parts: int, processes: Processes
) -> float | None:
    """Return the average number of targets in a part of the batch; None for a single part."""
    if parts == 1:
        return None
    counts = [task.count_targets(labels) for labels in batch.values()]
    return processes.sum(torch.tensor(sum(counts), dtype=torch.float64)).item() / parts


@dataclass(frozen=True)
class _Losses:
    """The losses ℓ_m and ℓ_s of a part of a batch; `reconstruction` is None without ℓ_s.

    `weight` is that of ℓ_s in the gradient; the losses themselves are reported without it.
    """

    run: TrainingRun
    task: Task
    main_task: MainTaskLoss
    reconstruction: MaskedAutoencoding | None
    draws: DrawKey
    parts: int
    weight: float

    @classmethod
    def of(
        cls, run: TrainingRun, task: Task, settings: TrainingSettings, draws: DrawKey
    ) -> "_Losses":
        objective = MaskedAutoencoding(settings.mask_ratio, settings.loss_on, settings.masked_with)
        return cls(
            run,
            task,
            task.main_task_loss(run.model),
            objective if settings.reconstruction else None,
            draws,
            settings.parts,
            settings.reconstruction_weight,
        )

    @property
    def names(self) -> list[str]:
        return ["main_task", "reconstruction"] if self.reconstruction else ["main_task"]

    def backward(self, part: int, labels: LabelMaps, targets: float | None) -> Tensor:
        """Add a part's gradients; return the part's share of each loss of the batch, float64."""
        # The first part has the key of a whole batch, so that a batch of one part draws the same.
        key = (self.run.iteration, part) if part else (self.run.iteration,)
        draws = generator(*self.draws, "masks", *key)
        with global_draws(*self.draws, "iteration", *key):
            pixels = normalise(self.task.observable(labels.colours))
            with self.run.precision.autocast():
                outputs = self.run.model.predict(pixels)
            losses = [self._backward(self.main_task(outputs, labels, targets), 1.0)]
            # Free the graph of ℓ_m, whose memory ℓ_s needs.
            del outputs
            if self.reconstruction:
                with self.run.precision.autocast():
                    loss = self.reconstruction.loss(self.run.model, pixels, draws)
                losses.append(self._backward(loss, self.weight))
        return torch.stack(losses)

    def _backward(self, loss: Tensor, weight: float) -> Tensor:
        torch.autograd.backward(self.run.precision.scale(loss * (weight / self.parts)))
        return loss.detach().double() / self.parts


def _step(
    run: TrainingRun, settings: TrainingSettings, processes: Processes, losses: list[float]
) -> dict[str, float]:
    """Take a step, unless a loss or the gradient is not finite; return columns of the history.

    Raises:
        InputError: more than `skipped_limit` steps in a row were skipped.
    """
    parameters = [p for p in run.model.parameters() if p.requires_grad]
    processes.sum_gradients(parameters)
    run.precision.unscale(run.optimizer)
    norm = gradient_norm(parameters)
    finite = math.isfinite(sum(losses)) and bool(torch.isfinite(norm))
    if finite:
        clip_gradients(parameters, norm, settings.gradient_clip)
        run.optimizer.step()
    run.precision.update()
    run.optimizer.zero_grad()
    run.skipped_in_a_row = 0 if finite else run.skipped_in_a_row + 1
    if run.skipped_in_a_row > settings.skipped_limit:
        raise InputError(
            f"training: loss or gradient of {run.skipped_in_a_row} iterations in a row, up to "
            f"iteration {run.iteration}, was not finite; lower the checkpoint's learning_rate, use "
            "precision float32, or raise skipped_limit in config.yaml"
        )
    return {"gradient_norm": float(norm), "skipped": int(not finite)}


def _fingerprint(model: YShapedModel) -> int:
    """Return a checksum of the weights' bits that is the same on every device."""
    return sum(int(p.detach().view(torch.int32).sum()) for p in model.parameters()) % 2**62
