"""A video as a task sees it: what its model is shown, and what predictions are compared with."""

from dataclasses import dataclass

import numpy as np

from videottt.core.segments import Prediction
from videottt.evaluation.metrics import frame_value, headline, label_of, labelled
from videottt.store.frames import FrameStore


@dataclass(frozen=True)
class TaskView:
    """What a drawing shows of a video beside predictions; made by the functions below.

    Attributes:
        store: the video.
        task: id.
        known: bool [T], frames of which the ground truth is shown.
    """

    store: FrameStore
    task: str
    known: np.ndarray

    @property
    def truth_name(self) -> str:
        """Return what the ground truth is called."""
        return "Original" if self.task == "colorization" else "Ground truth"

    def observed(self, index: int) -> np.ndarray:
        """Return frame `index` as the model is shown it: uint8 [H, W, 3]."""
        frame = self.store.frame(index)
        if self.task != "colorization":
            return frame
        # Here, because no other task's drawings need torch.
        from videottt.core.cielab import grey_frame

        return grey_frame(frame)

    def truth(self, index: int) -> Prediction | None:
        """Return the ground truth of frame `index`, if it is shown."""
        return label_of(self.store, index, self.task) if self.known[index] else None

    def value(self, prediction: Prediction, truth: Prediction | None) -> float:
        """Return the task's metric of one frame by itself, in its unit; NaN where it is not known.

        The metric is that of `metrics.headline`.
        """
        if truth is None:
            return np.nan
        return headline(self.task).scale * frame_value(
            self.task, prediction, truth, self.store.space
        )


def scored_view(store: FrameStore, task: str) -> TaskView:
    """Return a view with the ground truth of those frames that have it.

    Raises:
        InputError: there is no such task.
    """
    return TaskView(store, task, labelled(store, task))


def unscored_view(store: FrameStore, task: str) -> TaskView:
    """Return a view of a video that has no ground truth for a task, such as an old film's colours.

    A frame store cannot tell: every frame is its own ground truth of colorization.
    """
    return TaskView(store, task, np.zeros(len(store), bool))
