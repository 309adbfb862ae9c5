"""config.yaml: validated once, then asked for the settings of one job at a time.

Each function returns only what one job needs, so that a change re-runs only what depends on it.
"""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from videottt.errors import InputError, nearest
from videottt.settings import merged, with_values

Config = dict[str, Any]


def validate(config: Config, schema_path: Path) -> None:
    """Check a configuration against its schema and its own ids.

    Raises:
        InputError: one line for the first problem: the key, what is wrong, the nearest valid name.
    """
    schema = yaml.safe_load(schema_path.read_text(encoding="utf-8"))
    validator = jsonschema.Draft202012Validator(schema)
    error = jsonschema.exceptions.best_match(validator.iter_errors(config))
    if error is not None:
        raise InputError(_explained(error))
    _check_ids(config)


def _explained(error: jsonschema.ValidationError) -> str:
    where = "config.yaml: " + (".".join(map(str, error.absolute_path)) or "top level")
    if error.validator == "additionalProperties":
        known = error.schema.get("properties", {})
        unknown = sorted(set(error.instance) - set(known))[0]
        return f"{where}: unknown key '{unknown}'; {nearest(unknown, known)}"
    if error.validator == "enum":
        return f"{where}: '{error.instance}' is not allowed; " + nearest(
            str(error.instance), map(str, error.validator_value)
        )
    if error.validator == "oneOf" and isinstance(error.instance, dict):
        choices = [f"'{each['required'][0]}'" for each in error.validator_value]
        return f"{where}: give exactly one of {' and '.join(choices)}"
    return f"{where}: {error.message}"


def _check_ids(config: Config) -> None:
    for study_id, study in config["studies"].items():
        where = f"config.yaml: studies.{study_id}"
        for names, known, what in (
            (study["datasets"], config["datasets"], "dataset"),
            ([study["training"]["dataset"]], config["datasets"], "dataset"),
            (study["methods"], config["methods"], "method"),
            ([study["protocol"]], config["protocols"], "protocol"),
            (study["training"]["iterations"], config["checkpoints"], "checkpoint"),
        ):
            for name in names:
                _known(name, known, what, where)
        for dataset in study["datasets"]:
            for split in study["splits"]:
                _known(split, config["datasets"][dataset]["splits"], "split", where)
        training = study["training"]
        _known(training["split"], config["datasets"][training["dataset"]]["splits"], "split", where)
    for method, entry in config["methods"].items():
        where = f"config.yaml: methods.{method}"
        _known(entry["checkpoint"], config["checkpoints"], "checkpoint", where)
    _known(config["study"], config["studies"], "study", "config.yaml")


def _known(name: str, known: Any, what: str, where: str) -> None:
    if name not in known:
        raise InputError(f"{where}: unknown {what} '{name}'; {nearest(str(name), known)}")


def current_study(config: Config) -> Config:
    """Return the study that is run."""
    return config["studies"][config["study"]]


def study_named(config: Config, study: str) -> Config:
    """Return a study by its id.

    Raises:
        InputError: there is no such study.
    """
    _known(study, config["studies"], "study", "config.yaml")
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
    _known(dataset, config["datasets"], "dataset", "config.yaml")
    return _first_study(config, lambda s: dataset in s["datasets"], f"dataset '{dataset}'")


def study_trained_on(config: Config, dataset: str) -> Config:
    """Return the study whose settings a checkpoint trained on `dataset` follows."""
    _known(dataset, config["datasets"], "dataset", "config.yaml")
    return _first_study(
        config, lambda s: s["training"]["dataset"] == dataset, f"dataset '{dataset}' for training"
    )


def videos_in(config: Config, dataset: str, split: str) -> list[str]:
    """Return the ids of the videos of one split."""
    return config["datasets"][dataset]["splits"][split]


def study_videos(config: Config, study: Config, dataset: str) -> list[str]:
    """Return the ids of all videos of a data set that a study reports on."""
    return [video for split in study["splits"] for video in videos_in(config, dataset, split)]


def split_of(config: Config, dataset: str, video: str) -> str:
    """Return the split that a video is in.

    Raises:
        InputError: the data set has no such video.
    """
    _known(dataset, config["datasets"], "dataset", "config.yaml")
    splits = config["datasets"][dataset]["splits"]
    for split, videos in splits.items():
        if video in videos:
            return split
    known = list(itertools.chain.from_iterable(splits.values()))
    raise InputError(f"dataset '{dataset}' has no video '{video}'; {nearest(video, known)}")


def render_settings(config: Config, dataset: str, video: str) -> Config:
    """Return what `videottt render` needs for one video of an embedded data set."""
    split_of(config, dataset, video)
    render = config["datasets"][dataset]["render"]
    return {"size": render["size"], "seed": render["seed"], **render["videos"][video]}


def ingest_settings(config: Config, dataset: str, video: str) -> Config:
    """Return what `videottt ingest` needs for one video."""
    entry = config["datasets"][dataset]
    return {
        **{key: entry[key] for key in ("layout", "fps", "classes")},
        **entry.get("spans", {}).get(video, {}),
    }


def training_settings(config: Config, dataset: str, checkpoint: str) -> Config:
    """Return what `videottt train` needs for one checkpoint of the study trained on `dataset`."""
    _known(checkpoint, config["checkpoints"], "checkpoint", "config.yaml")
    study = study_trained_on(config, dataset)
    reconstruction = config["checkpoints"][checkpoint]["reconstruction"]
    mae = config["protocols"][study["protocol"]]["options"]["mae"] if reconstruction else {}
    return {
        "training": {
            **study["training"]["optimizer"],
            "iterations": study["training"]["iterations"][checkpoint],
            "reconstruction": reconstruction,
            **mae,
        },
        "augmentation": {**study["input"], **study["training"]["augmentation"]},
    }


def checkpoint_ids(config: Config, dataset: str, method: str) -> dict[str, str]:
    """Return which checkpoint a method starts from on `dataset`, and what that was trained on."""
    _known(method, config["methods"], "method", "config.yaml")
    trained_on = study_of(config, dataset)["training"]["dataset"]
    return {"dataset": trained_on, "checkpoint": config["methods"][method]["checkpoint"]}


def method_settings(config: Config, dataset: str, method: str) -> Config:
    """Return what `videottt predict` needs of one method: protocol < study's updates < method."""
    _known(method, config["methods"], "method", "config.yaml")
    study = study_of(config, dataset)
    protocol = config["protocols"][study["protocol"]]
    entry = config["methods"][method]
    own = {k: v for k, v in entry.items() if k not in ("label", "checkpoint")}
    if entry["objective"] == "none":
        return {**study["input"], **own}
    options = {"options": protocol["options"].get(entry["objective"], {})}
    settings = merged(study["input"], options, protocol["updates"], study["updates"], own)
    return with_values(settings, study.get("pinned", {}).get(method, {}))


def is_selected(config: Config, dataset: str, method: str) -> bool:
    """Say whether hyper-parameters of a method are selected in the study that uses `dataset`."""
    _known(method, config["methods"], "method", "config.yaml")
    study = study_of(config, dataset)
    return "selection" in study and config["methods"][method]["objective"] != "none"


def trials(config: Config, dataset: str) -> list[Config]:
    """Return the grid of a study's selection: one {dotted key: value} a trial."""
    grid = study_of(config, dataset)["selection"]["grid"]
    return [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]


def trial_settings(config: Config, dataset: str, method: str, trial: int) -> Config:
    """Return what `videottt predict` needs of one trial of a method's selection."""
    return with_values(method_settings(config, dataset, method), trials(config, dataset)[trial])
