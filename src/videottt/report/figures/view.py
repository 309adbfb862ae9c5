"""View a video as a task does: the model's input, and the ground truth of predictions."""

from dataclasses import dataclass

import numpy as np

from videottt.core.segments import Prediction
from videottt.evaluation.metrics import frame_value, headline, label_of, labelled
from videottt.store.frames import FrameStore


@dataclass(frozen=True)
class TaskView:
    """A video and the ground truth shown with it; made by the functions below.

    Attributes:
        store: the video.
        task: id.
        known: bool [T], frames with a ground truth to show.
    """

    store: FrameStore
    task: str
    known: np.ndarray

    @property
    def truth_name(self) -> str:
        """Return the name of the ground truth."""
        return "Original" if self.task == "colorization" else "Ground truth"

    def observed(self, index: int) -> np.ndarray:
        """Return frame `index` as the model's input: uint8 [H, W, 3]."""
        frame = self.store.frame(index)
        if self.task != "colorization":
            return frame
        # Here, because no other task's figures need torch.
        from videottt.core.cielab import grey_frame

        return grey_frame(frame)

    def truth(self, index: int) -> Prediction | None:
        """Return the ground truth of frame `index`, if it is shown."""
        return label_of(self.store, index, self.task) if self.known[index] else None

    def value(self, prediction: Prediction, truth: Prediction | None) -> float:
        """Return the headline metric of one frame in its unit, NaN without a ground truth."""
        if truth is None:
            return np.nan
        return headline(self.task).scale * frame_value(
            self.task, prediction, truth, self.store.space
        )


def scored_view(store: FrameStore, task: str) -> TaskView:
    """Return a view with the ground truth of the frames that have one.

    Raises:
        InputError: the task is unknown.
    """
    return TaskView(store, task, labelled(store, task))


def unscored_view(store: FrameStore, task: str) -> TaskView:
    """Return a view of a video without ground truth, for example the colours of an old film.

    A frame store cannot tell: for colorization, every frame is its own ground truth.
    """
    return TaskView(store, task, np.zeros(len(store), bool))
