"""What the stream loop says of one frame."""

from dataclasses import dataclass

import numpy as np

# Parts of learning from one frame, in the order in which they happen.
ADAPT_PHASES = ("reset", "sample", "forward", "backward", "optimizer")
PHASES = ("load", *ADAPT_PHASES, "predict")


@dataclass
class FrameResult:
    """One frame, learned from and predicted.

    Attributes:
        index: of the frame in its video, from 0.
        prediction: as the task decodes it; uint8 [H, W] class indices for semantic segmentation.
        loss: of the objective before its update, mean over the steps; NaN without an update.
        gradient_norm: L2 norm before clipping, mean over the steps; NaN without an update.
        skipped_steps: updates left out because loss or gradient was not finite.
        seconds: wall time of each of `PHASES`.
    """

    index: int
    prediction: np.ndarray
    loss: float
    gradient_norm: float
    skipped_steps: int
    seconds: dict[str, float]
