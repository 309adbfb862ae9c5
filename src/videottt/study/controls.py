"""Find the fixed models that a method's gain is taken over: its start, and its control.

The start is the fixed model with the checkpoint that the method starts from: what is left is what
the method does on the video. The control is the fixed model that was trained for as many iterations
without reconstruction: without it, a gain of joint training may be one of longer training.
"""

from collections.abc import Iterator

from videottt.core.ids import MethodId, check_known
from videottt.study.config import (
    Config,
    checkpoint_of,
    imported,
    initial_checkpoint,
    shipped_as,
    streams_of,
    study_methods,
    trained_task,
    training_of,
)


def starts_in(config: Config, study: Config) -> dict[str, str]:
    """Return method -> fixed model with the same checkpoint; fixed models themselves have none."""
    fixed = _by_checkpoint(config, study)
    return {
        str(method): fixed[checkpoint]
        for method, checkpoint in _with_checkpoints(config, study)
        if checkpoint in fixed and fixed[checkpoint] != str(method)
    }


def controls_in(config: Config, study: Config) -> dict[str, str]:
    """Return method -> fixed model trained for as long, without reconstruction, in every task.

    A method whose checkpoint has no such model in the study is absent, and so are these models.
    """
    fixed = _by_checkpoint(config, study)
    tasks = {trained_task(study, task) for _, task in streams_of(study)}
    plain = [c for c in fixed if not config["checkpoints"][c]["reconstruction"]]

    def as_long(one: str, other: str) -> bool:
        return all(
            training_length(config, study, task, one) == training_length(config, study, task, other)
            for task in tasks
        )

    found = {}
    for method, checkpoint in _with_checkpoints(config, study):
        same = [c for c in [checkpoint, *plain] if c in plain and as_long(c, checkpoint)]
        if same and fixed[same[0]] != str(method):
            found[str(method)] = fixed[same[0]]
    return found


def training_length(
    config: Config, study: Config, task: str, checkpoint: str
) -> tuple[str | None, int]:
    """Return what the training of a checkpoint began with, and its iterations in all.

    Returns:
        the id of the import or of the shipped checkpoint that the first training starts from, None
        for new weights; and the number of gradient steps since then.
    """
    check_known(checkpoint, config["checkpoints"], "checkpoint", "the configuration")
    iterations = training_of(study, task)["iterations"]
    steps = 0
    seen = [checkpoint]
    while True:
        source = imported(study, task, seen[-1])
        if source is not None:
            return source, steps
        box = shipped_as(study, task, seen[-1])
        if box is not None:
            return box, steps
        steps += iterations.get(seen[-1], 0)
        initial = initial_checkpoint(config, study, task, seen[-1])
        if initial is None or initial in seen:
            return None, steps
        seen.append(initial)


def _with_checkpoints(config: Config, study: Config) -> Iterator[tuple[MethodId, str]]:
    """Yield every method that starts from a checkpoint, and the checkpoint.

    Of checkpoints that one shipped file stands for, the first with reconstruction counts for all.
    """
    for task in dict.fromkeys(task for _, task in streams_of(study)):
        for method in study_methods(config, study, task):
            checkpoint = checkpoint_of(config, method)
            if checkpoint is not None:
                yield method, _one_of_the_same(config, study, trained_task(study, task), checkpoint)


def _one_of_the_same(config: Config, study: Config, task: str, checkpoint: str) -> str:
    name = shipped_as(study, task, checkpoint)
    same = [
        other
        for other, entry in config["checkpoints"].items()
        if name is not None and entry["reconstruction"] and shipped_as(study, task, other) == name
    ]
    return same[0] if same else checkpoint


def _by_checkpoint(config: Config, study: Config) -> dict[str, str]:
    """Return checkpoint -> the first method that only predicts with it, one prediction a frame."""
    found: dict[str, str] = {}
    for method, checkpoint in _with_checkpoints(config, study):
        entry = config["methods"][method.base]
        several = {"smoothing", "votes"} & {*entry, *method.overrides}
        if entry["objective"] == "none" and not several:
            found.setdefault(checkpoint, str(method))
    return found
