"""No update at all: the fixed models `main_task_only` and `mae_joint_training`."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from videottt.models.y_shaped import YShapedModel
from videottt.ttt.objectives.objective import Objective


@dataclass(frozen=True)
class NoObjective(Objective, name="none"):
    """Leave the model as it is (paper section 4.1)."""

    learns: ClassVar[bool] = False

    def trainable(self, model: YShapedModel) -> list[torch.nn.Parameter]:
        """Return no parameter."""
        return []

    def loss(self, model: YShapedModel, images: Tensor, generator: torch.Generator) -> Tensor:
        """Return 0; the stream loop does not ask, because nothing is trainable."""
        return torch.zeros(())
