"""Define the interfaces of a main task, its loss and its labels."""

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
from videottt.settings.decoding import Decoding


@dataclass(frozen=True)
class LabelMaps:
    """Labels y of a batch of training images.

    Attributes:
        semantic: uint8 [B, H, W], class indices of the data set, 255 = void.
        instance: int32 [B, H, W], instance numbers, 0 = none.
        colours: uint8 [B, H, W, 3], the RGB images, which are the labels of colorization.
    """

    semantic: Tensor
    instance: Tensor
    colours: Tensor = field(default_factory=lambda: torch.empty(0, dtype=torch.uint8))

    def to(self, device: torch.device | str) -> "LabelMaps":
        """Copy the labels to a device."""
        return LabelMaps(
            *(
                labels.to(device, non_blocking=True)
                for labels in (self.semantic, self.instance, self.colours)
            )
        )


class MainTaskLoss(Protocol):
    """The main task loss ℓ_m of a batch or of a part of a batch (paper section 4.1)."""

    def __call__(self, outputs: Any, labels: LabelMaps, targets: float | None = None) -> Tensor:
        """Return ℓ_m, a scalar.

        Args:
            outputs: `HeadOutputs` of the model's head h.
            labels: of the same images.
            targets: for one part of a batch, the average number of targets in the batch's parts; by
                default the number in `labels`.
        """
        ...


class Task(Protocol):
    """A main task: compute ℓ_m from labels, and decode the outputs of h into predictions.

    Args:
        space: classes of the data set.
        classes: names of the classes that the model predicts.
        decoding: thresholds of the decoding.

    Attributes:
        kind: layer in which predictions are stored; see `videottt.store.layers`.
        head: output of the head h that the task needs: "segments" or "colours".

    Raises:
        InputError: the model's classes do not fit the task.
    """

    kind: ClassVar[str]
    head: ClassVar[str]

    def __init__(self, space: ClassSpace, classes: Sequence[str], decoding: Decoding) -> None: ...

    @classmethod
    def model_classes(cls, space: ClassSpace) -> tuple[str, ...]:
        """Return the names of the classes that a model of this task is trained to predict."""
        ...

    def observable(self, images: Tensor) -> Tensor:
        """Remove the predicted quantity from images, at training time and at test time.

        Args:
            images: uint8 [B, H, W, 3], RGB.

        Returns:
            uint8 [B, H, W, 3], the only part of the images that reaches a model.
        """
        ...

    def main_task_loss(self, model: YShapedModel) -> MainTaskLoss:
        """Return the function that computes ℓ_m for a model."""
        ...

    def count_targets(self, labels: LabelMaps) -> int:
        """Return the number of targets that ℓ_m is averaged over; 0 for a mean over pixels."""
        ...

    def decode(self, outputs: Any, place: Placement, frame: np.ndarray) -> Prediction:
        """Return the prediction of one frame at the frame's size.

        Args:
            outputs: `HeadOutputs` of a batch of one frame.
            place: position of the frame in the model's input.
            frame: RGB, uint8 [H, W, 3]; only its observable part (see `observable`) may be used.
        """
        ...


@runtime_checkable
class ClassTask(Task, Protocol):
    """A task that predicts classes."""

    def count_classes(self, prediction: Any) -> int:
        """Return the number of classes in a prediction, for resets on collapse (section 5.1)."""
        ...


@runtime_checkable
class PixelTask(ClassTask, Protocol):
    """A task with a score for every class at every pixel, whose predictions can be averaged."""

    def scores(self, outputs: QueryOutputs, place: Placement) -> Tensor:
        """Return the scores of one frame at the frame's size: float [classes, H, W].

        Args:
            outputs: of a batch of one frame.
            place: position of the frame in the model's input.
        """
        ...

    def decode_scores(self, scores: Tensor) -> np.ndarray:
        """Return the prediction for scores, float [classes, H, W], of one or several outputs."""
        ...


def check_classes(
    classes: Sequence[str], allowed: Sequence[tuple[str, ...]], task: str
) -> tuple[str, ...]:
    """Check that a task can decode a model's classes, and return them.

    Args:
        classes: names of the classes that the model predicts.
        allowed: the lists of classes that the task can decode.
        task: id of the task, for the message.

    Raises:
        InputError: `classes` is not in `allowed`.
    """
    if tuple(classes) not in allowed:
        raise InputError(
            f"the model's {len(classes)} classes are not the {len(allowed[0])} of the data set "
            f"that the task '{task}' needs; take a checkpoint that was trained on the same classes"
        )
    return tuple(classes)
