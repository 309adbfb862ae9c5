"""The interface of an objective, and its registry."""

import abc
from typing import ClassVar

import torch
from torch import Tensor

from videottt.models.y_shaped import YShapedModel

REGISTERED: dict[str, type["Objective"]] = {}


class Objective(abc.ABC):
    """A loss that needs no labels: by signature, none are in reach.

    A subclass is a frozen dataclass; its fields are the `options` of a method in config.yaml.
    """

    needs_decoder: ClassVar[bool] = False

    def __init_subclass__(cls, *, name: str, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        REGISTERED[name] = cls

    @abc.abstractmethod
    def trainable(self, model: YShapedModel) -> list[torch.nn.Parameter]:
        """Return the parameters that this objective updates."""

    @abc.abstractmethod
    def loss(self, model: YShapedModel, images: Tensor, generator: torch.Generator) -> Tensor:
        """Return the loss of one batch, a scalar.

        Args:
            model: the model as it is now.
            images: float [B, 3, H, W], normalised, H and W multiples of 32.
            generator: where every random draw comes from.
        """
