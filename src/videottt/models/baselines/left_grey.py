"""Leave frames grey: the control of colorization, which tells what scores are worth."""

from videottt.core.cielab import grey_frame
from videottt.models.baselines.fixed import FixedMethod
from videottt.store.frames import FrameStore


def left_grey(_: FrameStore) -> FixedMethod:
    """Return the method that predicts no colour at all."""
    return FixedMethod("colorization", "left_grey", "images", grey_frame)
