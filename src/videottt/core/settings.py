"""Settings from config.yaml as checked dataclasses."""

import dataclasses
import functools
import math
import types
import typing
from typing import TYPE_CHECKING, Any, TypeVar

from videottt.core.errors import InputError, nearest

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Settings = TypeVar("Settings", bound="DataclassInstance")


def build_settings(kind: type[Settings], values: dict[str, Any], where: str) -> Settings:
    """Return the dataclass `kind` made of `values`; lists become tuples.

    Raises:
        InputError: a key is unknown, one without a default is missing, or a value is of another
            type than its field; `where` says of what.
    """
    if not isinstance(values, dict):
        raise InputError(f"{where}: is {values!r}, but must be settings by name; write {{...}}")
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
    hints = _hints(kind)
    for name, value in values.items():
        if not _fits(value, hints[name]):
            raise InputError(
                f"{where}: '{name}' is {value!r}, but must be {_in_words(hints[name])}; correct it"
            )
    return kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})


@functools.cache
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _fits(value: Any, hint: Any) -> bool:
    """Return whether a value of JSON or YAML is of a type; a list stands for a tuple."""
    origin, of = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return True
    if origin in (types.UnionType, typing.Union):
        return any(_fits(value, each) for each in of)
    if origin in (tuple, list):
        if not isinstance(value, list | tuple):
            return False
        each = [of[0]] * len(value) if origin is list or of[-1] is Ellipsis else of
        return len(value) == len(each) and all(map(_fits, value, each))
    if origin is dict:
        return isinstance(value, dict) and all(
            _fits(key, of[0]) and _fits(each, of[1]) for key, each in value.items()
        )
    # True is an int of Python's, and NaN a number of none.
    if hint in (int, float):
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return number and math.isfinite(value) and (hint is float or isinstance(value, int))
    return isinstance(value, origin or hint)


def _in_words(hint: Any) -> str:
    """Return what a value may be, as people write it in YAML."""
    origin, of = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        return " or ".join(map(_in_words, of))
    if origin is tuple and of[-1] is not Ellipsis:
        return f"a list of {len(of)}: {', '.join(map(_in_words, of))}"
    if origin in (tuple, list):
        return f"a list, each {_in_words(of[0])}"
    words = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}
    return words.get(hint, "null" if hint is type(None) else "settings by name")


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
