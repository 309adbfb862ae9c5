"""Define what the head h predicts: how it is trained and decoded.

Adding a task: one file here that registers a `Task`, and one in videottt.evaluation.metrics.
"""

from collections.abc import Sequence

from videottt.core.errors import InputError, nearest
from videottt.core.segments import ClassSpace
from videottt.tasks.colorization import Colorization
from videottt.tasks.decoding import Decoding
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
    """Return a task by its name.

    Args:
        name: semantic, instance, panoptic or colorization.
        space: the classes of the data set.
        classes: those that the model names; by default what it would be trained on.
        decoding: thresholds; by default those of Mask2Former.

    Raises:
        InputError: there is no such task, or the model does not name the classes that it needs.
    """
    kind = _known(name)
    found = kind.model_classes(space) if classes is None else classes
    return kind(space, found, Decoding() if decoding is None else decoding)


def model_classes(name: str, space: ClassSpace) -> tuple[str, ...]:
    """Return the classes that a model of a task is trained to name.

    Raises:
        InputError: there is no such task, or the data set has no class for it.
    """
    task = _known(name)
    classes = task.model_classes(space)
    if task.head == "segments" and not classes:
        raise InputError(
            f"task '{name}': the data set has no classes, so that there is nothing to learn; take "
            "labelled images, or name the data set's 'classes' in config.yaml"
        )
    return classes


def head_of(name: str) -> str:
    """Return what the head of a model of a task says: "segments" or "colours".

    Raises:
        InputError: there is no such task.
    """
    return _known(name).head


def _known(name: str) -> type[Task]:
    if name not in TASKS:
        raise InputError(f"task '{name}' does not exist; {nearest(name, TASKS)}")
    return TASKS[name]


__all__ = ["Task", "head_of", "model_classes", "task_named"]
