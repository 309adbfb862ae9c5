"""Detect collapsed predictions by their number of classes (section 5.1, class balancing)."""

import copy
from collections import deque
from dataclasses import replace

import numpy as np

from videottt.core.errors import InputError
from videottt.core.ids import JobKey
from videottt.core.segments import Prediction
from videottt.models.y_shaped import YShapedModel
from videottt.settings.method import Method
from videottt.tasks.task import ClassTask, Task
from videottt.ttt.observation import Observation
from videottt.ttt.predictor import Predictor


class CollapseWatch:
    """Compare the predictions of the current model with those of the initial model.

    Args:
        model: the initial model, before any update and before its objective replaces layers; the
            watch keeps a copy.
        task: counts the classes of a prediction.
        method: its `collapse` settings define a collapse.
        key: identity of the job.

    Raises:
        InputError: the task has no classes.
    """

    def __init__(self, model: YShapedModel, task: Task, method: Method, key: JobKey) -> None:
        if not isinstance(task, ClassTask):
            raise InputError(
                "method: reset 'class_collapse' counts predicted classes, and this task has none; "
                "use it with a segmentation task, or choose another reset"
            )
        self._task = task
        frozen = copy.deepcopy(model).requires_grad_(False)
        self._initial = Predictor(frozen, task, replace(method, votes=1, smoothing=1), key)
        self._counts = ClassCollapse(method.collapse.difference, method.collapse.frames)

    def noticed(self, observation: Observation, prediction: Prediction) -> bool:
        """Add the current model's prediction of a frame; return whether predictions collapsed."""
        initial = self._initial.predict_frame(observation)
        count = self._task.count_classes
        return self._counts.noticed(count(initial), count(prediction))

    def state(self) -> list[tuple[int, int]]:
        """Return (initial, current) numbers of classes of the frames in the moving averages."""
        return self._counts.state()

    def restore(self, state: list[tuple[int, int]]) -> None:
        """Restore the numbers of classes of the frames in the moving averages."""
        self._counts.restore(state)


class ClassCollapse:
    """The heuristic of Volpi et al., CVPR 2022, against collapse (paper section 5.1).

    Compares moving averages of the numbers of classes that the initial model h(f₀(x)) and the
    current model h(f_t(x)) predict. A collapse decides a reset after the frame; the prediction of
    the frame itself is kept.

    Args:
        difference: of the two averages, in classes, above which predictions have collapsed.
        frames: length of both moving averages.
    """

    def __init__(self, difference: float, frames: int) -> None:
        self._difference = difference
        self._counts: deque[tuple[int, int]] = deque(maxlen=frames)

    def noticed(self, initial: int, current: int) -> bool:
        """Add a frame's numbers of classes; return whether predictions have collapsed.

        After a collapse both averages start again, without any frame.
        """
        self._counts.append((initial, current))
        before, now = np.mean(self._counts, axis=0)
        if abs(before - now) <= self._difference:
            return False
        self._counts.clear()
        return True

    def state(self) -> list[tuple[int, int]]:
        """Return (initial, current) numbers of classes of the frames in the moving averages."""
        return list(self._counts)

    def restore(self, state: list[tuple[int, int]]) -> None:
        """Restore the numbers of classes of the frames in the moving averages."""
        self._counts.extend(state)
