"""Declare settings once, as checked dataclasses, and read them from plain data.

A class decorated by `settings` is the only place where the type, the range, the default and the
meaning of its settings stand. Its docstring's section "Attributes:" has the meaning, from which the
reference page and the schema for editors are made (videottt.study.reference).
"""

import dataclasses
import functools
import json
import re
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, TypeVar, dataclass_transform

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    create_model,
)
from pydantic.dataclasses import dataclass as checked_dataclass
from pydantic_core import CoreSchema, ErrorDetails, PydanticCustomError

from videottt.core.errors import InputError, nearest

Item = TypeVar("Item")
Kind = TypeVar("Kind")

_CONFIG = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


def _distinct(values: list[Item]) -> list[Item]:
    repeated = [value for index, value in enumerate(values) if value in values[:index]]
    if repeated:
        raise PydanticCustomError("value_error", f"has {repeated[0]!r} twice; name it once")
    return values


@dataclasses.dataclass(frozen=True)
class MustBe:
    """Mark an annotation with what its values must be, in words, for errors."""

    words: str


Count = Annotated[int, Field(ge=1)]
Whole = Annotated[int, Field(ge=0)]
NotNegative = Annotated[float, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]
GreyLevel = Annotated[int, Field(ge=0, le=255)]
# Of a data set, method, video ...: what is safe in paths and on command lines.
Id = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$"),
    MustBe("letters, digits, '_' and '-', beginning with a letter or digit"),
]
Text = Annotated[str, Field(min_length=1)]
Ids = Annotated[list[Id], Field(min_length=1), AfterValidator(_distinct)]
Texts = Annotated[list[str], Field(min_length=1), AfterValidator(_distinct)]
# Height and width in pixels.
Size = tuple[Annotated[int, Field(ge=32)], Annotated[int, Field(ge=32)]]
# The same of what the encoder takes: its strides are up to 32.
CropSize = tuple[
    Annotated[int, Field(ge=32, multiple_of=32)], Annotated[int, Field(ge=32, multiple_of=32)]
]


@dataclass_transform(frozen_default=True, field_specifiers=(dataclasses.field, Field))
def settings(kind: type[Kind]) -> type[Kind]:
    """Make a class a frozen dataclass whose values are checked against their annotations.

    Its `__post_init__` may raise a ValueError for values that contradict each other.

    Raises:
        InputError: when an instance is made of a value that is not allowed.
    """
    made = checked_dataclass(frozen=True, config=_CONFIG)(kind)
    check: Callable[..., None] = made.__init__

    @functools.wraps(check)
    def checked(self: Kind, *values: Any, **named: Any) -> None:
        try:
            check(self, *values, **named)
        except ValidationError as error:
            raise _refusal(error, kind).error(kind.__name__) from None

    type.__setattr__(made, "__init__", checked)
    return typing.cast(type[Kind], made)


class SomeOf:
    """Mark a dictionary as settings of some classes, any of which may be left out.

    What holds for several settings together is not checked, because the rest comes from elsewhere.

    Args:
        *kinds: classes made by `settings`; of a name in several, the first counts.
        omit: names that are not allowed.
    """

    def __init__(self, *kinds: type, omit: Iterable[str] = ()) -> None:
        self.kinds = kinds
        hints: dict[str, Any] = {}
        for kind in reversed(kinds):
            hints |= _hints(kind)
        self.hints = {name: hint for name, hint in hints.items() if name not in set(omit)}

    @functools.cached_property
    def model(self) -> Any:
        """Return the class that pydantic checks such a dictionary by."""
        fields: dict[str, Any] = {name: (hint, None) for name, hint in self.hints.items()}
        name = "Some" + "And".join(kind.__name__ for kind in self.kinds)
        return create_model(name, __config__=_CONFIG, **fields)

    def __get_pydantic_core_schema__(self, _: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Let pydantic check what is annotated."""
        return handler.generate_schema(self.model)


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
    except _Refused as refused:
        raise refused.error(where) from None
    return instance


def check_settings(kind: Any, values: Any, where: str) -> None:
    """Check plain data against a class or an annotation.

    Raises:
        InputError: as `build_settings`.
    """
    build_settings(kind, values, where)


@dataclasses.dataclass(frozen=True)
class Problem:
    """What is wrong with some settings.

    Attributes:
        place: of the setting: the names on the way to it.
        reason: what is wrong, and how to mend it.
    """

    place: tuple[int | str, ...]
    reason: str


def problem_in(kind: Any, values: Any) -> Problem | None:
    """Return the first problem of plain data with a class or an annotation; None if it is good."""
    try:
        _checked(kind, values)
    except _Refused as refused:
        return refused.problem
    return None


class _Refused(Exception):
    def __init__(self, place: Iterable[int | str], reason: str) -> None:
        super().__init__(reason)
        self.problem = Problem(tuple(place), reason)

    def error(self, where: str) -> InputError:
        names = ".".join(map(str, self.problem.place))
        return InputError(": ".join(filter(None, (where, names, self.problem.reason))))


def _checked(kind: Any, values: Any) -> Any:
    if not isinstance(values, dict):
        raise _Refused((), f"is {values!r}, but must be settings by name; write {{...}}")
    _check_names(values)
    if dataclasses.is_dataclass(kind):
        # Of a plain dataclass, pydantic would ignore them.
        known = [field.name for field in dataclasses.fields(kind)]
        for name in values:
            if name not in known:
                raise _Refused((), _unknown(name, known))
    # As JSON, in which a list may be a tuple, but a number is no text and `true` is no number.
    text = json.dumps(values, default=str)
    try:
        return _adapter(kind).validate_json(text, strict=True)
    except ValidationError as error:
        raise _refusal(error, kind) from None


def _check_names(values: Any, place: tuple[str, ...] = ()) -> None:
    """Refuse names that are no texts: YAML reads 0016 as a number, and `on` as true."""
    if isinstance(values, dict):
        for name, value in values.items():
            if not isinstance(name, str):
                raise _Refused(place, f"the name {name!r} is no text; put it in quotes")
            _check_names(value, (*place, name))
    elif isinstance(values, list | tuple):
        for value in values:
            _check_names(value, place)


@functools.cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


@functools.cache
def _hints(kind: type) -> dict[str, Any]:
    """Return the settings of a class, with their types and ranges."""
    hints = typing.get_type_hints(kind, include_extras=True)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind)}


_UNKNOWN = ("extra_forbidden", "unexpected_keyword_argument")
_MUST_BE = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "string_type": "a text",
    "bool_type": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "settings by name",
    "model_type": "settings by name",
    "dataclass_type": "settings by name",
    "dataclass_exact_type": "an instance of {class_name}",
    "none_required": "null",
    "greater_than_equal": "at least {ge}",
    "greater_than": "above {gt}",
    "less_than_equal": "at most {le}",
    "less_than": "below {lt}",
    "multiple_of": "a multiple of {multiple_of}",
    "string_pattern_mismatch": "a text like {pattern}",
    "string_too_short": "a text that is not empty",
}


def _refusal(error: ValidationError, kind: Any) -> _Refused:
    """Return the first problem: where it is, what is wrong, the nearest valid name."""
    problems = error.errors(include_url=False)
    # A wrong name explains what seems to be missing.
    problem = next((each for each in problems if each["type"] in _UNKNOWN), problems[0])
    *above, last = problem["loc"] or ("",)
    if problem["type"] in _UNKNOWN:
        place, _ = _place(kind, above)
        return _Refused(place, _unknown(str(last), names_at(kind, above)))
    if problem["type"] == "missing":
        place, _ = _place(kind, above)
        # Of a list that is too short, what is missing is at an index.
        if isinstance(last, str):
            return _Refused(place, f"the setting '{last}' is missing; add it")
        return _Refused(place, f"{_shown(problem['input'])} has too few entries")
    place, annotation = _place(kind, problem["loc"])
    return _Refused(place, _wrong(problem, annotation))


def _unknown(name: str, known: list[str]) -> str:
    return f"unknown setting '{name}'; {nearest(name, known) if known else 'there are none'}"


def _place(kind: Any, location: Iterable[int | str]) -> tuple[list[int | str], Any]:
    """Return where a problem is, as in YAML, and the annotation there."""
    place: list[int | str] = []
    around: Any = None
    for part in location:
        if part == "[key]":
            return place, typing.get_args(_bare(around))[0]
        # pydantic goes on into the choices of a union.
        if _is_union(_bare(kind)):
            break
        place.append(part)
        around, kind = kind, _below(kind, part)
    return place, kind


def _wrong(problem: ErrorDetails, annotation: Any) -> str:
    kind, context = problem["type"], problem.get("ctx", {})
    if kind == "value_error":
        return str(context.get("error", problem["msg"]))
    shown = _shown(problem["input"])
    words = next((mark.words for mark in _marks(annotation) if isinstance(mark, MustBe)), None)
    null = " or null" if type(None) in typing.get_args(annotation) else ""
    if words:
        return f"{shown} is not allowed; it must be {words}{null}"
    if kind == "literal_error":
        allowed = re.findall(r"'([^']*)'", context["expected"])
        return f"{shown} is not allowed; {nearest(str(problem['input']), allowed)}"
    if kind in ("too_short", "too_long"):
        bound = "least" if kind == "too_short" else "most"
        number = context["min_length" if kind == "too_short" else "max_length"]
        return f"{shown} has {context['actual_length']} entries, but must have at {bound} {number}"
    if kind in _MUST_BE:
        # Plain data has no tuples.
        if kind == "tuple_type" and isinstance(problem["input"], list):
            return f"{shown} is not allowed; it must be a tuple"
        numbers = {name: _number(value) for name, value in context.items()}
        return f"{shown} is not allowed; it must be {_MUST_BE[kind].format(**numbers)}{null}"
    return f"{shown} is not allowed ({problem['msg'].lower()})"


def _number(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _shown(value: Any) -> str:
    text = repr(value) if isinstance(value, str) else json.dumps(value, default=str)
    return text if len(text) <= 60 else f"{text[:57]}..."


def names_at(kind: Any, location: Iterable[int | str]) -> list[str]:
    """Return the names of the settings at a place in some settings; none where all are allowed."""
    _, kind = _place(kind, location)
    some = _some_of(kind)
    if some is not None:
        return list(some.hints)
    kind = _bare(kind)
    return [field.name for field in dataclasses.fields(kind)] if _is_class(kind) else []


def without_nulls(kind: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return plain data without each null that means the same as no value.

    That is every null in place of a list or of settings by name, but not in `SomeOf`, where it may
    replace what comes from elsewhere.
    """
    result: dict[str, Any] = {}
    for name, value in values.items():
        annotation = _below(kind, name)
        bare = _bare(annotation)
        group = _is_class(bare) and _some_of(kind) is None
        if value is None and (
            group or not _takes_null(annotation) or typing.get_origin(bare) in (list, dict)
        ):
            continue
        nested = isinstance(value, dict)
        result[name] = without_nulls(annotation, value) if nested else value
    return result


def _takes_null(annotation: Any) -> bool:
    return annotation in (Any, type(None)) or type(None) in typing.get_args(annotation)


def _below(kind: Any, part: int | str) -> Any:
    """Return the annotation of one setting, or of the entries of a dictionary or list."""
    some = _some_of(kind)
    if some is not None:
        return some.hints.get(str(part), Any)
    kind = _bare(kind)
    if _is_class(kind):
        return _hints(kind).get(str(part), Any)
    return next((of for of in reversed(typing.get_args(kind)) if of is not Ellipsis), Any)


def _is_class(kind: Any) -> bool:
    return isinstance(kind, type) and dataclasses.is_dataclass(kind)


def _is_union(kind: Any) -> bool:
    return typing.get_origin(kind) in (types.UnionType, typing.Union)


def _some_of(kind: Any) -> SomeOf | None:
    return next((mark for mark in _marks(kind) if isinstance(mark, SomeOf)), None)


def _marks(kind: Any) -> tuple[Any, ...]:
    return getattr(_not_null(kind), "__metadata__", ())


def _bare(kind: Any) -> Any:
    """Return an annotation without its marks and without null."""
    kind = _not_null(kind)
    return _not_null(typing.get_args(kind)[0]) if hasattr(kind, "__metadata__") else kind


def _not_null(kind: Any) -> Any:
    if not _is_union(kind):
        return kind
    others = [of for of in typing.get_args(kind) if of is not type(None)]
    return others[0] if len(others) == 1 else kind


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
