"""Leave frames grey: the control that every score of colorization is read against."""

from videottt.core.cielab import grey_frame
from videottt.models.baselines.fixed import FixedMethod
from videottt.store.frames import FrameStore


def left_grey(_: FrameStore) -> FixedMethod:
    """Return the fixed method that predicts each frame without its colours."""
    return FixedMethod("colorization", "left_grey", "images", grey_frame)
