"""The interface of a task."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from videottt.core.errors import InputError
from videottt.core.segments import ClassSpace, Prediction
from videottt.models.inputs import Placement
from videottt.models.y_shaped import QueryOutputs, YShapedModel
from videottt.tasks.decoding import Decoding


@dataclass(frozen=True)
class LabelMaps:
    """Labels of a batch, for training.

    Attributes:
        semantic: uint8 [B, H, W], indices into all classes of the data set, 255 = void.
        instance: int32 [B, H, W], 0 = none.
        colours: uint8 [B, H, W, 3], RGB: the images themselves; only colorization needs them.
    """

    semantic: Tensor
    instance: Tensor
    colours: Tensor = field(default_factory=lambda: torch.empty(0, dtype=torch.uint8))

    def to(self, device: torch.device | str) -> "LabelMaps":
        """Return the same labels on a device."""
        return LabelMaps(
            *(
                each.to(device, non_blocking=True)
                for each in (self.semantic, self.instance, self.colours)
            )
        )


class MainTaskLoss(Protocol):
    """ℓ_m of a batch or of one part of it."""

    def __call__(self, outputs: Any, labels: LabelMaps, targets: float | None = None) -> Tensor:
        """Return a scalar.

        Args:
            outputs: what the head says, `HeadOutputs`: segments or colours, as the task's head.
            labels: of the same images.
            targets: where this is one part of a batch, how many targets its parts have on average;
                by default those of `labels`.
        """
        ...


class Task(Protocol):
    """Turns labels into a loss for training, and what the head says into a prediction.

    Made for the classes of a data set and those that a model names, with a
    `videottt.tasks.decoding.Decoding`.

    Attributes:
        kind: of the layer that its predictions are stored in; see videottt.store.layers.
        head: what the head of its models says: "segments" or "colours".
    """

    kind: ClassVar[str]
    head: ClassVar[str]

    def __init__(self, space: ClassSpace, classes: Sequence[str], decoding: Decoding) -> None: ...

    @classmethod
    def model_classes(cls, space: ClassSpace) -> tuple[str, ...]:
        """Return the classes that a model of this task is trained to name."""
        ...

    def observable(self, images: Tensor) -> Tensor:
        """Return what a model is shown of images uint8 [B, H, W, 3], in the same form.

        At training and at test time, so that what is to be predicted cannot be seen.
        """
        ...

    def main_task_loss(self, model: YShapedModel) -> MainTaskLoss:
        """Return ℓ_m for a model."""
        ...

    def count_targets(self, labels: LabelMaps) -> int:
        """Return how many targets ℓ_m is averaged over; 0 if it is over pixels."""
        ...

    def decode(self, outputs: Any, place: Placement, frame: np.ndarray) -> Prediction:
        """Return the prediction of one frame at its own size.

        Args:
            outputs: what the head says of a batch of one, `HeadOutputs`.
            place: where the frame lies in what the model saw.
            frame: uint8 [H, W, 3]; no more of it may be used than is observed.
        """
        ...


@runtime_checkable
class ClassTask(Task, Protocol):
    """A task that names classes."""

    def count_classes(self, prediction: Any) -> int:
        """Return how many classes occur in a prediction, for resets on collapse."""
        ...


@runtime_checkable
class PixelTask(ClassTask, Protocol):
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
