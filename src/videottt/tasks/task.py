"""The interface of a task."""

from typing import Protocol

import numpy as np
from torch import Tensor

from videottt.models.y_shaped import QueryOutputs


class Task(Protocol):
    """Turns labels into targets for training, and what the head says into a prediction."""

    def targets(self, labels: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """Return masks and classes of the segments in each image.

        Args:
            labels: uint8 [B, H, W], 255 = void.

        Returns:
            For each image, masks float [N, H, W] and classes int64 [N].
        """
        ...

    def decode(
        self,
        outputs: QueryOutputs,
        padded: tuple[int, int],
        inner: tuple[int, int],
        size: tuple[int, int],
    ) -> np.ndarray:
        """Return the prediction of one frame at its own size.

        Args:
            outputs: of a batch of one.
            padded: (H, W) that the model saw.
            inner: (H, W) of the image within it, at the upper left.
            size: (H, W) of the frame.
        """
        ...

    def count_classes(self, prediction: np.ndarray) -> int:
        """Return how many classes occur in a prediction, for resets on collapse."""
        ...


class PixelTask(Task, Protocol):
    """A task that scores every class at every pixel, so that predictions can be averaged."""

    def scores(
        self,
        outputs: QueryOutputs,
        padded: tuple[int, int],
        inner: tuple[int, int],
        size: tuple[int, int],
    ) -> Tensor:
        """Return float [classes, H, W] at the frame's own size; arguments as of `decode`."""
        ...

    def decode_scores(self, scores: Tensor) -> np.ndarray:
        """Return the prediction that scores, possibly averaged ones, amount to."""
        ...
