"""Take gradient steps of test-time training: micro-batches, clipping, and skipped updates."""

import contextlib
import logging
import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from videottt.core.errors import InputError
from videottt.core.ids import JobKey
from videottt.core.randomness import generator, global_draws
from videottt.models.inputs import to_input
from videottt.models.swin import drop_path
from videottt.models.y_shaped import YShapedModel
from videottt.runtime.device import fitting_micro_batch, free_memory
from videottt.runtime.out_of_memory import is_out_of_memory
from videottt.runtime.precision import Precision
from videottt.settings.method import Method
from videottt.ttt.clock import Clock
from videottt.ttt.objectives.objective import Objective
from videottt.ttt.optimizer import clip_gradients, gradient_norm, optimizer_for

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Step:
    """What was measured in one gradient step.

    Attributes:
        loss: of the batch, before the step.
        norm: L2 norm of all gradients together, before clipping.
    """

    loss: float
    norm: float

    @property
    def finite(self) -> bool:
        """Return whether loss and norm are finite; otherwise the step was skipped."""
        return math.isfinite(self.loss) and math.isfinite(self.norm)


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
        # None until the first step on a GPU has measured how much memory an image needs.
        self._micro_batch = method.micro_batch
        if self._micro_batch is None and self._device.type != "cuda":
            self._micro_batch = method.batch
        self._skipped = 0
        # Of the steps since the last reading: place, number, and float64 [2] on the device.
        self._unread: list[tuple[int | str, int, Tensor]] = []
        self.parameters = objective.trainable(model)
        model.requires_grad_(False)
        for parameter in self.parameters:
            parameter.requires_grad_(True)
        self._optimizer = optimizer_for(model, method.optimizer) if self.parameters else None

    def rebuild_optimizer(self) -> None:
        """Drop the optimizer's state, such as its moments, as if it were newly built."""
        if self._optimizer is not None:
            self._optimizer.forget()

    def take(
        self, images: Tensor, index: int | str, iteration: int, draws: torch.Generator, clock: Clock
    ) -> None:
        """Take one gradient step on a batch, without waiting for a GPU; `read` tells what it did.

        Without the setting micro_batch, a GPU takes as many images at once as its free memory is
        reckoned to hold, a CPU the whole batch. If memory is short all the same, the micro-batch is
        halved and the step starts again. The loss is the mean over the same images with the same
        masks; only the rounding of sums changes (and, if it is on, the random draws of drop path).
        The update is skipped if the loss or the gradient is not finite. A gradient of 0 leaves the
        weights unchanged, without weight decay.

        Args:
            images: RGB, uint8 [B, H, W, 3], on the CPU or on the model's device.
            index: of the current frame in its video, or "offline".
            iteration: number of the update at this frame, from 0.
            draws: source of the objective's random draws.
            clock: charged with the phases of the update.

        Raises:
            InputError: memory is short even for one image.
        """
        start = draws.get_state()
        while True:
            try:
                with self._precision.products():
                    if self._micro_batch is None:
                        self._micro_batch = self._fitting(images)
                    total = self._accumulate(images, index, iteration, draws, clock)
                break
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
            # Outside the except block: the error's stack frames keep the memory allocated.
            self._halve(min(self._micro_batch or 1, len(images)), index)
            draws.set_state(start)
        optimizer = self._optimizer
        assert optimizer is not None, "a step needs trainable parameters"
        self._precision.unscale(optimizer)
        norm = gradient_norm(self.parameters)
        measured = torch.stack([total, norm.double()])
        # With a gradient of 0, as without confident pixels, weight decay would let weights drift.
        taken = measured.isfinite().all() & (norm > 0)
        clip_gradients(self.parameters, norm, self._method.optimizer.gradient_clip)
        optimizer.step(skip=(~taken).float())
        self._precision.update()
        optimizer.zero_grad()
        clock.charge("optimizer")
        self._unread.append((index, iteration, measured))

    def read(self) -> list[Step]:
        """Return what was measured in the steps since the last reading, and count skipped steps.

        Raises:
            InputError: more than `skipped_limit` steps in a row had a loss or gradient that was not
                finite.
        """
        unread, self._unread = self._unread, []
        if not unread:
            return []
        # The only place of an update that waits for a GPU.
        rows = torch.stack([measured for _, _, measured in unread]).cpu().tolist()
        steps = [Step(*row) for row in rows]
        for (index, iteration, _), step in zip(unread, steps, strict=True):
            self._count(step.finite, index, iteration)
        return steps

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
    ) -> Tensor:
        """Add the gradients of a batch to the parameters; return its loss, float64, a scalar."""
        total = torch.zeros((), dtype=torch.float64, device=self._device)
        assert self._micro_batch is not None, "it is chosen before the first step"
        for number, chunk in enumerate(torch.split(images, self._micro_batch)):
            with (
                self._drop_path(),
                global_draws(*self._draws, index, iteration, "drop path", number),
                self._precision.autocast(),
            ):
                shown = to_input(chunk, self._device)
                share = len(chunk) / len(images)
                loss = self._objective.loss(self._model, shown, draws) * share
            clock.charge("forward")
            torch.autograd.backward(self._precision.scale(loss))
            total += loss.detach()
            clock.charge("backward")
        return total

    def _fitting(self, images: Tensor) -> int:
        """Return the micro-batch that a GPU's free memory holds, by the need of one image."""
        before = torch.cuda.memory_allocated(self._device)
        torch.cuda.reset_peak_memory_stats(self._device)
        with self._precision.autocast():
            shown = to_input(images[:1], self._device)
            loss = self._objective.loss(self._model, shown, generator(*self._draws, "memory"))
        loss.backward()  # type: ignore[no-untyped-call]
        one = torch.cuda.max_memory_allocated(self._device) - before
        for parameter in self.parameters:
            parameter.grad = None
        fitting = fitting_micro_batch(len(images), one, free_memory(self._device))
        logger.info("micro_batch %d: an image needs %.2f GB", fitting, one / 1e9)
        return fitting

    def _drop_path(self) -> contextlib.AbstractContextManager[None]:
        """Return a context with drop path as the method has it; it is off outside."""
        if self._method.drop_path:
            return drop_path(self._model.encoder, True)
        return contextlib.nullcontext()

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
