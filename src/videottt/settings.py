"""Settings from config.yaml as checked dataclasses."""

import dataclasses
from typing import Any

from videottt.errors import InputError, nearest


def build_settings(kind: type, values: dict[str, Any], where: str) -> Any:
    """Return the dataclass `kind` made of `values`; lists become tuples.

    Raises:
        InputError: a key is unknown, or one without a default is missing; `where` says of what.
    """
    fields = {each.name: each for each in dataclasses.fields(kind)}
    for name in values:
        if name not in fields:
            raise InputError(f"{where}: unknown setting '{name}'; {nearest(name, fields)}")
    for name, each in fields.items():
        required = (
            each.default is dataclasses.MISSING and each.default_factory is dataclasses.MISSING
        )
        if required and name not in values:
            raise InputError(f"{where}: the setting '{name}' is missing")
    return kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})


def with_values(settings: dict[str, Any], chosen: dict[str, Any]) -> dict[str, Any]:
    """Return settings with dotted keys set, as in ``{"optimizer.learning_rate": 1e-3}``."""
    result = {**settings}
    for key, value in chosen.items():
        first, _, rest = key.partition(".")
        result[first] = with_values(result.get(first, {}), {rest: value}) if rest else value
    return result


def merged(*layers: dict[str, Any]) -> dict[str, Any]:
    """Return settings in which each layer overrides the one before, dictionary by dictionary."""
    result: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            both = isinstance(value, dict) and isinstance(result.get(key), dict)
            result[key] = merged(result[key], value) if both else value
    return result
