"""The values that studies of config.yaml try: grids to select from, and sweeps to show."""

import itertools
from collections.abc import Iterator

from videottt.core.errors import InputError
from videottt.core.settings import with_values
from videottt.study.config import (
    FIXED,
    Config,
    check_known,
    hyperparameters_of,
    study_of,
    variant_id,
)
from videottt.study.job_settings import method_settings


def selections_of(config: Config, dataset: str, method: str) -> list[str]:
    """Return the methods whose selection decides hyper-parameters of `method` on `dataset`."""
    selection = study_of(config, dataset).get("selection")
    if selection is None:
        return []
    return [m for m in hyperparameters_of(config, method) if m in selection["grids"]]


def selected_on(config: Config, dataset: str, task: str) -> dict[str, str]:
    """Return the data set and task whose videos select the hyper-parameters of a stream."""
    selection = study_of(config, dataset).get("selection", {})
    return {"dataset": selection.get("dataset", dataset), "task": selection.get("task", task)}


def selected_methods(study: Config) -> list[str]:
    """Return the methods of a study that have a grid of hyper-parameters."""
    return [m for m in study["methods"] if m in study.get("selection", {}).get("grids", {})]


def trials_of(config: Config, dataset: str, method: str) -> list[Config]:
    """Return the grid of one method: one {dotted key: value} a trial.

    Raises:
        InputError: the study has no grid for it.
    """
    grids = study_of(config, dataset).get("selection", {}).get("grids", {})
    check_known(method, grids, "grid of method", f"config.yaml: the study of dataset '{dataset}'")
    return list(grid_points(grids[method]))


def grid_points(grid: Config) -> Iterator[Config]:
    """Yield every combination of a grid's values."""
    for values in itertools.product(*grid.values()):
        yield dict(zip(grid, values, strict=True))


def trial_settings(config: Config, dataset: str, method: str, trial: int) -> Config:
    """Return what `videottt predict` needs of one trial of a method's selection.

    Raises:
        InputError: there is no such trial.
    """
    grid = trials_of(config, dataset, method)
    if trial >= len(grid):
        raise InputError(f"method '{method}' has {len(grid)} trials, from 0; there is no {trial}")
    return with_values(method_settings(config, dataset, method), grid[trial])


def sweep_methods(config: Config, study: Config, sweep: str) -> list[str]:
    """Return the ids of the methods that a sweep compares: one a value, and the fixed models.

    Raises:
        InputError: the study has no such sweep.
    """
    check_known(sweep, study.get("sweeps", {}), "sweep", "config.yaml: study")
    entry = study["sweeps"][sweep]
    varied = [
        variant_id(config, study, entry["method"], entry["setting"], value)
        for value in entry["values"]
    ]
    return [*FIXED, *varied]
