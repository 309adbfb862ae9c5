"""The interface of an objective, and its registry."""

import abc
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from videottt.models.y_shaped import YShapedModel

REGISTERED: dict[str, type["Objective"]] = {}


@dataclass(frozen=True)
class Objective(abc.ABC):
    """How a model learns from frames without labels: by signature, none are in reach.

    A subclass is a frozen dataclass; its fields are the `options` of a method in config.yaml. Most
    learn by gradient: they say which parameters they train, and their loss. `observe` is for those
    that learn by a forward pass alone.
    """

    needs_decoder: ClassVar[bool] = False
    needs_classes: ClassVar[bool] = False
    learns: ClassVar[bool] = True

    def __init_subclass__(cls, *, name: str, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        REGISTERED[name] = cls

    def prepare(self, model: YShapedModel) -> None:  # noqa: B027 - most objectives change no layer
        """Change the model's layers, once, before its first frame."""

    @abc.abstractmethod
    def trainable(self, model: YShapedModel) -> list[torch.nn.Parameter]:
        """Return the parameters that this objective updates; nothing else changes."""

    @abc.abstractmethod
    def loss(self, model: YShapedModel, images: Tensor, generator: torch.Generator) -> Tensor:
        """Return the loss of one batch, a scalar: a mean over its images.

        Args:
            model: the model as it is now.
            images: float [B, 3, H, W], normalised, H and W multiples of 32.
            generator: where every random draw comes from, image by image.
        """

    def observe(self, model: YShapedModel, image: Tensor) -> None:  # noqa: B027 - see above
        """Learn from the current frame, float [1, 3, H, W], by a forward pass alone."""

    def forget(self, model: YShapedModel) -> None:  # noqa: B027 - see above
        """Undo what `observe` learned; the stream loop itself resets the trained parameters."""

    def state(self, model: YShapedModel) -> Any:
        """Return what `observe` learned, to go on from; None if it learns nothing."""
        return None

    def restore(self, model: YShapedModel, state: Any) -> None:  # noqa: B027 - see above
        """Be where `state` was returned."""
