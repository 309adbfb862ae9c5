"""Declare settings once, as checked dataclasses, and read them from plain data.

A class decorated by `settings` is the only place where the type, the range, the default and the
meaning of its settings stand. Its docstring's section "Attributes:" has the meaning, from which the
reference page and the schema for editors are made (videottt.study.reference).
"""

import dataclasses
import functools
import json
import typing
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar, dataclass_transform

from pydantic import Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as checked_dataclass

from videottt.core.annotations import CONFIG, bare, below, is_class, some_of
from videottt.core.errors import visible
from videottt.core.refusals import Problem, Refused, refusal, unknown

Kind = TypeVar("Kind")


@dataclass_transform(frozen_default=True, field_specifiers=(dataclasses.field, Field))
def settings(kind: type[Kind]) -> type[Kind]:
    """Make a class a frozen dataclass whose values are checked against their annotations.

    Its `__post_init__` may raise a ValueError for values that contradict each other.

    Raises:
        InputError: when an instance is made of a value that is not allowed.
    """
    made = checked_dataclass(frozen=True, config=CONFIG)(kind)
    check: Callable[..., None] = made.__init__

    @functools.wraps(check)
    def checked(self: Kind, *values: Any, **named: Any) -> None:
        try:
            check(self, *values, **named)
        except ValidationError as error:
            raise refusal(error, kind).error(kind.__name__) from None

    type.__setattr__(made, "__init__", checked)
    return typing.cast(type[Kind], made)


def build_settings(kind: type[Kind], values: Any, where: str) -> Kind:
    """Return an instance of a dataclass, made of plain data.

    Args:
        kind: the class.
        values: settings by name, as YAML or JSON has them; a list stands for a tuple.
        where: what the settings are of, for errors.

    Raises:
        InputError: a name is unknown, one without a default is missing, or a value is not allowed.
    """
    try:
        instance: Kind = _checked(kind, values)
    except Refused as refused:
        raise refused.error(where) from None
    return instance


def check_settings(kind: Any, values: Any, where: str) -> None:
    """Check plain data against a class or an annotation.

    Raises:
        InputError: as `build_settings`.
    """
    build_settings(kind, values, where)


def problem_in(kind: Any, values: Any) -> Problem | None:
    """Return the first problem of plain data with a class or an annotation; None if it is good."""
    try:
        _checked(kind, values)
    except Refused as refused:
        return refused.problem
    return None


def _checked(kind: Any, values: Any) -> Any:
    if not isinstance(values, dict):
        raise Refused((), f"is {values!r}, but must be settings by name; write {{...}}")
    _check_names(values)
    _check_texts(values)
    if dataclasses.is_dataclass(kind):
        # Of a plain dataclass, pydantic would ignore them.
        known = [field.name for field in dataclasses.fields(kind)]
        for name in values:
            if name not in known:
                raise Refused((), unknown(name, known))
    # As JSON, in which a list may be a tuple, but a number is no text and `true` is no number.
    text = json.dumps(values, default=str)
    try:
        return _adapter(kind).validate_json(text, strict=True)
    except ValidationError as error:
        raise refusal(error, kind) from None


def _check_names(values: Any, place: tuple[str, ...] = ()) -> None:
    """Refuse names that are no texts: YAML reads 0016 as a number, and `on` as true."""
    if isinstance(values, dict):
        for name, value in values.items():
            if not isinstance(name, str):
                raise Refused(place, f"the name {name!r} is no text; put it in quotes")
            _check_names(value, (*place, name))
    elif isinstance(values, list | tuple):
        for value in values:
            _check_names(value, place)


def _check_texts(values: Any, place: tuple[str, ...] = ()) -> None:
    """Refuse texts that are no Unicode: the name of a file may have bytes that are no UTF-8."""
    if isinstance(values, dict):
        for name, value in values.items():
            _check_texts(name, place)
            _check_texts(value, (*place, name))
    elif isinstance(values, list | tuple):
        for value in values:
            _check_texts(value, place)
    elif isinstance(values, str | Path) and not str(values).isprintable():
        try:
            str(values).encode()
        except UnicodeEncodeError:
            reason = f"'{visible(str(values))}' has bytes that are no UTF-8; rename the file"
            raise Refused(place, reason) from None


@functools.cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def without_nulls(kind: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return plain data without each null that means the same as no value.

    That is every null in place of a list or of settings by name, but not in `SomeOf`, where it may
    replace what comes from elsewhere.
    """
    result: dict[str, Any] = {}
    for name, value in values.items():
        annotation = below(kind, name)
        plain = bare(annotation)
        group = is_class(plain) and some_of(kind) is None
        if value is None and (
            group or not _takes_null(annotation) or typing.get_origin(plain) in (list, dict)
        ):
            continue
        nested = isinstance(value, dict)
        result[name] = without_nulls(annotation, value) if nested else value
    return result


def _takes_null(annotation: Any) -> bool:
    return annotation in (Any, type(None)) or type(None) in typing.get_args(annotation)


def with_values(settings: Mapping[str, Any], chosen: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings with dotted keys set, as in ``{"optimizer.learning_rate": 1e-3}``."""
    result = {**settings}
    for key, value in chosen.items():
        first, _, rest = key.partition(".")
        result[first] = with_values(result.get(first, {}), {rest: value}) if rest else value
    return result


def merged(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings in which each layer overrides the one before, dictionary by dictionary."""
    result: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            both = isinstance(value, dict) and isinstance(result.get(key), dict)
            result[key] = merged(result[key], value) if both else value
    return result
