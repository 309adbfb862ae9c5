"""Run a model in mixed precision: bfloat16, float16 with loss scaling, or float32."""

import contextlib
from typing import Any

import torch
from torch import Tensor

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


class Precision:
    """Autocast and gradient scaling for one device.

    Args:
        name: "float32", "bfloat16", "float16", or "auto": bfloat16 on a GPU that supports it, else
            float32.
        device: the model's device.
    """

    def __init__(self, name: str, device: torch.device) -> None:
        if name == "auto":
            fast = device.type == "cuda" and torch.cuda.is_bf16_supported()
            name = "bfloat16" if fast else "float32"
        self.name = name
        self._device = device.type
        self._scaler = torch.amp.GradScaler(device.type, enabled=name == "float16")

    def autocast(self) -> contextlib.AbstractContextManager[object]:
        """Return the context for a forward pass."""
        if self.name == "float32":
            return contextlib.nullcontext()
        return torch.autocast(self._device, DTYPES[self.name])

    def scale(self, loss: Tensor) -> Tensor:
        """Return the scaled loss, to call backward on."""
        return self._scaler.scale(loss)

    def unscale(self, optimizer: torch.optim.Optimizer) -> None:
        """Undo the scaling of the gradients, so that they can be measured and clipped."""
        self._scaler.unscale_(optimizer)

    def step(self, optimizer: torch.optim.Optimizer) -> None:
        """Take the optimizer's step."""
        self._scaler.step(optimizer)

    def update(self) -> None:
        """Adapt the scale for the next step."""
        self._scaler.update()

    def state(self) -> dict[str, Any]:
        """Return the scaler's state, for an exact resume."""
        return self._scaler.state_dict()

    def load_state(self, state: dict[str, Any]) -> None:
        """Restore the scaler's state."""
        self._scaler.load_state_dict(state)
