"""Run a model in mixed precision: bfloat16, float16 with loss scaling, or float32.

A precision is named in the settings. On a CPU "auto" is float32; "bfloat16" pays there only where
the processor multiplies bfloat16 (avx512_bf16, amx) and the images are large.

TF32, float32 with the 10 bits of mantissa of float16, is never a GPU's own choice: predictions and
updates in float32 do without it. Updates in bfloat16 or float16 may use it for what stays float32
in them, which is already the more exact part.
"""

import contextlib
from collections.abc import Iterator
from typing import Any, Protocol, cast

import torch
from torch import Tensor

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def allow_tf32(allowed: bool) -> None:
    """Say whether GPUs may use TF32 in products and convolutions of float32.

    torch allows it in convolutions by default.
    """
    torch.backends.cuda.matmul.allow_tf32 = allowed
    torch.backends.cudnn.allow_tf32 = allowed


class HasGroups(Protocol):
    """An optimizer: gradient scaling reads the parameters in its groups."""

    param_groups: list[dict[str, Any]]


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

    @contextlib.contextmanager
    def products(self) -> Iterator[None]:
        """Allow TF32 inside the block, around the passes of an update, in mixed precision."""
        allowed = self._device == "cuda" and self.name != "float32"
        if allowed:
            allow_tf32(True)
        try:
            yield
        finally:
            if allowed:
                allow_tf32(False)

    def scale(self, loss: Tensor) -> Tensor:
        """Return the scaled loss, to call backward on."""
        return self._scaler.scale(loss)

    def unscale(self, optimizer: HasGroups) -> None:
        """Undo the scaling of the gradients, so that they can be measured and clipped."""
        self._scaler.unscale_(cast("torch.optim.Optimizer", optimizer))

    def update(self) -> None:
        """Adapt the scale for the next step."""
        self._scaler.update()

    def state(self) -> dict[str, Any]:
        """Return the scaler's state, for an exact resume."""
        return self._scaler.state_dict()

    def load_state(self, state: dict[str, Any]) -> None:
        """Restore the scaler's state."""
        self._scaler.load_state_dict(state)
