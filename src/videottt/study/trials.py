"""List the values that a study tries: grids to select from, and sweeps to show."""

import itertools
import shlex
from collections.abc import Iterator
from typing import Any

from videottt.core.errors import InputError
from videottt.core.ids import ALL, TASKS, MethodId, check_known
from videottt.study.arguments import listed
from videottt.study.config import (
    Config,
    hyperparameters_of,
    method_of,
    methods_for,
    methods_of,
    study_named,
    study_of,
    tasks_of,
    variant_of,
)
from videottt.study.drawn import drawn_in
from videottt.study.job_settings import method_settings


def selections_of(config: Config, dataset: str, method: MethodId) -> list[str]:
    """Return the methods whose selection decides hyper-parameters of `method` on `dataset`."""
    selection = study_of(config, dataset).get("selection")
    if selection is None:
        return []
    return [m for m in hyperparameters_of(config, method) if m in selection["grids"]]


def selected_on(config: Config, dataset: str, task: str) -> dict[str, str]:
    """Return the data set and task whose videos select the hyper-parameters of a stream."""
    selection = study_of(config, dataset).get("selection", {})
    return {"dataset": selection.get("dataset", dataset), "task": selection.get("task", task)}


def selected_methods(config: Config, study: Config) -> list[MethodId]:
    """Return the methods of a study that have a grid of hyper-parameters."""
    grids = study.get("selection", {}).get("grids", {})
    return methods_of(config, [method for method in study["methods"] if method in grids])


def methods_selected_for(config: Config, study: Config, task: str) -> list[MethodId]:
    """Return the methods with a grid that exist for a task."""
    return methods_for(config, selected_methods(config, study), task)


def trials_of(config: Config, dataset: str, method: MethodId) -> list[Config]:
    """Return the grid of one method: one {dotted key: value} a trial.

    Raises:
        InputError: the study has no grid for it.
    """
    grids = study_of(config, dataset).get("selection", {}).get("grids", {})
    where = f"the study of dataset '{dataset}'"
    check_known(str(method), grids, "grid of method", where)
    return list(grid_points(grids[str(method)]))


def grid_points(grid: Config) -> Iterator[Config]:
    """Yield every combination of a grid's values."""
    for values in itertools.product(*grid.values()):
        yield dict(zip(grid, values, strict=True))


def trial_values(config: Config, dataset: str, method: MethodId, trial: int) -> Config:
    """Return what one trial of a method's selection sets: {dotted key: value}.

    Raises:
        InputError: there is no such trial.
    """
    grid = trials_of(config, dataset, method)
    if trial >= len(grid):
        raise InputError(f"method '{method}' has {len(grid)} trials, from 0; there is no {trial}")
    return grid[trial]


def selected_before(config: Config, dataset: str, method: MethodId) -> list[str]:
    """Return the methods whose selection the trials of a method start from."""
    return [m for m in selections_of(config, dataset, method) if m != method.base]


def sweep_methods(config: Config, study: Config, sweep: str) -> list[MethodId]:
    """Return the methods that a sweep compares: the fixed models, and one a value.

    Raises:
        InputError: the study has no such sweep.
    """
    check_known(sweep, study.get("sweeps", {}), "sweep", "the sweeps of the study")
    varied = [method for _, method in swept_values(config, study, study["sweeps"][sweep])]
    return [*drawn_in(config, study).fixed, *varied]


def swept_values(config: Config, study: Config, sweep: Config) -> list[tuple[Any, MethodId]]:
    """Return every value of a sweep, with the variant that has it."""
    method = method_of(config, sweep["method"])
    return [
        (value, variant_of(config, study, method, sweep["setting"], value))
        for value in sweep["values"]
    ]


def sweep_arguments(config: Config, study: Config, sweep: str) -> str:
    """Return what `videottt plot-sweep` needs of one sweep of a study."""
    entry = study["sweeps"][sweep]
    arguments = ["--method", entry["method"], "--setting", entry["setting"]]
    arguments += ["--fixed", listed(drawn_in(config, study).fixed)]
    pinned = pinned_value(config, study, method_of(config, entry["method"]), entry["setting"])
    for value, variant in swept_values(config, study, entry):
        if str(variant) == entry["method"] or (pinned is not None and value == pinned):
            arguments += ["--base-value", str(value)]
    return shlex.join(arguments)


def pinned_value(config: Config, study: Config, method: MethodId, setting: str) -> Any:
    """Return the value that a study pins for a setting of a method; None if it pins none."""
    pinned = study.get("pinned", {})
    values = [pinned.get(m, {}).get(setting) for m in hyperparameters_of(config, method)]
    return next((value for value in reversed(values) if value is not None), None)


def sweep_split(sweep: Config, dataset: str) -> str:
    """Return the split of a data set that a sweep runs on."""
    split: str = sweep.get("splits", {}).get(dataset, sweep["split"])
    return split


def sweep_serves(config: Config, sweep: Config, task: str) -> bool:
    """Return whether a sweep runs for a task."""
    method = method_of(config, sweep["method"])
    return task in sweep.get("tasks", TASKS) and task in tasks_of(config, method)


def window_sweep(config: Config, study_id: str) -> Config:
    """Return the sweep over window sizes of a study.

    Raises:
        InputError: there is no such study, or it has no such sweep.
    """
    sweeps: dict[str, Config] = study_named(config, study_id).get("sweeps", {})
    if "window" not in sweeps:
        raise InputError(
            f"study '{study_id}' has no sweep 'window', which figure 4 and the theory "
            "need; add sweeps.window to it, or name a study that has one"
        )
    return sweeps["window"]


def window_arguments(config: Config, dataset: str, study_id: str) -> str:
    """Return what `videottt plot-theory` needs of the sweep over window sizes of a study."""
    sweep = window_sweep(config, study_id)
    settings = method_settings(config, dataset, method_of(config, sweep["method"]))
    own = settings["window"] or ALL
    split = sweep_split(sweep, dataset)
    values = {"split": split, "method": sweep["method"], "base-value": own}
    return shlex.join(part for name, value in values.items() for part in (f"--{name}", str(value)))
