"""Compare the gradients of ℓ_m and ℓ_s with respect to the encoder f, at θ₀, on single frames.

As in videottt.evaluation.theory.gradients, θ are the parameters of the encoder, and squares are
products of two independent halves of the draws, which keeps the noise of masks and points out.
Nothing is sketched, because only the products within a frame are needed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from videottt.core.ids import JobKey
from videottt.core.randomness import generator, global_draws
from videottt.evaluation.diagnosis.labelled import LabelledFrame
from videottt.evaluation.diagnosis.sampling import CHUNK, HALVES, Sampling, draws_of
from videottt.models.y_shaped import YShapedModel
from videottt.tasks.task import MainTaskLoss
from videottt.ttt.objectives.objective import Objective

# A gradient: one tensor for each parameter.
Gradient = Sequence[Tensor]


@dataclass(frozen=True)
class GradientProducts:
    """The inner products of the gradients of N frames.

    Attributes:
        main: float64 [N], ‖∇ℓ_m‖².
        own: float64 [N], ‖∇ℓ_s‖².
        cross: float64 [N], ⟨∇ℓ_m, ∇ℓ_s⟩.
    """

    main: np.ndarray
    own: np.ndarray
    cross: np.ndarray

    @classmethod
    def of_halves(cls, main: Sequence[Gradient], own: Sequence[Gradient]) -> "GradientProducts":
        """Return the products of one frame from two independent halves of each gradient.

        In expectation they are those of the noise-free gradients; a square may be negative.
        """
        cross = (_product(main[0], own[1]) + _product(main[1], own[0])) / 2
        parts = _product(*main), _product(*own), cross
        return cls(*(np.array([part]) for part in parts))

    @classmethod
    def joined(cls, parts: Sequence["GradientProducts"]) -> "GradientProducts":
        """Return the products of the frames of all parts, at least one."""
        return cls(
            *(
                np.concatenate([getattr(part, name) for part in parts])
                for name in ("main", "own", "cross")
            )
        )

    @property
    def cosines(self) -> np.ndarray:
        """Return the cosine of both gradients of each frame: float64 [N].

        NaN where the noise of the draws hides a gradient, so that its square is not above 0.
        """
        squares = np.where((self.main > 0) & (self.own > 0), self.main * self.own, np.nan)
        result: np.ndarray = self.cross / np.sqrt(squares)
        return result


def gradient_products(
    model: YShapedModel,
    main_task_loss: MainTaskLoss,
    objective: Objective,
    frame: LabelledFrame,
    sampling: Sampling,
    key: JobKey,
) -> GradientProducts:
    """Return the products of the gradients of one frame, at the model's weights.

    The weights do not change. The model is in eval mode, without drop path, in float32.

    Args:
        model: f, g and h.
        main_task_loss: ℓ_m.
        objective: ℓ_s, of the whole frame.
        frame: the input and its labels.
        sampling: number of draws of each loss.
        key: keys the draws, together with the frame's index.
    """
    model.eval().requires_grad_(False)
    parameters = list(model.encoder.requires_grad_(True).parameters())
    images, index = frame.observation.images, frame.observation.index
    outputs = model.predict(images)
    main = []
    for half in range(HALVES):
        losses = []
        for draw in range(sampling.point_draws // HALVES):
            with global_draws(*draws_of(key, index, "points", half, draw)):
                losses.append(main_task_loss(outputs, frame.labels))
        loss = torch.stack(losses).mean()
        main.append(_gradient(loss, parameters, keep=half + 1 < HALVES))
    del outputs, loss, losses
    own = [
        _own_gradient(
            model, objective, images, sampling.masks // HALVES, parameters,
            generator(*draws_of(key, index, "gradient masks", half)),
        )
        for half in range(HALVES)
    ]  # fmt: skip
    model.requires_grad_(False)
    return GradientProducts.of_halves(main, own)


def _own_gradient(
    model: YShapedModel,
    objective: Objective,
    images: Tensor,
    masks: int,
    parameters: Sequence[Tensor],
    draws: torch.Generator,
) -> Gradient:
    """Return the gradient of the mean of ℓ_s over some masks of one frame."""
    total = [torch.zeros_like(parameter) for parameter in parameters]
    for part in torch.split(images.expand(masks, -1, -1, -1), CHUNK):
        loss = objective.loss(model, part, draws) * (len(part) / masks)
        torch._foreach_add_(total, list(_gradient(loss, parameters)))
    return total


def _gradient(loss: Tensor, parameters: Sequence[Tensor], keep: bool = False) -> Gradient:
    return torch.autograd.grad(
        loss, parameters, retain_graph=keep, allow_unused=True, materialize_grads=True
    )


def _product(one: Gradient, other: Gradient) -> float:
    return sum(float((a.double() * b.double()).sum()) for a, b in zip(one, other, strict=True))
