"""Notice that predictions have collapsed (paper section 5.1; Volpi et al., CVPR 2022)."""

import copy
from collections import deque
from dataclasses import replace

import numpy as np

from videottt.core.errors import InputError
from videottt.core.ids import JobKey
from videottt.core.segments import Prediction
from videottt.models.y_shaped import YShapedModel
from videottt.tasks.task import ClassTask, Task
from videottt.ttt.method import Method
from videottt.ttt.observation import Observation
from videottt.ttt.predictor import Predictor


class CollapseWatch:
    """Compare what the model predicts with what it predicted before it learned.

    Args:
        model: before it has learned, and before its objective changes any layer; copied.
        task: counts the classes of a prediction.
        method: how large a difference, over how many frames, is a collapse.
        key: the ids of the job.

    Raises:
        InputError: the task has no classes.
    """

    def __init__(self, model: YShapedModel, task: Task, method: Method, key: JobKey) -> None:
        if not isinstance(task, ClassTask):
            raise InputError(
                "method: reset 'class_collapse' counts predicted classes, which this task has none "
                "of; use it with a task of segmentation"
            )
        self._task = task
        frozen = copy.deepcopy(model).requires_grad_(False)
        self._initial = Predictor(frozen, task, replace(method, votes=1, smoothing=1), key)
        self._counts = ClassCollapse(method.collapse.difference, method.collapse.frames)

    def noticed(self, seen: Observation, prediction: Prediction) -> bool:
        """Return whether predictions have collapsed, given that of one more frame."""
        initial = self._initial.predict_frame(seen)
        count = self._task.count_classes
        return self._counts.noticed(count(initial), count(prediction))

    def state(self) -> list[tuple[int, int]]:
        """Return the numbers of classes that the averages are of."""
        return self._counts.state()

    def restore(self, state: list[tuple[int, int]]) -> None:
        """Go on from saved numbers."""
        self._counts.restore(state)


class ClassCollapse:
    """Notices that predictions have collapsed (paper section 5.1; Volpi et al., CVPR 2022).

    Compares moving averages of the numbers of classes that the initial and the current model
    predict. It only says when to reset: the prediction that gave it away stays as it is.

    Args:
        difference: of the averages, in classes, above which there is a collapse.
        frames: length of the moving averages.
    """

    def __init__(self, difference: float, frames: int) -> None:
        self._difference = difference
        self._counts: deque[tuple[int, int]] = deque(maxlen=frames)

    def noticed(self, initial: int, current: int) -> bool:
        """Add the numbers of classes of one frame; after a collapse the averages start anew."""
        self._counts.append((initial, current))
        before, now = np.mean(self._counts, axis=0)
        if abs(before - now) <= self._difference:
            return False
        self._counts.clear()
        return True

    def state(self) -> list[tuple[int, int]]:
        """Return the numbers of classes that the averages are of."""
        return list(self._counts)

    def restore(self, state: list[tuple[int, int]]) -> None:
        """Go on from saved numbers."""
        self._counts.extend(state)
