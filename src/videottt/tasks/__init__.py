"""What the head h predicts: how it is trained, decoded, stored and scored.

Adding a task: one file here that registers a `Task`.
"""

from videottt.errors import InputError, nearest
from videottt.tasks.semantic import SemanticSegmentation
from videottt.tasks.task import Task

TASKS = {"semantic": SemanticSegmentation}


def task_named(name: str) -> Task:
    """Return a task by its name.

    Raises:
        InputError: there is no such task.
    """
    if name not in TASKS:
        raise InputError(f"task '{name}' does not exist; {nearest(name, TASKS)}")
    return TASKS[name]()


__all__ = ["Task", "task_named"]
