"""Answer questions about studies, data sets and methods of a configuration.

videottt.study.validation has checked it; the settings of single jobs are in
videottt.study.job_settings.
"""

import itertools
from collections.abc import Callable, Iterable
from typing import Any

from videottt.core.errors import InputError, nearest
from videottt.core.ids import ALL, TASKS, MethodId, check_known
from videottt.core.settings import merged

Config = dict[str, Any]

# What a study may import for training to start from, beside the checkpoints of the configuration.
PRETRAINED = "pretrained"
# In a study's `training.initial`: a checkpoint starts from no other checkpoint.
NEW = "new"


def current_study(config: Config) -> Config:
    """Return the study that is run."""
    study: Config = config["studies"][config["study"]]
    return study


def study_named(config: Config, study: str) -> Config:
    """Return a study by its id.

    Raises:
        InputError: there is no such study.
    """
    check_known(study, config["studies"], "study", "the configuration")
    found: Config = config["studies"][study]
    return found


def _first_study(config: Config, matches: Callable[[Config], bool], what: str) -> Config:
    study = current_study(config)
    if matches(study):
        return study
    others: Iterable[Config] = config["studies"].values()
    for study in others:
        if matches(study):
            return study
    raise InputError(f"no study uses {what}; name it in a study")


def study_of(config: Config, dataset: str) -> Config:
    """Return the study whose settings a result on `dataset` follows.

    That is the study that is run, if it uses the data set, else the first that does: so any result
    can be made by naming its file.

    Raises:
        InputError: the data set does not exist, or no study uses it.
    """
    check_known(dataset, config["datasets"], "dataset", "the configuration")
    return _first_study(config, lambda s: dataset in s["streams"], f"dataset '{dataset}'")


def study_trained_on(config: Config, dataset: str, task: str) -> Config:
    """Return the study whose settings a checkpoint trained on `dataset` for `task` follows.

    Raises:
        InputError: the data set or the task does not exist, or no study trains such a checkpoint.
    """
    check_known(dataset, config["datasets"], "dataset", "the configuration")
    check_known(task, TASKS, "task", "the configuration")

    def trains(study: Config) -> bool:
        wanted = {trained_task(study, stream) for _, stream in streams_of(study)}
        return task in wanted and training_of(study, task)["dataset"] == dataset

    return _first_study(config, trains, f"dataset '{dataset}' to train for '{task}'")


def trained_task(study: Config, task: str) -> str:
    """Return the task that the checkpoints are trained for which serve a task of a study."""
    trained: str = study.get("checkpoint_tasks", {}).get(task, task)
    return trained


def training_of(study: Config, task: str) -> Config:
    """Return what a study trains checkpoints of a task on, and how."""
    common = {key: value for key, value in study["training"].items() if key != "tasks"}
    return merged(common, study["training"].get("tasks", {}).get(task, {}))


def videos_in(config: Config, dataset: str, split: str) -> list[str]:
    """Return the ids of the videos of one split."""
    videos: list[str] = config["datasets"][dataset]["splits"][split]
    return videos


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
    check_known(dataset, config["datasets"], "dataset", "the configuration")
    splits: dict[str, list[str]] = config["datasets"][dataset]["splits"]
    for split, videos in splits.items():
        if video in videos:
            return split
    known = list(itertools.chain.from_iterable(splits.values()))
    raise InputError(f"dataset '{dataset}' has no video '{video}'; {nearest(video, known)}")


def folder_of(config: Config, dataset: str, video: str) -> str:
    """Return what the split that a video is in is called on disk."""
    split = split_of(config, dataset, video)
    folder: str = config["datasets"][dataset].get("folders", {}).get(split, split)
    return folder


def sources_of(config: Config, dataset: str, video: str) -> list[str]:
    """Return the ids of the downloads that a video of a data set is read from.

    A data set without downloads is a copy of the user's.
    """
    sources: list[str] | dict[str, str] = config["datasets"][dataset].get("sources", [])
    return [sources[video]] if isinstance(sources, dict) else sources


def is_offline(config: Config, study: Config) -> bool:
    """Return whether nothing may be fetched for a study."""
    return bool(config["offline"] or study.get("offline", False))


def streams_of(study: Config) -> list[tuple[str, str]]:
    """Return every (data set, task) of a study."""
    return [(dataset, task) for dataset, tasks in study["streams"].items() for task in tasks]


def seeds_of(study: Config, task: str) -> list[int]:
    """Return the seeds that a study runs a task with."""
    seeds: list[int] = study.get("task_seeds", {}).get(task, study["seeds"])
    return seeds


def is_scored(config: Config, dataset: str, task: str) -> bool:
    """Return whether a data set has the truth that predictions of a task are compared with."""
    return task in config["datasets"][dataset].get("scored", TASKS)


def method_of(config: Config, text: str) -> MethodId:
    """Return the method, or the variant of one, that an id names.

    Raises:
        InputError: there is no such method, or the changes are not written as ``setting=value``.
    """
    check_known(text.split(",")[0], config["methods"], "method", "the configuration")
    return MethodId.parse(text)


def methods_of(config: Config, texts: Iterable[str]) -> list[MethodId]:
    """Return the methods that some ids name.

    Raises:
        InputError: as `method_of`.
    """
    return [method_of(config, text) for text in texts]


def named_methods(config: Config, study: Config) -> list[MethodId]:
    """Return the methods that a study compares in any task, in its order."""
    chosen = itertools.chain(*study.get("task_methods", {}).values())
    return methods_of(config, dict.fromkeys([*study["methods"], *chosen]))


def methods_for(config: Config, methods: Iterable[MethodId], task: str) -> list[MethodId]:
    """Return those of some methods that exist for a task."""
    return [method for method in methods if task in tasks_of(config, method)]


def study_methods(config: Config, study: Config, task: str) -> list[MethodId]:
    """Return the methods that a study compares in a task."""
    chosen = study.get("task_methods", {}).get(task, study["methods"])
    return methods_for(config, methods_of(config, chosen), task)


def tasks_of(config: Config, method: MethodId) -> tuple[str, ...]:
    """Return the tasks that a method exists for."""
    return tuple(config["methods"][method.base].get("tasks", TASKS))


def variant_of(
    config: Config, study: Config, method: MethodId, setting: str, value: Any
) -> MethodId:
    """Return a method with one setting changed; the method itself if that is its own value.

    What is selected is not known before: then every value is a variant.
    """
    if is_selected(config, study, method, setting):
        return MethodId.parse(f"{method},{setting}={ALL if value is None else value}")
    own = {**study["updates"], **config["methods"][method.base]}.get(setting, "")
    own, value = (ALL if each is None else each for each in (own, value))
    return method if value == own else MethodId.parse(f"{method},{setting}={value}")


def is_selected(config: Config, study: Config, method: MethodId, setting: str) -> bool:
    """Return whether a study selects or pins a setting of a method."""
    grids = study.get("selection", {}).get("grids", {})
    pinned = study.get("pinned", {})
    sources = hyperparameters_of(config, method)
    return any(setting in {**grids.get(m, {}), **pinned.get(m, {})} for m in sources)


def label_of(config: Config, method: MethodId) -> str:
    """Return the name of a method to show in tables and figures."""
    values = {k: ALL if value is None else value for k, value in method.overrides.items()}
    changes = [f"{setting} = {value}" for setting, value in values.items()]
    return ", ".join([config["methods"][method.base]["label"], *changes])


def predicting_method(config: Config, method: MethodId) -> MethodId:
    """Return the method whose predictions are scored as those of `method`."""
    return method.with_base(config["methods"][method.base].get("predictions_of", method.base))


def checkpoint_ids(config: Config, dataset: str, task: str, method: MethodId) -> dict[str, str]:
    """Return which checkpoint a method starts from, and what it was trained on and for.

    Raises:
        InputError: there is no such data set, or the method does not exist for the task.
    """
    check_known(task, tasks_of(config, method), "task", f"method '{method}'")
    study = study_of(config, dataset)
    trained = trained_task(study, task)
    return {
        "dataset": training_of(study, trained)["dataset"],
        "task": trained,
        "checkpoint": config["methods"][method.base]["checkpoint"],
    }


def checkpoint_of(config: Config, method: MethodId) -> str | None:
    """Return the checkpoint that a method starts from, None if it is another network."""
    checkpoint: str | None = config["methods"][method.base].get("checkpoint")
    return checkpoint


def imported(study: Config, task: str, checkpoint: str) -> str | None:
    """Return the source that a checkpoint for a task is imported from, None if it is trained."""
    source: str | None = study.get("imported", {}).get(task, {}).get(checkpoint)
    return source


def shipped_as(study: Config, task: str, checkpoint: str) -> str | None:
    """Return the id of the checkpoint that ships in place of one for a task; None: none does."""
    name: str | None = study.get("shipped", {}).get(task, {}).get(checkpoint)
    return name


def also_trained(study: Config, task: str) -> list[str]:
    """Return the checkpoints for a task that a study trains although no method starts from them."""
    checkpoints: list[str] = study.get("also_trained", {}).get(task, [])
    return checkpoints


def is_trained(study: Config, task: str, checkpoint: str) -> bool:
    """Return whether a study trains a checkpoint: it neither imports it nor takes a shipped one."""
    return not (imported(study, task, checkpoint) or shipped_as(study, task, checkpoint))


def initial_checkpoint(config: Config, study: Config, task: str, checkpoint: str) -> str | None:
    """Return the checkpoint that the training of another starts from, None if from scratch.

    The one that starts from none starts from PRETRAINED, where the study imports that.
    """
    of_study = training_of(study, task).get("initial", {})
    initial = of_study.get(checkpoint, config["checkpoints"][checkpoint].get("initial", NEW))
    initial = PRETRAINED if initial == NEW else initial
    return None if initial == PRETRAINED and not imported(study, task, initial) else initial


def trained_checkpoints(config: Config, study: Config, task: str) -> list[str]:
    """Return the checkpoints that a study needs of a task, and those that these start from."""
    streams = {stream for _, stream in streams_of(study) if trained_task(study, stream) == task}
    methods = [m for stream in sorted(streams) for m in study_methods(config, study, stream)]
    entries = [config["methods"][method.base] for method in methods]
    waiting = [entry["checkpoint"] for entry in entries if "checkpoint" in entry]
    waiting += also_trained(study, task)
    found: dict[str, None] = {}
    while waiting:
        checkpoint = waiting.pop(0)
        if checkpoint in config["checkpoints"] and checkpoint not in found:
            found[checkpoint] = None
            initial = initial_checkpoint(config, study, task, checkpoint)
            waiting += [initial] if initial and is_trained(study, task, checkpoint) else []
    return list(found)


def hyperparameters_of(config: Config, method: MethodId) -> list[str]:
    """Return the methods whose selected (or pinned) hyper-parameters a method uses."""
    methods: list[str] = config["methods"][method.base].get("hyperparameters_of", [method.base])
    return methods


def score_iteration(config: Config, dataset: str, method: MethodId) -> str | int:
    """Return after how many updates an offline method is scored: a number, or a rule for one."""
    entry = config["methods"][method.base]
    pinned = study_of(config, dataset).get("pinned", {}).get(method.base, {})
    iteration: str | int = pinned.get("iteration", entry.get("iteration", "last"))
    return iteration


def paper_of(study: Config) -> Config:
    """Return whose published numbers stand beside those of each task of a study."""
    tasks = {task for _, task in streams_of(study)}
    return {task: entry for task, entry in study.get("paper", {}).items() if task in tasks}


def weights_of_networks(task: str) -> list[str]:
    """Return the ids of the sources that the scores of a task need."""
    return ["inception", "alexnet"] if task == "colorization" else []
