"""Fixed models without updates: Main Task Only and MAE Joint Training (paper section 4.1)."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from videottt.models.y_shaped import YShapedModel
from videottt.ttt.objectives.objective import Objective


@dataclass(frozen=True)
class NoObjective(Objective, name="none"):
    """The fixed model h₀(f₀(x)) of the paper's section 4.1, which no update changes.

    The objective has no options.
    """

    learns: ClassVar[bool] = False

    def trainable(self, model: YShapedModel) -> list[torch.nn.Parameter]:
        """Return an empty list: no parameter is updated."""
        return []

    def loss(self, model: YShapedModel, images: Tensor, generator: torch.Generator) -> Tensor:
        """Return 0; the stream loop never calls this, because nothing is trainable."""
        return torch.zeros(())
