"""Which predictions may stand beside which frames."""

from videottt.errors import InputError
from videottt.frames import FrameStore
from videottt.predictions import PredictionReader


def check_same_video(
    store: FrameStore, fixed: PredictionReader, predictions: PredictionReader
) -> None:
    """Check that two methods predicted the video of a frame store, from one checkpoint.

    Raises:
        InputError: predictions and frames are not of the same video, classes or length, or the two
            methods are not of the same task and seed.
    """
    for each in (fixed, predictions):
        each.check_video(store)
    if (fixed.key.task, fixed.key.seed) != (predictions.key.task, predictions.key.seed):
        raise InputError(
            f"{fixed.path}: is task '{fixed.key.task}', seed {fixed.key.seed}, but "
            f"{predictions.path} is task '{predictions.key.task}', seed {predictions.key.seed}; "
            "give two methods of one task and seed"
        )
