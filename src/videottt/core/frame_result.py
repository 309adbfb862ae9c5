"""What the stream loop says of one frame."""

from dataclasses import dataclass

import numpy as np

from videottt.core.segments import Prediction

# Parts of learning from one frame, in the order in which they happen.
ADAPT_PHASES = ("reset", "sample", "forward", "backward", "optimizer")
PHASES = ("load", *ADAPT_PHASES, "predict")


@dataclass
class FrameResult:
    """One frame, learned from and predicted.

    Attributes:
        index: of the frame in its video, from 0.
        prediction: as the task decodes it: a map of classes, instances or a panoptic map.
        loss: of the objective before its update, mean over the steps; NaN without an update.
        gradient_norm: L2 norm before clipping, mean over the steps; NaN without an update.
        skipped_steps: updates left out because loss or gradient was not finite.
        wall_time: seconds of each of `PHASES`.
        resets: 1 if the predictions were found to have collapsed, so that the next frame starts
            from the initial weights, else 0; resets of every frame are not counted.
    """

    index: int
    prediction: Prediction
    loss: float
    gradient_norm: float
    skipped_steps: int
    wall_time: dict[str, float]
    resets: int = 0


@dataclass
class Traced:
    """The model after some gradient steps on one frame (paper figure 3).

    Attributes:
        step: updates so far, from 0.
        loss: of the objective on one fixed draw of its masks, so that steps can be compared.
        prediction: of the frame.
        visible: bool [h, w], the patches of that draw that the model was shown.
        pixels: uint8 [h, w, 3], its reconstruction.
    """

    step: int
    loss: float
    prediction: Prediction
    visible: np.ndarray
    pixels: np.ndarray
