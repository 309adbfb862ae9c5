"""What one update minimises. Each module of this package that defines an objective registers it.

Adding an objective: one file here, and `objective: <name>` in a method of config.yaml.
"""

import dataclasses
import importlib
import pkgutil
from typing import Any

from videottt.core.errors import InputError, nearest
from videottt.ttt.objectives.objective import REGISTERED, Objective

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")


def objective_named(name: str, options: dict[str, Any]) -> Objective:
    """Return the objective registered as `name`, with its own options.

    Raises:
        InputError: there is no such objective, or it has no such option.
    """
    if name not in REGISTERED:
        raise InputError(f"objective '{name}' does not exist; {nearest(name, REGISTERED)}")
    known = {field.name for field in dataclasses.fields(REGISTERED[name])}
    for option in options:
        if option not in known:
            raise InputError(
                f"objective '{name}' has no option '{option}'; {nearest(option, known)}"
            )
    return REGISTERED[name](**options)


def list_objectives() -> list[str]:
    """Return the names of all objectives."""
    return sorted(REGISTERED)


__all__ = ["Objective", "list_objectives", "objective_named"]
