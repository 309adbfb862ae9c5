"""Find a method's settings for a checkpoint, for a video that is in no data set of a study."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from videottt.core.errors import InputError
from videottt.core.ids import TASKS, MethodId, check_known
from videottt.core.settings import merged
from videottt.models.checkpoint import Checkpoint
from videottt.settings.presets import PRESETS, sizes_of
from videottt.study.config import Config, label_of, method_of, tasks_of
from videottt.study.config_file import read_config
from videottt.study.job_settings import method_settings_in
from videottt.study.own_models import preset_of


@dataclass(frozen=True)
class StreamSettings:
    """The settings of a method for a checkpoint.

    Attributes:
        method: id of the method, with what a variant changes.
        label: name of the method, to show.
        study: id of the study whose settings these are.
        settings: of the method, without what a variant changes: protocol < study < method.
        overrides: dotted setting -> value that the variant changes.
    """

    method: MethodId
    label: str
    study: str
    settings: dict[str, Any]
    overrides: dict[str, Any]


def settings_for(
    checkpoint: Checkpoint,
    path: Path,
    task: str,
    method: str,
    *,
    config: Path | None = None,
    study: str | None = None,
) -> StreamSettings:
    """Return the settings of a method for a checkpoint.

    Args:
        checkpoint: its model chooses the study.
        path: of the checkpoint, for messages.
        task: one of `core.ids.TASKS`.
        method: id of a method, or of a variant such as ``online_ttt_mae,window=4``.
        config: a user's file; by default config.yaml of this folder, if there is one.
        study: whose settings are used; by default the study for own videos with the checkpoint's
            model.

    Raises:
        InputError: the configuration cannot be read, the method does not exist for the task, or no
            study has the checkpoint's model.
    """
    whole = read_config(config)
    chosen = _study_for(checkpoint, path, whole, study)
    named = method_of(whole, method)
    _check_method(whole, named, task)
    entry = whole["studies"][chosen]
    if study is None:
        entry = merged(entry, {"input": _seen_in_training(checkpoint)})
    return StreamSettings(
        method=named,
        label=label_of(whole, named),
        study=chosen,
        settings=method_settings_in(whole, entry, named),
        overrides=dict(named.overrides),
    )


def trained_task(checkpoint: Checkpoint, path: Path) -> str:
    """Return the task that a checkpoint was trained for.

    Raises:
        InputError: the checkpoint does not say.
    """
    task = checkpoint.provenance.get("task")
    if task not in TASKS:
        raise InputError(
            f"{path}: does not say which task it was trained for; name it (--task), one of "
            + ", ".join(TASKS)
        )
    return str(task)


def _study_for(checkpoint: Checkpoint, path: Path, config: Config, study: str | None) -> str:
    studies = config["studies"]
    if study is not None:
        check_known(study, studies, "study", "the configuration")
        return study
    model = checkpoint.provenance.get("model")
    for name, entry in studies.items():
        if entry.get("own_videos", False) and _has_model(checkpoint, config, entry["model"]):
            return str(name)
    raise InputError(
        f"{path}: no study with own_videos: true has its model '{model}'; name the study "
        f"to take settings from (--study), one of {', '.join(studies)}"
    )


def _has_model(checkpoint: Checkpoint, config: Config, model: str) -> bool:
    """Return whether a checkpoint has a model: that preset by name, or any model by its sizes.

    A name of the user's `models` may mean another model in the configuration of another user.
    """
    if model in PRESETS and model == checkpoint.provenance.get("model"):
        return True
    return sizes_of(checkpoint.model.preset) == sizes_of(preset_of(config, model))


def _seen_in_training(checkpoint: Checkpoint) -> dict[str, int]:
    """Return the shortest edge of the images that a checkpoint was trained on, if it says so."""
    made = checkpoint.provenance.get("settings")
    recipe = made.get("augmentation", {}) if isinstance(made, dict) else {}
    edge = recipe.get("shortest_edge")
    return {"shortest_edge": edge} if isinstance(edge, int) else {}


def _check_method(config: Config, method: MethodId, task: str) -> None:
    """Refuse methods that no stream can run on a task."""
    base = method.base
    entry = config["methods"][base]
    if "checkpoint" not in entry:
        verb = "predict-segmenter" if "segmenter" in entry else f"predict-{base.replace('_', '-')}"
        raise InputError(f"method '{base}' has no checkpoint; see videottt {verb} --help")
    check_known(task, tasks_of(config, method), "task", f"method '{base}'")
