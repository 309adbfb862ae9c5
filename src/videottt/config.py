"""config.yaml: validated once, then asked for the settings of one job at a time.

Each function returns only what one job needs, so that a change re-runs only what depends on it.
"""

import functools
import itertools
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from videottt.errors import InputError, nearest
from videottt.settings import merged, with_values

Config = dict[str, Any]

# YAML 1.1 takes 1e-3 for a word.
_EXPONENT = re.compile(r"[+-]?\d+(\.\d*)?[eE][+-]?\d+")
# How the unlimited window is written in ids and lists of values.
ALL = "all"
# The two models that learn nothing at test time; every sweep shows them.
FIXED = ("main_task_only", "mae_joint_training")
# Keys of a method in config.yaml that are not settings of the stream loop.
NOT_SETTINGS = ("label", "checkpoint", "predictions_of", "iteration", "hyperparameters_of")


def validate(config: Config, schema_path: Path) -> None:
    """Check a configuration against its schema and its own ids.

    Raises:
        InputError: one line for the first problem: the key, what is wrong, the nearest valid name.
    """
    validator = jsonschema.Draft202012Validator(_schema(schema_path))
    error = jsonschema.exceptions.best_match(validator.iter_errors(config))
    if error is not None:
        raise InputError(_explained(error))
    _check_ids(config)
    for method in variants_in(config):
        check_variant(config, schema_path, method)


@functools.cache
def _schema(path: Path) -> Config:
    # Asked for once a job while the DAG is built.
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def variants_in(config: Config) -> list[str]:
    """Return the ids of all variants of methods that studies, sweeps and tables name."""
    named: dict[str, None] = {}
    for study in config["studies"].values():
        named |= dict.fromkeys(study["methods"])
        for sweep in study.get("sweeps", {}):
            named |= dict.fromkeys(sweep_methods(config, study, sweep))
    for table in config["tables"].values():
        named |= dict.fromkeys(method for each in table["settings"] for method in each["methods"])
    return [method for method in named if "," in method]


def _explained(error: jsonschema.ValidationError, top: str = "config.yaml: top level") -> str:
    path = ".".join(map(str, error.absolute_path))
    where = f"{top.removesuffix(' top level').removesuffix(':')}: {path}" if path else top
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
        _check_study(config, study_id, study)
    for method, entry in config["methods"].items():
        where = f"config.yaml: methods.{method}"
        _known(entry["checkpoint"], config["checkpoints"], "checkpoint", where)
        for other in [*entry.get("hyperparameters_of", []), entry.get("predictions_of", method)]:
            _known(other, config["methods"], "method", where)
    for table in config["tables"].values():
        named = [method for each in table["settings"] for method in each["methods"]]
        for method in [*named, *table.get("baselines", {}).values(), *table.get("oracles", [])]:
            parse_method(config, method)
    _known(config["study"], config["studies"], "study", "config.yaml")


def _check_study(config: Config, study_id: str, study: Config) -> None:
    where = f"config.yaml: studies.{study_id}"
    selection = study.get("selection", {})
    for names, known, what in (
        (study["datasets"], config["datasets"], "dataset"),
        ([study["training"]["dataset"]], config["datasets"], "dataset"),
        (selection.get("grids", {}), config["methods"], "method"),
        (study.get("pinned", {}), config["methods"], "method"),
        (study.get("sizes", {}), config["methods"], "method"),
        ([study["protocol"]], config["protocols"], "protocol"),
        (study["training"]["iterations"], config["checkpoints"], "checkpoint"),
    ):
        for name in names:
            _known(name, known, what, where)
    for method in study["methods"]:
        parse_method(config, method)
    splits = [*study["splits"], *(each["split"] for each in study.get("sweeps", {}).values())]
    if selection:
        splits.append(selection["split"])
    for dataset in study["datasets"]:
        for split in splits:
            _known(split, config["datasets"][dataset]["splits"], "split", where)
    training = study["training"]
    _known(training["split"], config["datasets"][training["dataset"]]["splits"], "split", where)
    for sweep in study.get("sweeps", {}):
        sweep_methods(config, study, sweep)
    for method in study["methods"]:
        _check_iteration(config, study, method, where)
    _check_budgets(selection.get("grids", {}), where)


def _check_iteration(config: Config, study: Config, method: str, where: str) -> None:
    """Check that an iteration that is to be selected can be."""
    base, _ = parse_method(config, method)
    pinned = study.get("pinned", {}).get(base, {})
    grids = study.get("selection", {}).get("grids", {})
    wanted = config["methods"][base].get("iteration") == "selected" and "iteration" not in pinned
    if wanted and not any(each in grids for each in hyperparameters_of(config, base)):
        raise InputError(
            f"{where}: nothing selects the iteration of '{base}'; give a grid for "
            f"'{hyperparameters_of(config, base)[0]}' in selection.grids, or pin it: "
            f"pinned.{base}.iteration"
        )


def _check_budgets(grids: Config, where: str) -> None:
    """Check that every method has as many trials as the others."""
    budgets = {method: len(list(_points(grid))) for method, grid in grids.items()}
    if len(set(budgets.values())) > 1:
        least, most = (pick(budgets, key=budgets.__getitem__) for pick in (min, max))
        raise InputError(
            f"{where}.selection.grids: '{most}' has {budgets[most]} trials, but '{least}' has "
            f"{budgets[least]}; give every method the same number"
        )


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


def parse_method(config: Config, method: str) -> tuple[str, Config]:
    """Return the method that an id is a variant of, and the dotted settings that it changes.

    ``online_ttt_mae,window=4,steps=2`` is `online_ttt_mae` with two settings changed; values are
    written as in YAML, and ``window=all`` is the unlimited window.

    Raises:
        InputError: there is no such method, or the changes are not written as ``setting=value``.
    """
    base, *changes = method.split(",")
    _known(base, config["methods"], "method", "config.yaml")
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
    if text == ALL:
        return None
    try:
        return float(text) if _EXPONENT.fullmatch(text) else yaml.safe_load(text)
    except yaml.YAMLError:
        raise InputError(
            f"method '{method}': '{text}' is no value; write a number, a word or all"
        ) from None


def check_variant(config: Config, schema_path: Path, method: str) -> None:
    """Check that what a variant changes are settings of a method, with values that they can have.

    Raises:
        InputError: there is no such method, setting or value.
    """
    _, overrides = parse_method(config, method)
    schema = _schema(schema_path)
    allowed = {**schema["$defs"]["updates"], "$defs": schema["$defs"]}
    validator = jsonschema.Draft202012Validator(allowed)
    error = jsonschema.exceptions.best_match(validator.iter_errors(with_values({}, overrides)))
    if error is not None:
        raise InputError(_explained(error, f"method '{method}'"))


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


def checkpoint_ids(config: Config, dataset: str, method: str) -> dict[str, str]:
    """Return which checkpoint a method starts from on `dataset`, and what that was trained on."""
    base, _ = parse_method(config, method)
    trained_on = study_of(config, dataset)["training"]["dataset"]
    return {"dataset": trained_on, "checkpoint": config["methods"][base]["checkpoint"]}


def method_settings(config: Config, dataset: str, method: str) -> Config:
    """Return what `videottt predict` needs of one method: protocol < study's updates < method.

    What a variant changes is not in it: that overrides even what was selected.
    """
    base, _ = parse_method(config, predicting_method(config, method))
    study = study_of(config, dataset)
    protocol = config["protocols"][study["protocol"]]
    entry = config["methods"][base]
    own = {k: v for k, v in entry.items() if k not in NOT_SETTINGS}
    if "votes" in own:
        own["augmentation"] = {**study["input"], **study["training"]["augmentation"]}
    # A study's sizes of what a method does (votes, ladder) come after the method's own.
    sizes = study.get("sizes", {}).get(base, {})
    if entry["objective"] == "none":
        settings = merged(study["input"], own, sizes)
    else:
        options = {"options": protocol["options"].get(entry["objective"], {})}
        settings = merged(
            study["input"], options, protocol["updates"], study["updates"], own, sizes
        )
    for source in hyperparameters_of(config, base):
        settings = with_values(settings, study.get("pinned", {}).get(source, {}))
    return settings


def hyperparameters_of(config: Config, method: str) -> list[str]:
    """Return the methods whose selected (or pinned) hyper-parameters a method uses."""
    base, _ = parse_method(config, method)
    return config["methods"][base].get("hyperparameters_of", [base])


def selections_of(config: Config, dataset: str, method: str) -> list[str]:
    """Return the methods whose selection decides hyper-parameters of `method` on `dataset`."""
    selection = study_of(config, dataset).get("selection")
    if selection is None:
        return []
    return [m for m in hyperparameters_of(config, method) if m in selection["grids"]]


def score_iteration(config: Config, dataset: str, method: str) -> str | int:
    """Return after how many updates an offline method is scored: a number, or a rule for one."""
    base, _ = parse_method(config, method)
    entry = config["methods"][base]
    pinned = study_of(config, dataset).get("pinned", {}).get(base, {})
    return pinned.get("iteration", entry.get("iteration", "last"))


def selected_methods(study: Config) -> list[str]:
    """Return the methods of a study that have a grid of hyper-parameters."""
    return [m for m in study["methods"] if m in study.get("selection", {}).get("grids", {})]


def trials(config: Config, dataset: str, method: str) -> list[Config]:
    """Return the grid of one method: one {dotted key: value} a trial.

    Raises:
        InputError: the study has no grid for it.
    """
    grids = study_of(config, dataset).get("selection", {}).get("grids", {})
    _known(method, grids, "grid of method", f"config.yaml: the study of dataset '{dataset}'")
    return list(_points(grids[method]))


def _points(grid: Config) -> Iterator[Config]:
    for values in itertools.product(*grid.values()):
        yield dict(zip(grid, values, strict=True))


def trial_settings(config: Config, dataset: str, method: str, trial: int) -> Config:
    """Return what `videottt predict` needs of one trial of a method's selection.

    Raises:
        InputError: there is no such trial.
    """
    grid = trials(config, dataset, method)
    if trial >= len(grid):
        raise InputError(f"method '{method}' has {len(grid)} trials, from 0; there is no {trial}")
    return with_values(method_settings(config, dataset, method), grid[trial])


def sweep_methods(config: Config, study: Config, sweep: str) -> list[str]:
    """Return the ids of the methods that a sweep compares: one a value, and the fixed models.

    Raises:
        InputError: the study has no such sweep.
    """
    _known(sweep, study.get("sweeps", {}), "sweep", "config.yaml: study")
    entry = study["sweeps"][sweep]
    varied = [
        variant_id(config, study, entry["method"], entry["setting"], value)
        for value in entry["values"]
    ]
    return [*FIXED, *varied]
