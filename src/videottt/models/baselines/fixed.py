"""Describe a fixed method: a published network that predicts frame by frame without learning."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from torch import nn


@dataclass(frozen=True)
class FixedMethod:
    """A method that predicts each frame independently and learns nothing.

    Attributes:
        task: id of the task.
        method: id of the method.
        kind: layer in which predictions are stored, one of `layers.LAYERS`.
        predict: returns the prediction of a frame, RGB uint8 [H, W, 3].
        network: used by `predict`, to be moved to a device; None for a method without a network.
        settings: all settings that determine the predictions.
        weights: SHA-256 of each file of weights, by name.
    """

    task: str
    method: str
    kind: str
    predict: Callable[[np.ndarray], np.ndarray]
    network: nn.Module | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    weights: dict[str, str] = field(default_factory=dict)
