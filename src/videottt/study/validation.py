"""config.yaml checked before anything runs: its schema, its ids, and what studies ask for."""

import functools
import itertools
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from videottt.core.errors import InputError, nearest
from videottt.core.ids import TASKS, MethodId, check_known
from videottt.core.settings import with_values
from videottt.study.config import (
    PRETRAINED,
    Config,
    hyperparameters_of,
    imported,
    methods_of,
    named_methods,
    splits_of,
    trained_task,
    training_of,
)
from videottt.study.drawn import ids_in
from videottt.study.trials import grid_points, sweep_methods


def validate(config: Config, schema_path: Path) -> None:
    """Check a configuration against its schema and its own ids.

    Raises:
        InputError: one line for the first problem: the key, what is wrong, the nearest valid name.
    """
    validator = jsonschema.Draft202012Validator(_schema(schema_path))
    error = jsonschema.exceptions.best_match(validator.iter_errors(config))
    if error is not None:
        raise InputError(_explained(error))
    if config["jobs_per_gpu"] > 1 and config["training_processes"] > 1:
        raise InputError(
            "config.yaml: jobs_per_gpu: must be 1 where training_processes is more: processes that "
            "share a training need a GPU each"
        )
    _check_ids(config)
    for method in variants_in(config):
        check_variant(schema_path, method)


@functools.cache
def _schema(path: Path) -> Config:
    # Asked for once a job while the DAG is built.
    schema: Config = yaml.safe_load(path.read_text(encoding="utf-8"))
    return schema


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


def _explained(error: jsonschema.ValidationError, top: str = "config.yaml: top level") -> str:
    path = ".".join(map(str, error.absolute_path))
    where = f"{top.removesuffix(' top level').removesuffix(':')}: {path}" if path else top
    schema: Any = error.schema
    allowed: Any = error.validator_value
    instance: Any = error.instance
    if error.validator == "additionalProperties":
        known = schema.get("properties", {})
        unknown = sorted({*instance} - {*known})[0]
        return f"{where}: unknown key '{unknown}'; {nearest(unknown, known)}"
    if error.validator == "enum":
        hint = nearest(str(instance), map(str, allowed))
        return f"{where}: '{instance}' is not allowed; {hint}"
    if error.validator == "oneOf" and all("required" in choice for choice in allowed):
        choices = [f"'{choice['required'][0]}'" for choice in allowed]
        return f"{where}: give exactly one of {', '.join(choices)}"
    return f"{where}: {error.message}"


def _check_ids(config: Config) -> None:
    _check_drawn(config, config["drawn"], "config.yaml: drawn")
    for study_id, study in config["studies"].items():
        _check_study(config, study_id, study)
    for method, entry in config["methods"].items():
        where = f"config.yaml: methods.{method}"
        if "checkpoint" in entry:
            check_known(entry["checkpoint"], config["checkpoints"], "checkpoint", where)
        for other in [*entry.get("hyperparameters_of", []), entry.get("predictions_of", method)]:
            check_known(other, config["methods"], "method", where)
    for dataset, entry in config["datasets"].items():
        where = f"config.yaml: datasets.{dataset}"
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
    check_known(config["study"], config["studies"], "study", "config.yaml")


def check_sources(config: Config, sources: Iterable[str]) -> None:
    """Check that everything that a configuration takes from elsewhere is among the sources.

    Raises:
        InputError: an id is not.
    """
    for method, entry in config["methods"].items():
        if "weights" in entry:
            where = f"config.yaml: methods.{method}.weights"
            check_known(entry["weights"], sources, "source", where)
    for dataset, entry in config["datasets"].items():
        named = entry.get("sources", [])
        for name in named.values() if isinstance(named, dict) else named:
            check_known(name, sources, "source", f"config.yaml: datasets.{dataset}.sources")
    for study_id, study in config["studies"].items():
        for task, checkpoints in study.get("imported", {}).items():
            for name in checkpoints.values():
                where = f"config.yaml: studies.{study_id}.imported.{task}"
                check_known(name, sources, "source", where)


def _check_study(config: Config, study_id: str, study: Config) -> None:
    where = f"config.yaml: studies.{study_id}"
    selection = study.get("selection", {})
    for names, known, what in (
        (study["streams"], config["datasets"], "dataset"),
        (selection.get("grids", {}), config["methods"], "method"),
        (study.get("pinned", {}), config["methods"], "method"),
        (study.get("sizes", {}), config["methods"], "method"),
        ([study["protocol"]], config["protocols"], "protocol"),
        (study.get("task_methods", {}), TASKS, "task"),
        (study.get("by_dataset", {}), config["datasets"], "dataset"),
    ):
        for name in names:
            check_known(name, known, what, where)
    _check_drawn(config, study.get("drawn", {}), f"{where}.drawn")
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
    for sweep in study.get("sweeps", {}):
        sweep_methods(config, study, sweep)
    for method in methods_of(config, study["methods"]):
        _check_iteration(config, study, method, where)
    _check_budgets(selection.get("grids", {}), where)


def _check_drawn(config: Config, drawn: Config, where: str) -> None:
    """Check that the methods which are drawn exist."""
    for key, text in ids_in(drawn):
        check_known(text.split(",")[0], config["methods"], "method", f"{where}.{key}")


def _check_splits(config: Config, study: Config, where: str) -> None:
    """Check that every split is one of some data set, and that every data set has one."""
    known = {d: list(config["datasets"][d]["splits"]) for d in study["streams"]}
    anywhere = [split for splits in known.values() for split in splits]
    sweeps = study.get("sweeps", {}).values()
    for split in [*study["splits"], *(each["split"] for each in sweeps)]:
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


def _check_training(config: Config, study: Config, task: str, where: str) -> None:
    """Check that the checkpoints of a task can be trained."""
    training = training_of(study, task)
    for checkpoint in study.get("imported", {}).get(task, {}):
        known = [*config["checkpoints"], PRETRAINED]
        check_known(checkpoint, known, "checkpoint", f"{where}.imported.{task}")
    for checkpoint in config["checkpoints"]:
        if not imported(study, task, checkpoint) and checkpoint not in training["iterations"]:
            raise InputError(
                f"{where}.training.iterations: '{checkpoint}' of task '{task}' is missing; say how "
                f"many, or import it: imported.{task}.{checkpoint}"
            )
    check_known(training["dataset"], config["datasets"], "dataset", f"{where}.training")
    splits = config["datasets"][training["dataset"]]["splits"]
    check_known(training["split"], splits, "split", f"{where}.training")
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


def _check_budgets(grids: Config, where: str) -> None:
    """Check that every method has as many trials as the others."""
    budgets = {method: len(list(grid_points(grid))) for method, grid in grids.items()}
    if len(set(budgets.values())) > 1:
        least, most = (pick(budgets, key=budgets.__getitem__) for pick in (min, max))
        raise InputError(
            f"{where}.selection.grids: '{most}' has {budgets[most]} trials, but '{least}' has "
            f"{budgets[least]}; give every method the same number"
        )


def check_variant(schema_path: Path, method: MethodId) -> None:
    """Check that what a variant changes are settings of a method, with values that they can have.

    Raises:
        InputError: there is no such setting or value.
    """
    schema = _schema(schema_path)
    allowed = {**schema["$defs"]["updates"], "$defs": schema["$defs"]}
    validator = jsonschema.Draft202012Validator(allowed)
    error = jsonschema.exceptions.best_match(
        validator.iter_errors(with_values({}, dict(method.overrides)))
    )
    if error is not None:
        raise InputError(_explained(error, f"method '{method}'"))
