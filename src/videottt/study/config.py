"""config.yaml, asked what studies, data sets and methods are; checked by videottt.study.validation.

The settings of single jobs are in videottt.study.job_settings.
"""

import functools
import itertools
import re
from collections.abc import Callable
from typing import Any

import yaml

from videottt.core.errors import InputError, nearest
from videottt.core.settings import merged

Config = dict[str, Any]

# YAML 1.1 takes 1e-3 for a word.
_EXPONENT = re.compile(r"[+-]?\d+(\.\d*)?[eE][+-]?\d+")
# How the unlimited window is written in ids and lists of values.
ALL = "all"
# The two models that learn nothing at test time; every sweep shows them.
FIXED = ("main_task_only", "mae_joint_training")
# Of a stream; a method exists for all of them unless it says otherwise.
TASKS = ("semantic", "instance", "panoptic", "colorization")
# What a study may import for training to start from, beside the checkpoints of config.yaml.
PRETRAINED = "pretrained"
# The model that a learning one is shown beside.
FIXED_BESIDE = {task: "mae_joint_training" for task in TASKS} | {"colorization": "main_task_only"}


def check_known(name: str, names: Any, what: str, where: str) -> None:
    """Raise an InputError if a name is none of those that there are."""
    if name not in names:
        raise InputError(f"{where}: unknown {what} '{name}'; {nearest(str(name), names)}")


def current_study(config: Config) -> Config:
    """Return the study that is run."""
    return config["studies"][config["study"]]


def study_named(config: Config, study: str) -> Config:
    """Return a study by its id.

    Raises:
        InputError: there is no such study.
    """
    check_known(study, config["studies"], "study", "config.yaml")
    return config["studies"][study]


def _first_study(config: Config, matches: Callable[[Config], bool], what: str) -> Config:
    studies = [current_study(config), *config["studies"].values()]
    for study in studies:
        if matches(study):
            return study
    raise InputError(f"config.yaml: no study uses {what}; add it to a study")


def study_of(config: Config, dataset: str) -> Config:
    """Return the study whose settings a result on `dataset` follows.

    That is the study that is run, if it uses the data set, else the first that does: so any result
    can be made by naming its file.

    Raises:
        InputError: the data set does not exist, or no study uses it.
    """
    check_known(dataset, config["datasets"], "dataset", "config.yaml")
    return _first_study(config, lambda s: dataset in s["streams"], f"dataset '{dataset}'")


def study_trained_on(config: Config, dataset: str, task: str) -> Config:
    """Return the study whose settings a checkpoint trained on `dataset` for `task` follows.

    Raises:
        InputError: the data set or the task does not exist, or no study trains such a checkpoint.
    """
    check_known(dataset, config["datasets"], "dataset", "config.yaml")
    check_known(task, TASKS, "task", "config.yaml")

    def trains(study: Config) -> bool:
        wanted = {trained_task(study, stream) for _, stream in streams_of(study)}
        return task in wanted and training_of(study, task)["dataset"] == dataset

    return _first_study(config, trains, f"dataset '{dataset}' to train for '{task}'")


def trained_task(study: Config, task: str) -> str:
    """Return the task that the checkpoints are trained for which serve a task of a study."""
    return study.get("checkpoint_tasks", {}).get(task, task)


def training_of(study: Config, task: str) -> Config:
    """Return what a study trains checkpoints of a task on, and how."""
    common = {key: value for key, value in study["training"].items() if key != "tasks"}
    return merged(common, study["training"].get("tasks", {}).get(task, {}))


def videos_in(config: Config, dataset: str, split: str) -> list[str]:
    """Return the ids of the videos of one split."""
    return config["datasets"][dataset]["splits"][split]


def splits_of(config: Config, study: Config, dataset: str) -> list[str]:
    """Return those splits of a study that a data set has."""
    return [split for split in study["splits"] if split in config["datasets"][dataset]["splits"]]


def study_videos(config: Config, study: Config, dataset: str) -> list[str]:
    """Return the ids of all videos of a data set that a study reports on."""
    splits = splits_of(config, study, dataset)
    return [video for split in splits for video in videos_in(config, dataset, split)]


def split_of(config: Config, dataset: str, video: str) -> str:
    """Return the split that a video is in.

    Raises:
        InputError: the data set has no such video.
    """
    check_known(dataset, config["datasets"], "dataset", "config.yaml")
    splits = config["datasets"][dataset]["splits"]
    for split, videos in splits.items():
        if video in videos:
            return split
    known = list(itertools.chain.from_iterable(splits.values()))
    raise InputError(f"dataset '{dataset}' has no video '{video}'; {nearest(video, known)}")


def folder_of(config: Config, dataset: str, video: str) -> str:
    """Return what the split that a video is in is called on disk."""
    split = split_of(config, dataset, video)
    return config["datasets"][dataset].get("folders", {}).get(split, split)


def sources_of(config: Config, dataset: str, video: str) -> list[str]:
    """Return the ids of the files from elsewhere that a video of a data set is read from.

    Of a data set without any, the user has a copy.
    """
    sources = config["datasets"][dataset].get("sources", [])
    return [sources[video]] if isinstance(sources, dict) else sources


def is_offline(config: Config, study: Config) -> bool:
    """Return whether nothing may be fetched for a study."""
    return config["offline"] or study.get("offline", False)


def streams_of(study: Config) -> list[tuple[str, str]]:
    """Return every (data set, task) of a study."""
    return [(dataset, task) for dataset, tasks in study["streams"].items() for task in tasks]


def seeds_of(study: Config, task: str) -> list[int]:
    """Return the seeds that a study runs a task with."""
    return study.get("task_seeds", {}).get(task, study["seeds"])


def is_scored(config: Config, dataset: str, task: str) -> bool:
    """Return whether a data set has the truth that predictions of a task are compared with."""
    return task in config["datasets"][dataset].get("scored", TASKS)


def methods_for(config: Config, methods: list[str], task: str) -> list[str]:
    """Return those of some methods that exist for a task."""
    return [method for method in methods if task in tasks_of(config, method)]


def study_methods(config: Config, study: Config, task: str) -> list[str]:
    """Return the methods that a study compares in a task."""
    chosen = study.get("task_methods", {}).get(task, study["methods"])
    return methods_for(config, chosen, task)


def tasks_of(config: Config, method: str) -> tuple[str, ...]:
    """Return the tasks that a method exists for."""
    base, _ = parse_method(config, method)
    return tuple(config["methods"][base].get("tasks", TASKS))


def parse_method(config: Config, method: str) -> tuple[str, Config]:
    """Return the method that an id is a variant of, and the dotted settings that it changes.

    ``online_ttt_mae,window=4,steps=2`` is `online_ttt_mae` with two settings changed; values are
    written as in YAML, and ``window=all`` is the unlimited window.

    Raises:
        InputError: there is no such method, or the changes are not written as ``setting=value``.
    """
    base, *changes = method.split(",")
    check_known(base, config["methods"], "method", "config.yaml")
    overrides = {}
    for change in changes:
        key, equals, text = change.partition("=")
        if not (key and equals and text):
            raise InputError(
                f"method '{method}': '{change}' is not a change; write setting=value, for example "
                f"{base},window=4"
            )
        overrides[key] = _value(method, text)
    return base, overrides


def _value(method: str, text: str) -> Any:
    try:
        return None if text == ALL else _parsed(text)
    # Beside errors of its own, YAML has those of dates and numbers that are none.
    except (yaml.YAMLError, ValueError, LookupError, AttributeError, RecursionError):
        raise InputError(
            f"method '{method}': '{text}' is no value; write a number, a word or all"
        ) from None


@functools.cache
def _parsed(text: str) -> Any:
    # Kept, because the rules ask for each variant once a job.
    return float(text) if _EXPONENT.fullmatch(text) else yaml.safe_load(text)


def variant_id(config: Config, study: Config, method: str, setting: str, value: Any) -> str:
    """Return the id of a method with one setting changed; of the method itself if that is its own.

    Raises:
        InputError: there is no such method.
    """
    base, _ = parse_method(config, method)
    own = {**study["updates"], **config["methods"][base]}.get(setting, "")
    own, value = (ALL if each is None else each for each in (own, value))
    return method if value == own else f"{method},{setting}={value}"


def label_of(config: Config, method: str) -> str:
    """Return the name of a method to show in tables and figures."""
    base, overrides = parse_method(config, method)
    changes = [f"{key} = {ALL if value is None else value}" for key, value in overrides.items()]
    return ", ".join([config["methods"][base]["label"], *changes])


def predicting_method(config: Config, method: str) -> str:
    """Return the id of the method whose predictions are scored as those of `method`."""
    base, _ = parse_method(config, method)
    return config["methods"][base].get("predictions_of", base) + method.removeprefix(base)


def checkpoint_ids(config: Config, dataset: str, task: str, method: str) -> dict[str, str]:
    """Return which checkpoint a method starts from, and what it was trained on and for.

    Raises:
        InputError: there is no such data set or method, or the method does not exist for the task.
    """
    base, _ = parse_method(config, method)
    entry = config["methods"][base]
    check_known(task, tasks_of(config, method), "task", f"method '{method}'")
    study = study_of(config, dataset)
    trained = trained_task(study, task)
    return {
        "dataset": training_of(study, trained)["dataset"],
        "task": trained,
        "checkpoint": entry["checkpoint"],
    }


def imported(study: Config, task: str, checkpoint: str) -> str | None:
    """Return the source that a checkpoint for a task is imported from, None if it is trained."""
    return study.get("imported", {}).get(task, {}).get(checkpoint)


def initial_checkpoint(config: Config, study: Config, task: str, checkpoint: str) -> str | None:
    """Return the checkpoint that the training of another starts from, None if from scratch.

    The one that starts from none starts from PRETRAINED, where the study imports that.
    """
    initial = config["checkpoints"][checkpoint].get("initial", PRETRAINED)
    return None if initial == PRETRAINED and not imported(study, task, initial) else initial


def hyperparameters_of(config: Config, method: str) -> list[str]:
    """Return the methods whose selected (or pinned) hyper-parameters a method uses."""
    base, _ = parse_method(config, method)
    return config["methods"][base].get("hyperparameters_of", [base])


def score_iteration(config: Config, dataset: str, method: str) -> str | int:
    """Return after how many updates an offline method is scored: a number, or a rule for one."""
    base, _ = parse_method(config, method)
    entry = config["methods"][base]
    pinned = study_of(config, dataset).get("pinned", {}).get(base, {})
    return pinned.get("iteration", entry.get("iteration", "last"))


def paper_of(study: Config) -> Config:
    """Return whose published numbers stand beside those of each task of a study."""
    tasks = {task for _, task in streams_of(study)}
    return {task: entry for task, entry in study.get("paper", {}).items() if task in tasks}


def weights_of_networks(task: str) -> list[str]:
    """Return the ids of the sources that the scores of a task need."""
    return ["inception", "alexnet"] if task == "colorization" else []
