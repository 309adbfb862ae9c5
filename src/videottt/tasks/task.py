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
