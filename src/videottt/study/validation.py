"""Check the configuration before anything runs: its settings, its ids, and what studies ask for."""

import itertools
from collections.abc import Iterable
from typing import Any

from videottt.core.errors import InputError
from videottt.core.ids import TASKS, MethodId, check_known
from videottt.core.settings import check_settings, problem_in, with_values
from videottt.models.shipped_checkpoints import shipped_checkpoints
from videottt.settings.config import ConfigFile, SomeMethod
from videottt.settings.presets import PRESETS
from videottt.settings.study import Updates
from videottt.study.config import (
    NEW,
    PRETRAINED,
    Config,
    also_trained,
    hyperparameters_of,
    is_scored,
    is_trained,
    methods_of,
    named_methods,
    splits_of,
    trained_checkpoints,
    trained_task,
    training_of,
)
from videottt.study.drawn import ids_in
from videottt.study.layers import Layers
from videottt.study.own_models import check_models
from videottt.study.trials import grid_points, sweep_methods, sweep_serves, sweep_split


def validate(layers: Layers) -> None:
    """Check a configuration against the declared settings, and its ids against each other.

    Raises:
        InputError: one line for the first problem: file and key, what is wrong, the nearest name.
    """
    config = layers.config
    problem = problem_in(ConfigFile, config)
    if problem is not None:
        raise InputError(f"{layers.where(*problem.place)}: {problem.reason}")
    _check_ids(layers)
    for method in variants_in(config):
        check_variant(method)


def variants_in(config: Config) -> list[MethodId]:
    """Return all variants of methods that studies, sweeps, tables and drawings name."""
    named: dict[MethodId, None] = {}
    for study in config["studies"].values():
        named |= dict.fromkeys(named_methods(config, study))
        for sweep in study.get("sweeps", {}):
            named |= dict.fromkeys(sweep_methods(config, study, sweep))
    texts = [method for table in config["tables"].values() for method in _rows_of(table)]
    for each in (config, *config["studies"].values()):
        texts += [text for _, text in ids_in(each.get("drawn", {}))]
    named |= dict.fromkeys(methods_of(config, texts))
    return [method for method in named if method.changes]


def _rows_of(table: Config) -> list[str]:
    return [method for group in table["settings"] for method in group["methods"]]


def _check_ids(layers: Layers) -> None:
    config = layers.config
    _check_drawn(layers, config["drawn"], "drawn")
    check_models(layers)
    for study_id, study in config["studies"].items():
        _check_study(layers, study_id, study)
    for method, entry in config["methods"].items():
        where = layers.where("methods", method)
        _check_kind(entry, where)
        if "checkpoint" in entry:
            check_known(entry["checkpoint"], config["checkpoints"], "checkpoint", where)
        for other in [*entry.get("hyperparameters_of", []), entry.get("predictions_of", method)]:
            check_known(other, config["methods"], "method", where)
    for checkpoint, entry in config["checkpoints"].items():
        where = layers.where("checkpoints", checkpoint, "initial")
        check_known(entry.get("initial", checkpoint), config["checkpoints"], "checkpoint", where)
    for dataset, entry in config["datasets"].items():
        where = layers.where("datasets", dataset)
        for thing in entry.get("things", []):
            check_known(thing, entry.get("classes", []), "class", f"{where}.things")
        for split in entry.get("folders", {}):
            check_known(split, entry["splits"], "split", f"{where}.folders")
        videos = set(itertools.chain.from_iterable(entry["splits"].values()))
        if isinstance(entry.get("sources"), dict) and videos - entry["sources"].keys():
            missing = sorted(videos - entry["sources"].keys())[0]
            raise InputError(
                f"{where}.sources: the video '{missing}' has no source; name it, or name the "
                "sources of the whole data set as a list"
            )
    for table in config["tables"].values():
        others = [*table.get("baselines", {}).values(), *table.get("oracles", [])]
        methods_of(config, [*_rows_of(table), *others])
    check_known(config["study"], config["studies"], "study", layers.where("study"))


def _check_kind(entry: Config, where: str) -> None:
    """Check that a method is one of an objective, a colourizer or a segmenter."""
    kinds = [kind for kind in ("objective", "colourizer", "segmenter") if kind in entry]
    if len(kinds) != 1:
        raise InputError(f"{where}: give exactly one of 'objective', 'colourizer', 'segmenter'")
    needed = {"objective": ["checkpoint"], "segmenter": ["weights"], "colourizer": []}[kinds[0]]
    for name in ["label", *needed]:
        if name not in entry:
            raise InputError(f"{where}: the setting '{name}' is missing; add it")


def check_sources(layers: Layers, sources: Iterable[str]) -> None:
    """Check that everything that a configuration takes from elsewhere is among the sources.

    Raises:
        InputError: an id is not.
    """
    config = layers.config
    for method, entry in config["methods"].items():
        if "weights" in entry:
            where = layers.where("methods", method, "weights")
            check_known(entry["weights"], sources, "source", where)
    for dataset, entry in config["datasets"].items():
        named = entry.get("sources", [])
        for name in named.values() if isinstance(named, dict) else named:
            check_known(name, sources, "source", layers.where("datasets", dataset, "sources"))
    for study_id, study in config["studies"].items():
        for task, checkpoints in study.get("imported", {}).items():
            for name in checkpoints.values():
                where = layers.where("studies", study_id, "imported", task)
                check_known(name, sources, "source", where)


def _check_study(layers: Layers, study_id: str, study: Config) -> None:
    config = layers.config
    where = layers.where("studies", study_id)
    selection = study.get("selection", {})
    for names, known, what in (
        (study["streams"], config["datasets"], "dataset"),
        (selection.get("grids", {}), config["methods"], "method"),
        (study.get("pinned", {}), config["methods"], "method"),
        (study.get("sizes", {}), config["methods"], "method"),
        ([study["protocol"]], config["protocols"], "protocol"),
        ([study["model"]], [*PRESETS, *config.get("models", {})], "model"),
        (study.get("task_methods", {}), TASKS, "task"),
        (study.get("by_dataset", {}), config["datasets"], "dataset"),
    ):
        for name in names:
            check_known(name, known, what, where)
    if study["model"] in config.get("models", {}) and study.get("imported"):
        raise InputError(
            f"{where}.imported: published checkpoints have the sizes of a preset; train those of "
            f"the model '{study['model']}'"
        )
    _check_drawn(layers, study.get("drawn", {}), "studies", study_id, "drawn")
    named_methods(config, study)
    _check_splits(config, study, where)
    for dataset, tasks in study["streams"].items():
        entry = config["datasets"][dataset]
        if {"instance", "panoptic"} & set(tasks) and not entry.get("things"):
            raise InputError(
                f"{where}.streams.{dataset}: 'instance' and 'panoptic' are not possible; name the "
                f"classes whose objects are told apart in datasets.{dataset}.things"
            )
        if set(tasks) - {"colorization"} and not entry.get("classes"):
            raise InputError(
                f"{where}.streams.{dataset}: only 'colorization' is possible; name the classes of "
                f"the checkpoint in datasets.{dataset}.classes"
            )
    for task in {task for tasks in study["streams"].values() for task in tasks}:
        _check_training(config, study, trained_task(study, task), where)
    for sweep, entry in study.get("sweeps", {}).items():
        sweep_methods(config, study, sweep)
        _check_sweep(config, study, entry, f"{where}.sweeps.{sweep}")
    for method in methods_of(config, study["methods"]):
        _check_iteration(config, study, method, where)
    _check_axes(config, selection.get("grids", {}), f"{where}.selection.grids")
    for method, values in study.get("pinned", {}).items():
        check_settings(SomeMethod, with_values({}, values), f"{where}.pinned.{method}")
    for method, grid in selection.get("grids", {}).items():
        for point in grid_points(grid):
            check_settings(Updates, with_values({}, point), f"{where}.selection.grids.{method}")


def _check_drawn(layers: Layers, drawn: Config, *place: str) -> None:
    """Check that the methods which are drawn exist."""
    methods = layers.config["methods"]
    for key, text in ids_in(drawn):
        check_known(text.split(",")[0], methods, "method", layers.where(*place, *key.split(".")))


def _check_splits(config: Config, study: Config, where: str) -> None:
    """Check that every split is one of some data set, and that every data set has one."""
    known = {d: list(config["datasets"][d]["splits"]) for d in study["streams"]}
    anywhere = [split for splits in known.values() for split in splits]
    for split in study["splits"]:
        check_known(split, anywhere, "split", where)
    for dataset in study["streams"]:
        if not splits_of(config, study, dataset):
            raise InputError(
                f"{where}.splits: data set '{dataset}' has none of them; it has "
                f"{', '.join(known[dataset])}"
            )
    selection = study.get("selection")
    if selection:
        for dataset in [selection["dataset"]] if "dataset" in selection else study["streams"]:
            check_known(dataset, study["streams"], "dataset of its streams", f"{where}.selection")
            check_known(selection["split"], known[dataset], "split", f"{where}.selection")


def _check_sweep(config: Config, study: Config, sweep: Config, where: str) -> None:
    """Check that every stream that a sweep is for has its split."""
    for dataset in sweep.get("splits", {}):
        check_known(dataset, study["streams"], "dataset of its streams", f"{where}.splits")
    for dataset, tasks in study["streams"].items():
        served = [
            task
            for task in tasks
            if is_scored(config, dataset, task) and sweep_serves(config, sweep, task)
        ]
        known, split = config["datasets"][dataset]["splits"], sweep_split(sweep, dataset)
        if served and split not in known:
            raise InputError(
                f"{where}: data set '{dataset}' has no split '{split}' for the task '{served[0]}'; "
                f"name one that it has ({', '.join(known)}) in splits.{dataset}, or name the tasks "
                "that the sweep is for in tasks"
            )


def _check_training(config: Config, study: Config, task: str, where: str) -> None:
    """Check that the checkpoints of a task can be trained."""
    training = training_of(study, task)
    for checkpoint in study.get("imported", {}).get(task, {}):
        known = [*config["checkpoints"], PRETRAINED]
        check_known(checkpoint, known, "checkpoint", f"{where}.imported.{task}")
    for checkpoint, name in study.get("shipped", {}).get(task, {}).items():
        place = f"{where}.shipped.{task}"
        check_known(checkpoint, config["checkpoints"], "checkpoint", place)
        check_known(name, shipped_checkpoints(), "checkpoint that ships", place)
    for checkpoint in also_trained(study, task):
        check_known(checkpoint, config["checkpoints"], "checkpoint", f"{where}.also_trained")
    for checkpoint, initial in training.get("initial", {}).items():
        known = [*config["checkpoints"], NEW]
        check_known(checkpoint, config["checkpoints"], "checkpoint", f"{where}.training.initial")
        check_known(initial, known, "checkpoint", f"{where}.training.initial.{checkpoint}")
    for checkpoint in training.get("optimizers", {}):
        check_known(checkpoint, config["checkpoints"], "checkpoint", f"{where}.training.optimizers")
    for checkpoint in trained_checkpoints(config, study, task):
        if is_trained(study, task, checkpoint) and checkpoint not in training["iterations"]:
            raise InputError(
                f"{where}.training.iterations: '{checkpoint}' of task '{task}' is missing; say how "
                f"many, or import it: imported.{task}.{checkpoint}"
            )
    check_known(training["dataset"], config["datasets"], "dataset", f"{where}.training")
    splits = config["datasets"][training["dataset"]]["splits"]
    check_known(training["split"], splits, "split", f"{where}.training")
    for dataset, split in training.get("also", {}).items():
        check_known(dataset, config["datasets"], "dataset", f"{where}.training.also")
        splits = config["datasets"][dataset]["splits"]
        check_known(split, splits, "split", f"{where}.training.also.{dataset}")
    for checkpoint in training["iterations"]:
        check_known(checkpoint, config["checkpoints"], "checkpoint", f"{where}.training")


def _check_iteration(config: Config, study: Config, method: MethodId, where: str) -> None:
    """Check that an iteration that is to be selected can be."""
    base = method.base
    pinned = study.get("pinned", {}).get(base, {})
    grids = study.get("selection", {}).get("grids", {})
    wanted = config["methods"][base].get("iteration") == "selected" and "iteration" not in pinned
    sources = hyperparameters_of(config, method)
    if wanted and not any(source in grids for source in sources):
        raise InputError(
            f"{where}: nothing selects the iteration of '{base}'; give a grid for "
            f"'{sources[0]}' in selection.grids, or pin it: "
            f"pinned.{base}.iteration"
        )


def _check_axes(config: Config, grids: Config, where: str) -> None:
    """Check that methods of one objective try the same values on the same axes."""
    axes: dict[tuple[str, str], tuple[str, list[Any]]] = {}
    for method, grid in grids.items():
        for setting, values in grid.items():
            kind = config["methods"][method].get("objective", method), setting
            other, same = axes.setdefault(kind, (method, values))
            if values != same:
                raise InputError(
                    f"{where}.{method}: tries {values} for '{setting}', but '{other}' tries "
                    f"{same}; give methods of one objective the same values"
                )
    for method, grid in grids.items():
        entry = config["methods"][method]
        for (objective, setting), (other, values) in axes.items():
            if (
                objective == entry.get("objective", method)
                and setting not in grid
                and not _is_settled(config, grids, method, setting)
            ):
                raise InputError(
                    f"{where}.{method}: '{setting}' is not tried, but '{other}' tries {values}; "
                    "give methods of one objective the same axes"
                )


def _is_settled(config: Config, grids: Config, method: str, setting: str) -> bool:
    """Return whether a setting of a method is no matter of its own grid.

    That is where the method itself says it, takes it from another method that is selected, or where
    it changes nothing: every frame that starts from the checkpoint has a new optimizer, and offline
    updates have no window and no frames between them; collapse is watched by class balance alone.
    """
    entry = config["methods"][method]
    own: Any = entry
    for key in setting.split("."):
        own = own.get(key, {}) if isinstance(own, dict) else {}
    others = hyperparameters_of(config, MethodId(method))
    offline = entry.get("order") == "offline"
    idle = {
        "optimizer_between_frames": offline or entry.get("reset") == "every_frame",
        "window": offline,
        # One step from the checkpoint: what it does to g, no prediction shows.
        "optimizer.decoder_multiplier": (
            entry.get("reset") == "every_frame" and entry.get("steps", 1) == 1
        ),
        "collapse.difference": entry.get("reset") != "class_collapse",
        "collapse.frames": entry.get("reset") != "class_collapse",
    }
    return (
        own != {}
        or idle.get(setting, False)
        or any(setting in grids.get(other, {}) for other in others if other != method)
    )


def check_variant(method: MethodId) -> None:
    """Check that what a variant changes are settings of a method, with values that they can have.

    Raises:
        InputError: there is no such setting or value.
    """
    check_settings(Updates, with_values({}, dict(method.overrides)), f"method '{method}'")
