"""Joint training on still images: ℓ_m + ℓ_s in a single stage (paper section 4.1).

A batch may be cut into parts, and its loss is the mean of theirs: one process takes the parts one
after the other, several processes share them. Every random draw is keyed by (seed, iteration,
part), so a run resumed from a saved state equals an uninterrupted one bit for bit on the same
machine, and the number of processes changes no more than the order of sums.
"""

import functools
import logging
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from videottt.core.errors import InputError
from videottt.core.randomness import generator, global_draws
from videottt.models.inputs import normalise
from videottt.models.y_shaped import YShapedModel
from videottt.runtime.distributed import ALONE, Processes
from videottt.runtime.out_of_memory import is_out_of_memory
from videottt.runtime.precision import Precision
from videottt.tasks.task import LabelMaps, MainTaskLoss, Task
from videottt.training.settings import TrainingSettings, rate_factor
from videottt.training.stills import Still
from videottt.ttt.objectives.mae import MaskedAutoencoding
from videottt.ttt.optimizer import clip_gradients, gradient_norm, parameter_groups

logger = logging.getLogger(__name__)

# Iterations between two comparisons of the weights of all processes.
COMPARE_EVERY = 1000


@dataclass
class TrainingRun:
    """Everything that changes while a model is trained.

    Attributes:
        model: trained in place.
        optimizer: of its parameters.
        precision: of its forward passes.
        iteration: that comes next.
        history: one row an iteration: its number, each loss, the gradient's norm before clipping,
            and 1 under `skipped` where the step was left out.
        skipped_in_a_row: steps left out since the last one that was taken.
        micro_batch: images of one part of a batch, less than was asked for where memory ran out.
    """

    model: YShapedModel
    optimizer: torch.optim.Optimizer
    precision: Precision
    micro_batch: int
    iteration: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    skipped_in_a_row: int = 0

    def state(self) -> dict[str, Any]:
        """Return all of it but the history, which grows."""
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "precision": self.precision.state(),
            "iteration": self.iteration,
            "skipped_in_a_row": self.skipped_in_a_row,
            "micro_batch": self.micro_batch,
        }

    def restore(self, state: dict[str, Any], history: list[dict[str, float]]) -> None:
        """Go on from a state of the same training, and what was its history then."""
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.precision.load_state(state["precision"])
        self.iteration = state["iteration"]
        self.skipped_in_a_row = state["skipped_in_a_row"]
        self.micro_batch = state["micro_batch"]
        self.history = history


def start_run(model: YShapedModel, settings: TrainingSettings) -> TrainingRun:
    """Return a run at iteration 0; what ℓ_m (and ℓ_s) do not reach is frozen."""
    model.train()
    model.decoder.requires_grad_(settings.reconstruction)
    device = next(model.parameters()).device
    groups = parameter_groups(
        model, settings.learning_rate, settings.encoder_multiplier, settings.weight_decay
    )
    return TrainingRun(
        model,
        torch.optim.AdamW(groups),
        Precision(settings.precision, device),
        settings.micro_batch or settings.batch,
    )


def train(
    run: TrainingRun,
    task: Task,
    stills: Dataset[Still],
    settings: TrainingSettings,
    seed: int,
    after_iteration: Callable[[TrainingRun, bool], None],
    processes: Processes = ALONE,
    wants_to_stop: Callable[[], bool] = bool,
) -> None:
    """Train until `settings.iterations`, calling back after every iteration.

    Where a device runs out of memory, the batch is cut into smaller parts, as a smaller micro_batch
    in config.yaml would, and the iteration is begun again.

    Args:
        run: trained in place, from its iteration on.
        task: says what the model is shown, and its loss ℓ_m.
        stills: sample i is an image uint8 [H, W, 3], its classes uint8 [H, W] and its instances
            int32 [H, W]; iteration n uses samples n · batch ... (n + 1) · batch - 1.
        settings: how long and how fast.
        seed: what random draws are keyed by.
        after_iteration: for progress and for saving the state; told whether any process wanted to
            stop, the same in all of them.
        processes: that share the parts of each batch; each loads its own samples only.
        wants_to_stop: returns whether this process was asked to stop; never, by default.

    Raises:
        InputError: more than `skipped_limit` steps in a row had no finite loss and gradient, there
            is not enough memory for a single image, or the processes cannot train together.
    """
    while run.iteration < settings.iterations:
        parts = replace(settings, micro_batch=run.micro_batch)
        try:
            _train(run, task, stills, parts, seed, after_iteration, processes, wants_to_stop)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
        else:
            return
        # Only here, without the error and what its frames held, is their memory free again.
        _cut_smaller(run, settings, processes)


def _train(
    run: TrainingRun,
    task: Task,
    stills: Dataset[Still],
    settings: TrainingSettings,
    seed: int,
    after_iteration: Callable[[TrainingRun, bool], None],
    processes: Processes,
    wants_to_stop: Callable[[], bool],
) -> None:
    device = next(run.model.parameters()).device
    own = processes.share(settings.parts)
    losses = _Losses.of(run, task, settings, seed)
    loaded = _loaded(stills, settings, own, run.iteration, device)
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
        # With the losses, so that all processes stop after the same iteration.
        stop = added.new_tensor([wants_to_stop()])
        *values, stops = processes.sum(torch.cat([added, stop])).tolist()
        row = {"iteration": iteration, **dict(zip(losses.names, values, strict=True))}
        run.history.append(row | _step(run, settings, processes, values))
        run.iteration += 1
        after_iteration(run, stops > 0)


def _cut_smaller(run: TrainingRun, settings: TrainingSettings, processes: Processes) -> None:
    """Cut batches into more parts, of at most half as many images.

    Raises:
        InputError: a part is one image already, or several processes would have to agree.
    """
    run.optimizer.zero_grad(set_to_none=True)
    device = next(run.model.parameters()).device
    if device.type == "cuda":
        torch.cuda.empty_cache()
    before = run.micro_batch
    if before == 1 or processes.count > 1:
        raise InputError(
            f"training: {device} has not enough memory for parts of {before} image(s) at iteration "
            f"{run.iteration}; lower micro_batch or the augmentation's crop in config.yaml, or "
            "take a device with more memory"
        )
    run.micro_batch = max(n for n in range(1, before // 2 + 1) if settings.batch % n == 0)
    logger.warning(
        "iteration %d: %s ran out of memory with parts of %d images; going on with parts of %d, as "
        "with micro_batch: %d in config.yaml",
        run.iteration, device, before, run.micro_batch, run.micro_batch,
    )  # fmt: skip


def _loaded(
    stills: Dataset[Still], settings: TrainingSettings, own: range, first: int, device: torch.device
) -> Iterator[LabelMaps]:
    """Yield the parts of this process, batch after batch from iteration `first` on."""
    size = settings.batch // settings.parts
    samples = (
        list(range(start, start + size))
        for iteration in range(first, settings.iterations)
        for part in own
        for start in [iteration * settings.batch + part * size]
    )
    loader = DataLoader(
        stills,
        # One iterator for the whole training: workers stay, and prefetch across iterations.
        batch_sampler=samples,
        num_workers=settings.workers,
        # Forked, because an open frame store cannot be sent to another process.
        multiprocessing_context="fork" if settings.workers else None,
        pin_memory=device.type == "cuda",
    )
    try:
        for images, semantic, instance in loader:
            yield LabelMaps(semantic, instance, images).to(device)
    except InputError as error:
        # That of a worker arrives below its traceback.
        raise InputError(str(error).splitlines()[-1].split("InputError: ")[-1]) from None


def _mean_targets(
    task: Task, batch: dict[int, LabelMaps], parts: int, processes: Processes
) -> float | None:
    """Return how many targets a part of the batch has on average; None if there is but one."""
    if parts == 1:
        return None
    counts = [task.count_targets(labels) for labels in batch.values()]
    return processes.sum(torch.tensor(sum(counts), dtype=torch.float64)).item() / parts


@dataclass(frozen=True)
class _Losses:
    """ℓ_m and ℓ_s of a part of a batch; `reconstruction` is None without ℓ_s."""

    run: TrainingRun
    task: Task
    main_task: MainTaskLoss
    reconstruction: MaskedAutoencoding | None
    seed: int
    parts: int

    @classmethod
    def of(cls, run: TrainingRun, task: Task, settings: TrainingSettings, seed: int) -> "_Losses":
        objective = MaskedAutoencoding(settings.mask_ratio, settings.loss_on, settings.masked_with)
        return cls(
            run,
            task,
            task.main_task_loss(run.model),
            objective if settings.reconstruction else None,
            seed,
            settings.parts,
        )

    @property
    def names(self) -> list[str]:
        return ["main_task", "reconstruction"] if self.reconstruction else ["main_task"]

    def backward(self, part: int, labels: LabelMaps, targets: float | None) -> Tensor:
        """Add a part's gradients; return what each loss adds to that of the batch, float64."""
        # The keys of the first part are those of a batch that is not cut.
        key = (self.run.iteration, part) if part else (self.run.iteration,)
        draws = generator(self.seed, "training masks", *key)
        with global_draws(self.seed, "training", *key):
            pixels = normalise(self.task.observable(labels.colours))
            with self.run.precision.autocast():
                outputs = self.run.model.predict(pixels)
            found = [self._backward(self.main_task(outputs, labels, targets))]
            # The graph of ℓ_m is of no use any more, and ℓ_s needs its memory.
            del outputs
            if self.reconstruction:
                with self.run.precision.autocast():
                    loss = self.reconstruction.loss(self.run.model, pixels, draws)
                found.append(self._backward(loss))
        return torch.stack(found)

    def _backward(self, loss: Tensor) -> Tensor:
        torch.autograd.backward(self.run.precision.scale(loss / self.parts))
        return loss.detach().double() / self.parts


def _step(
    run: TrainingRun, settings: TrainingSettings, processes: Processes, losses: list[float]
) -> dict[str, float]:
    """Take a step, or none where a loss or the gradient is not finite; return what to note of it.

    Raises:
        InputError: none was taken for too long.
    """
    parameters = [p for p in run.model.parameters() if p.requires_grad]
    processes.sum_gradients(parameters)
    run.precision.unscale(run.optimizer)
    norm = gradient_norm(parameters)
    finite = math.isfinite(sum(losses)) and bool(torch.isfinite(norm))
    if finite:
        clip_gradients(parameters, norm, settings.gradient_clip)
        run.precision.step(run.optimizer)
    run.precision.update()
    run.optimizer.zero_grad(set_to_none=True)
    run.skipped_in_a_row = 0 if finite else run.skipped_in_a_row + 1
    if run.skipped_in_a_row > settings.skipped_limit:
        raise InputError(
            f"training: loss or gradient of {run.skipped_in_a_row} iterations in a row, up to "
            f"iteration {run.iteration}, was not finite; lower the checkpoint's learning_rate, use "
            "precision float32, or raise skipped_limit in config.yaml"
        )
    return {"gradient_norm": float(norm), "skipped": int(not finite)}


def _fingerprint(model: YShapedModel) -> int:
    """Return a number that changes with any bit of the weights; the same on every device."""
    return sum(int(p.detach().view(torch.int32).sum()) for p in model.parameters()) % 2**62
