"""Define the interface of an objective, and keep the registry of all objectives."""

import abc
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from videottt.models.y_shaped import YShapedModel

REGISTERED: dict[str, type["Objective"]] = {}


@dataclass(frozen=True)
class Objective(abc.ABC):
    """A rule by which a model learns from frames without labels; no method receives labels.

    A subclass is a frozen dataclass whose fields are the `options` of a method. Most objectives
    learn by gradient: `trainable` returns the parameters to update and `loss` the loss. Objectives
    that learn by a forward pass implement `observe` instead.

    Attributes:
        needs_decoder: whether the objective uses the decoder g.
        needs_classes: whether the objective needs a head h that predicts classes.
        learns: false for the objective that never changes the model.
    """

    needs_decoder: ClassVar[bool] = False
    needs_classes: ClassVar[bool] = False
    learns: ClassVar[bool] = True

    def __init_subclass__(cls, *, name: str, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        REGISTERED[name] = cls

    def prepare(self, model: YShapedModel) -> None:  # noqa: B027 - most objectives change no layer
        """Replace layers of the model, once, before the first frame."""

    @abc.abstractmethod
    def trainable(self, model: YShapedModel) -> list[torch.nn.Parameter]:
        """Return the parameters that this objective updates; all others stay frozen."""

    @abc.abstractmethod
    def loss(self, model: YShapedModel, images: Tensor, generator: torch.Generator) -> Tensor:
        """Return the loss of a batch, a scalar: the mean over its images.

        Args:
            model: with its current weights.
            images: float [B, 3, H, W], normalised, H and W multiples of 32.
            generator: source of every random draw. Draw image by image, so that the draws do not
                depend on the size of a micro-batch.
        """

    def observe(self, model: YShapedModel, image: Tensor) -> None:  # noqa: B027 - see above
        """Learn from the current frame, float [1, 3, H, W], normalised, by a forward pass."""

    def forget(self, model: YShapedModel) -> None:  # noqa: B027 - see above
        """Discard everything learned by `observe`; the stream loop resets trained parameters."""

    def state(self, model: YShapedModel) -> Any:
        """Return everything learned by `observe`, for a saved state; None if nothing is learned."""
        return None

    def restore(self, model: YShapedModel, state: Any) -> None:  # noqa: B027 - see above
        """Restore everything learned by `observe` from the return value of `state`."""
