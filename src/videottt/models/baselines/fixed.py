"""Describe a published network that predicts each frame by itself and learns nothing."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from torch import nn


@dataclass(frozen=True)
class FixedMethod:
    """What predicts each frame by itself.

    Attributes:
        task: that it solves.
        method: its id.
        kind: of its predictions, one of `layers.LAYERS`.
        predict: from a frame, uint8 [H, W, 3], to its prediction.
        network: that `predict` uses, to be put on a device; None = none.
        settings: that decide its predictions.
        weights: SHA-256 of each file of weights, by name.
    """

    task: str
    method: str
    kind: str
    predict: Callable[[np.ndarray], np.ndarray]
    network: nn.Module | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    weights: dict[str, str] = field(default_factory=dict)
