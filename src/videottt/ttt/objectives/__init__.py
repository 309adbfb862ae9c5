"""Objectives: the losses, without ground truth labels, that updates at test time minimise.

Each module of this package registers the objective that it defines. To add an objective, write a
new file here and set `objective: <name>` in a method of the configuration.
"""

import importlib
import pkgutil
from typing import Any

from videottt.core.errors import InputError, nearest
from videottt.core.settings import build_settings
from videottt.ttt.objectives.objective import REGISTERED, Objective

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")


def objective_named(name: str, options: dict[str, Any]) -> Objective:
    """Return the objective registered as `name` with the given options.

    Args:
        name: of the objective, for example "mae".
        options: values by option; options that are left out have their defaults.

    Raises:
        InputError: no objective has this name, or an option is unknown or out of range.
    """
    return build_settings(objective_class(name), options, f"objective '{name}'")


def objective_class(name: str) -> type[Objective]:
    """Return the class registered as `name`; its fields are the options of the objective.

    Raises:
        InputError: no objective has this name.
    """
    if name not in REGISTERED:
        raise InputError(f"objective '{name}' does not exist; {nearest(name, REGISTERED)}")
    return REGISTERED[name]


def list_objectives() -> list[str]:
    """Return the names of all objectives, sorted."""
    return sorted(REGISTERED)


__all__ = ["Objective", "list_objectives", "objective_class", "objective_named"]
