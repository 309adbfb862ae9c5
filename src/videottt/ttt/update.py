"""Take gradient steps of test-time training: micro-batches, clipping, and skipped updates."""

import logging
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from videottt.core.errors import InputError
from videottt.core.frame_result import PHASES
from videottt.core.ids import JobKey
from videottt.core.randomness import global_draws
from videottt.models.encoders import drop_path
from videottt.models.inputs import to_input
from videottt.models.y_shaped import YShapedModel
from videottt.runtime.out_of_memory import is_out_of_memory
from videottt.runtime.precision import Precision
from videottt.settings.method import Method
from videottt.ttt.objectives.objective import Objective
from videottt.ttt.optimizer import clip_gradients, gradient_norm, optimizer_for

logger = logging.getLogger(__name__)


@dataclass
class Clock:
    """A clock that adds up wall time by phase, and waits for the device at the end of a phase.

    Attributes:
        device: of the model.
        wall_time: seconds by phase.
    """

    device: torch.device
    wall_time: dict[str, float] = field(default_factory=lambda: dict.fromkeys(PHASES, 0.0))
    _last: float = field(default_factory=time.perf_counter)

    def charge(self, phase: str) -> None:
        """Add the time since the last charge, in seconds, to a phase."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        now = time.perf_counter()
        self.wall_time[phase] += now - self._last
        self._last = now


class Updates:
    """The updates of one model on one video.

    Args:
        model: its trainable parameters are trained in place, all others are frozen.
        objective: chooses the trainable parameters and computes the loss; its layers are prepared.
        method: sets the batch, the micro-batch, the precision and the optimizer.
        key: identity of the job, the key of random draws.

    Attributes:
        parameters: the parameters that updates change; empty for an objective without gradients.
    """

    def __init__(
        self, model: YShapedModel, objective: Objective, method: Method, key: JobKey
    ) -> None:
        self._model = model
        self._objective = objective
        self._method = method
        self._draws = key.draws
        self._device = next(model.parameters()).device
        self._precision = Precision(method.precision, self._device)
        self._micro_batch = method.micro_batch or method.batch
        self._skipped = 0
        self.parameters = objective.trainable(model)
        model.requires_grad_(False)
        for parameter in self.parameters:
            parameter.requires_grad_(True)
        self._optimizer = optimizer_for(model, method.optimizer) if self.parameters else None

    def rebuild_optimizer(self) -> None:
        """Drop the optimizer's state, such as its moments, as if it were newly built."""
        if self._optimizer is not None:
            self._optimizer.state.clear()

    def take(
        self, images: Tensor, index: int | str, iteration: int, draws: torch.Generator, clock: Clock
    ) -> tuple[float, float]:
        """Take one gradient step on a batch.

        If the device runs out of memory, the micro-batch is halved and the step starts again. The
        loss is the mean over the same images with the same masks; only the rounding of sums changes
        (and, if it is on, the random draws of drop path). The update is skipped if the loss or the
        gradient is not finite. A gradient of 0 leaves the weights unchanged, without weight decay.

        Args:
            images: RGB, uint8 [B, H, W, 3], on the CPU.
            index: of the current frame in its video, or "offline".
            iteration: number of the update at this frame, from 0.
            draws: source of the objective's random draws.
            clock: charged with the phases of the update.

        Returns:
            the loss before the step, and the L2 norm of all gradients before clipping.

        Raises:
            InputError: memory is short even for one image, or more than `skipped_limit` updates in
                a row had a loss or gradient that was not finite.
        """
        start = draws.get_state()
        while True:
            try:
                total = self._accumulate(images, index, iteration, draws, clock)
                break
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
            # Outside the except block: the error's stack frames keep the memory allocated.
            self._halve(min(self._micro_batch, len(images)), index)
            draws.set_state(start)
        optimizer = self._optimizer
        assert optimizer is not None, "a step needs trainable parameters"
        self._precision.unscale(optimizer)
        norm = gradient_norm(self.parameters)
        finite = bool(np.isfinite(total) and torch.isfinite(norm))
        # With a gradient of 0, as without confident pixels, weight decay would let weights drift.
        if finite and norm > 0:
            clip_gradients(self.parameters, norm, self._method.optimizer.gradient_clip)
            self._precision.step(optimizer)
        self._precision.update()
        optimizer.zero_grad(set_to_none=True)
        clock.charge("optimizer")
        self._count(finite, index, iteration)
        return total, float(norm)

    def state(self) -> dict[str, Any]:
        """Return trained weights, optimizer state, and precision, micro-batch and skip counts."""
        # Offline updates share one optimizer state, as no frame lies between them.
        method, optimizer = self._method, self._optimizer
        kept = method.optimizer_between_frames == "kept" or method.order == "offline"
        return {
            "parameters": [parameter.detach().cpu() for parameter in self.parameters],
            "optimizer": optimizer.state_dict() if kept and optimizer is not None else None,
            "precision": self._precision.state(),
            "micro_batch": self._micro_batch,
            "left_out": self._skipped,
        }

    @torch.no_grad()
    def restore(self, state: dict[str, Any]) -> None:
        """Restore a saved state."""
        for parameter, value in zip(self.parameters, state["parameters"], strict=True):
            parameter.copy_(value)
        if state["optimizer"] is not None and self._optimizer is not None:
            self._optimizer.load_state_dict(state["optimizer"])
        self._precision.load_state(state["precision"])
        self._micro_batch, self._skipped = state["micro_batch"], state["left_out"]

    def _accumulate(
        self, images: Tensor, index: int | str, iteration: int, draws: torch.Generator, clock: Clock
    ) -> float:
        """Add the gradients of a batch to the parameters; return its loss."""
        total = 0.0
        for number, chunk in enumerate(torch.split(images, self._micro_batch)):
            with (
                drop_path(self._model.encoder, self._method.drop_path),
                global_draws(*self._draws, index, iteration, "drop path", number),
                self._precision.autocast(),
            ):
                shown = to_input(chunk, self._device)
                share = len(chunk) / len(images)
                loss = self._objective.loss(self._model, shown, draws) * share
            clock.charge("forward")
            torch.autograd.backward(self._precision.scale(loss))
            total += float(loss.detach())
            clock.charge("backward")
        return total

    def _halve(self, size: int, index: int | str) -> None:
        for parameter in self.parameters:
            parameter.grad = None
        if self._device.type == "cuda":
            torch.cuda.empty_cache()
        if size == 1:
            raise InputError(
                f"{_place(index)}: {self._device} has not enough memory to learn from one image; "
                "lower the study's input.shortest_edge, or use a device with more memory"
            )
        self._micro_batch = size // 2
        logger.warning(
            "%s: %s ran out of memory with micro_batch %d; going on with %d: batch and loss stay "
            "the same",
            _place(index), self._device, size, self._micro_batch,
        )  # fmt: skip

    def _count(self, finite: bool, index: int | str, iteration: int) -> None:
        """Count skipped updates in a row.

        Raises:
            InputError: there are more than the method's `skipped_limit`.
        """
        self._skipped = 0 if finite else self._skipped + 1
        if self._skipped > self._method.skipped_limit:
            raise InputError(
                f"{_place(index)}: loss or gradient of {self._skipped} updates in a row, up to "
                f"update {iteration}, was not finite; lower the method's learning rate, use "
                "precision float32, or raise its skipped_limit"
            )


def _place(index: int | str) -> str:
    return f"frame {index}" if isinstance(index, int) else f"{index} training"
