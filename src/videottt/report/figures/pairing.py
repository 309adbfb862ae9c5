"""Check that predictions belong to frames, and to each other."""

import numpy as np

from videottt.core.errors import InputError
from videottt.core.segments import Prediction
from videottt.store.frames import FrameStore
from videottt.store.predictions import PredictionReader


def check_same_video(store: FrameStore, first: PredictionReader, *others: PredictionReader) -> None:
    """Check that methods predicted the video of a frame store, all for one task and seed.

    Raises:
        InputError: predictions and frames differ in video, classes or length, or two methods differ
            in task or seed.
    """
    first.check_video(store)
    for other in others:
        other.check_video(store)
        if (first.key.task, first.key.seed) != (other.key.task, other.key.seed):
            raise InputError(
                f"{first.path}: is of task '{first.key.task}', seed {first.key.seed}, but "
                f"{other.path} of task '{other.key.task}', seed {other.key.seed}; give methods of "
                "one task and seed"
            )


def check_images(predictions: PredictionReader) -> None:
    """Check that predictions are images.

    Raises:
        InputError: they are not.
    """
    if predictions.kind != "images":
        raise InputError(
            f"{predictions.path}: task '{predictions.key.task}' predicts '{predictions.kind}', not "
            "images; give predictions of the task 'colorization'"
        )


def distinct(fixed: PredictionReader, predictions: PredictionReader) -> list[PredictionReader]:
    """Return both predictions, or one if both are of the same job."""
    return [fixed] if fixed.key == predictions.key else [fixed, predictions]


def as_image(prediction: Prediction | None) -> np.ndarray:
    """Return a predicted or true image as such: uint8 [H, W, 3]; see `check_images`."""
    assert isinstance(prediction, np.ndarray)
    return prediction
