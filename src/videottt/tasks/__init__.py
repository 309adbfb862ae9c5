"""Main tasks: the loss ℓ_m that trains the head h, and the decoding of its outputs.

To add a task, write a `Task` in a new file here, enter it in `TASKS`, and add its metrics to
videottt.evaluation.metrics.
"""

from collections.abc import Sequence

from videottt.core.errors import InputError, nearest
from videottt.core.segments import ClassSpace
from videottt.settings.decoding import Decoding
from videottt.tasks.colorization import Colorization
from videottt.tasks.instance import InstanceSegmentation
from videottt.tasks.panoptic import PanopticSegmentation
from videottt.tasks.semantic import SemanticSegmentation
from videottt.tasks.task import Task

TASKS: dict[str, type[Task]] = {
    "semantic": SemanticSegmentation,
    "instance": InstanceSegmentation,
    "panoptic": PanopticSegmentation,
    "colorization": Colorization,
}


def task_named(
    name: str,
    space: ClassSpace,
    classes: Sequence[str] | None = None,
    decoding: Decoding | None = None,
) -> Task:
    """Return the task called `name` for a data set and a model.

    Args:
        name: semantic, instance, panoptic or colorization.
        space: classes of the data set.
        classes: names of the classes that the model predicts; by default those that a model of the
            task is trained on.
        decoding: thresholds; by default those of Mask2Former.

    Raises:
        InputError: no task has this name, or the model's classes do not fit the task.
    """
    task = _task_type(name)
    named = task.model_classes(space) if classes is None else classes
    return task(space, named, Decoding() if decoding is None else decoding)


def model_classes(name: str, space: ClassSpace) -> tuple[str, ...]:
    """Return the names of the classes that a model of a task is trained to predict.

    Raises:
        InputError: no task has this name, or the data set has no class for the task.
    """
    task = _task_type(name)
    classes = task.model_classes(space)
    if task.head == "segments" and not classes:
        raise InputError(
            f"task '{name}': the data set has no classes to learn; take labelled images, or name "
            "the data set's 'classes' in config.yaml"
        )
    return classes


def head_of(name: str) -> str:
    """Return the output of the head h that a task needs: "segments" or "colours".

    Raises:
        InputError: no task has this name.
    """
    return _task_type(name).head


def _task_type(name: str) -> type[Task]:
    if name not in TASKS:
        raise InputError(f"task '{name}' does not exist; {nearest(name, TASKS)}")
    return TASKS[name]


__all__ = ["Task", "head_of", "model_classes", "task_named"]
