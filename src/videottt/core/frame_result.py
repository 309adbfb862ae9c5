"""Define the result of one frame of a stream, and of one step of a trace."""

from dataclasses import dataclass

import numpy as np

from videottt.core.segments import Prediction

# Phases of the update on one frame, in their order.
ADAPT_PHASES = ("reset", "sample", "forward", "backward", "optimizer")
PHASES = ("load", *ADAPT_PHASES, "predict")


@dataclass
class FrameResult:
    """The prediction of one frame, and measurements of the update before it.

    Attributes:
        index: number of the frame in its video, from 0.
        prediction: the task's prediction: a class map, instances, a panoptic map or an image.
        loss: the objective's loss before its update, mean over the steps; NaN without an update.
        gradient_norm: L2 norm before clipping, mean over the steps; NaN without an update.
        skipped_steps: number of updates skipped because loss or gradient was not finite.
        wall_time: seconds by phase, for each of `PHASES`.
        resets: 1 if the predictions have collapsed, so that the next frame starts from the initial
            weights, else 0; a reset that a method makes at every frame is not counted.
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
        step: number of updates so far, from 0.
        loss: the objective's loss with one fixed mask, so that steps can be compared.
        prediction: the prediction of the frame.
        visible: bool [h, w], the patches that this mask leaves visible.
        pixels: uint8 [h, w, 3], the reconstruction.
    """

    step: int
    loss: float
    prediction: Prediction
    visible: np.ndarray
    pixels: np.ndarray
