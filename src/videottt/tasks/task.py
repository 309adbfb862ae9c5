"""The interface of a task."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
from torch import Tensor

from videottt.errors import InputError
from videottt.models.inputs import Placement
from videottt.models.y_shaped import QueryOutputs
from videottt.segments import ClassSpace, Prediction


@dataclass(frozen=True)
class LabelMaps:
    """Labels of a batch, for training.

    Attributes:
        semantic: uint8 [B, H, W], indices into all classes of the data set, 255 = void.
        instance: int32 [B, H, W], 0 = none.
    """

    semantic: Tensor
    instance: Tensor

    def to(self, device: object) -> "LabelMaps":
        """Return the same labels on a device."""
        return LabelMaps(self.semantic.to(device), self.instance.to(device))


class Task(Protocol):
    """Turns labels into targets for training, and what the head says into a prediction.

    Made for the classes of a data set and those that a model names, with a
    `videottt.decoding.Decoding`.

    Attributes:
        kind: of the layer that its predictions are stored in; see videottt.layers.
    """

    kind: ClassVar[str]

    @classmethod
    def model_classes(cls, space: ClassSpace) -> tuple[str, ...]:
        """Return the classes that a model of this task is trained to name."""
        ...

    def targets(self, labels: LabelMaps) -> tuple[list[Tensor], list[Tensor]]:
        """Return, for each image, masks float [N, H, W] and the model's classes int64 [N]."""
        ...

    def decode(self, outputs: QueryOutputs, place: Placement) -> Prediction:
        """Return the prediction of one frame at its own size.

        Args:
            outputs: of a batch of one.
            place: where the frame lies in what the model saw.
        """
        ...

    def count_classes(self, prediction: Prediction) -> int:
        """Return how many classes occur in a prediction, for resets on collapse."""
        ...


class PixelTask(Task, Protocol):
    """A task that scores every class at every pixel, so that predictions can be averaged."""

    def scores(self, outputs: QueryOutputs, place: Placement) -> Tensor:
        """Return float [classes, H, W] at the frame's own size; arguments as of `decode`."""
        ...

    def decode_scores(self, scores: Tensor) -> np.ndarray:
        """Return the prediction that scores, possibly averaged ones, amount to."""
        ...


def check_classes(
    found: Sequence[str], allowed: Sequence[tuple[str, ...]], task: str
) -> tuple[str, ...]:
    """Return the classes that a model names, if a task can decode them.

    Raises:
        InputError: they are none of `allowed`.
    """
    if tuple(found) not in allowed:
        raise InputError(
            f"the model's {len(found)} classes are not the {len(allowed[0])} of the data set that "
            f"the task '{task}' needs; take a checkpoint that was trained on the same classes"
        )
    return tuple(found)
