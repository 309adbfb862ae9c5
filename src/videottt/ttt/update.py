"""One gradient step of test-time training: a batch in micro-batches, a clipped step, or none."""

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
from videottt.ttt.method import Method
from videottt.ttt.objectives.objective import Objective
from videottt.ttt.optimizer import clip_gradients, gradient_norm, optimizer_for

logger = logging.getLogger(__name__)


@dataclass
class Clock:
    """Adds up wall time by phase; waits for the device, so that each phase pays for itself."""

    device: torch.device
    wall_time: dict[str, float] = field(default_factory=lambda: dict.fromkeys(PHASES, 0.0))
    _last: float = field(default_factory=time.perf_counter)

    def charge(self, phase: str) -> None:
        """Add the time since the last charge to a phase."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        now = time.perf_counter()
        self.wall_time[phase] += now - self._last
        self._last = now


class Updates:
    """The updates of one model on one video.

    Args:
        model: what `objective` trains of it is trained in place; the rest is frozen.
        objective: prepared for the model.
        method: how large a batch is, and how it is stepped.
        key: the ids of the job, which random draws are keyed by.
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
        self._left_out = 0
        self.parameters = objective.trainable(model)
        model.requires_grad_(False)
        for parameter in self.parameters:
            parameter.requires_grad_(True)
        self._optimizer = optimizer_for(model, method.optimizer) if self.parameters else None

    def rebuild_optimizer(self) -> None:
        """Forget what the optimizer has gathered: without state it is one just built."""
        if self._optimizer is not None:
            self._optimizer.state.clear()

    def take(
        self, images: Tensor, index: int | str, iteration: int, draws: torch.Generator, clock: Clock
    ) -> tuple[float, float]:
        """Take one step on a batch; return the loss before it, and the gradient's norm.

        Where memory is short, the micro-batch is halved and the step begun again: the loss is the
        same mean over the same images with the same masks, so that only sums are rounded otherwise
        (and the draws of drop path, where it is on).

        Args:
            images: uint8 [B, H, W, 3], on the CPU.
            index: of the frame in its video, or "offline".
            iteration: of the update, for this frame.
            draws: where the objective's random draws come from.
            clock: is charged.

        Raises:
            InputError: there is not enough memory for a single image, or more than
                `skipped_limit` updates in a row had no finite loss and gradient.
        """
        start = draws.get_state()
        while True:
            try:
                total = self._accumulate(images, index, iteration, draws, clock)
                break
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
            # Only here, without the error and what its frames held, is their memory free again.
            self._halve(min(self._micro_batch, len(images)), index)
            draws.set_state(start)
        optimizer = self._optimizer
        assert optimizer is not None, "only what trains something is asked for a step"
        self._precision.unscale(optimizer)
        norm = gradient_norm(self.parameters)
        finite = bool(np.isfinite(total) and torch.isfinite(norm))
        # Without a gradient (no confident pixel, for example) even weight decay would be a drift.
        if finite and norm > 0:
            clip_gradients(self.parameters, norm, self._method.optimizer.gradient_clip)
            self._precision.step(optimizer)
        self._precision.update()
        optimizer.zero_grad(set_to_none=True)
        clock.charge("optimizer")
        self._count(finite, index, iteration)
        return total, float(norm)

    def state(self) -> dict[str, Any]:
        """Return what updates change: weights, optimizer, and how they came so far."""
        # Offline, no frame comes between two updates.
        method, optimizer = self._method, self._optimizer
        kept = method.optimizer_between_frames == "kept" or method.order == "offline"
        return {
            "parameters": [parameter.detach().cpu() for parameter in self.parameters],
            "optimizer": optimizer.state_dict() if kept and optimizer is not None else None,
            "precision": self._precision.state(),
            "micro_batch": self._micro_batch,
            "left_out": self._left_out,
        }

    @torch.no_grad()
    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""
        for parameter, value in zip(self.parameters, state["parameters"], strict=True):
            parameter.copy_(value)
        if state["optimizer"] is not None and self._optimizer is not None:
            self._optimizer.load_state_dict(state["optimizer"])
        self._precision.load_state(state["precision"])
        self._micro_batch, self._left_out = state["micro_batch"], state["left_out"]

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
                "lower the study's input.shortest_edge, or take a device with more memory"
            )
        self._micro_batch = size // 2
        logger.warning(
            "%s: %s ran out of memory with micro_batch %d; going on with %d, the batch and its "
            "loss are the same",
            _place(index), self._device, size, self._micro_batch,
        )  # fmt: skip

    def _count(self, finite: bool, index: int | str, iteration: int) -> None:
        """Count updates in a row that were left out.

        Raises:
            InputError: there are too many.
        """
        self._left_out = 0 if finite else self._left_out + 1
        if self._left_out > self._method.skipped_limit:
            raise InputError(
                f"{_place(index)}: loss or gradient of {self._left_out} updates in a row, up to "
                f"update {iteration} of this place, was not finite; lower the method's learning "
                "rate, use precision float32, or raise its skipped_limit"
            )


def _place(index: int | str) -> str:
    return f"frame {index}" if isinstance(index, int) else f"{index} training"
