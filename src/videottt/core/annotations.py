"""Annotate settings with types and ranges, and find the annotation of a setting."""

import dataclasses
import functools
import types
import typing
from collections.abc import Iterable
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    StringConstraints,
    create_model,
)
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

Item = TypeVar("Item")

CONFIG = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


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
            hints |= hints_of(kind)
        self.hints = {name: hint for name, hint in hints.items() if name not in set(omit)}

    @functools.cached_property
    def model(self) -> Any:
        """Return the class that pydantic checks such a dictionary by."""
        fields: dict[str, Any] = {name: (hint, None) for name, hint in self.hints.items()}
        name = "Some" + "And".join(kind.__name__ for kind in self.kinds)
        return create_model(name, __config__=CONFIG, **fields)

    def __get_pydantic_core_schema__(self, _: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Let pydantic check what is annotated."""
        return handler.generate_schema(self.model)


class OneOf:
    """Mark a union of classes of settings: the names that are given choose the class.

    So an error is about that class alone. Where two share as many names, the first counts; where
    none has any of the names, the error lists those of all.
    """

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Let pydantic check a value against the class that is chosen."""
        kinds = [kind for kind in typing.get_args(source) if is_class(kind)]

        def chosen(value: Any) -> str | None:
            if not isinstance(value, dict):
                return next((kind.__name__ for kind in kinds if isinstance(value, kind)), None)
            best = max(kinds, key=lambda kind: len(hints_of(kind).keys() & value.keys()))
            return best.__name__ if hints_of(best).keys() & value.keys() else None

        return core_schema.tagged_union_schema(
            {kind.__name__: handler.generate_schema(kind) for kind in kinds}, chosen
        )


@functools.cache
def hints_of(kind: type) -> dict[str, Any]:
    """Return the settings of a class, with their types and ranges."""
    hints = typing.get_type_hints(kind, include_extras=True)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind)}


def place_in(kind: Any, location: Iterable[int | str]) -> tuple[list[int | str], Any]:
    """Return where a problem is, as in YAML, and the annotation there."""
    place: list[int | str] = []
    around: Any = None
    for part in location:
        if part == "[key]":
            return place, typing.get_args(bare(around))[0]
        # pydantic goes on into the choices of a union; of classes, by their names.
        if _is_union(bare(kind)):
            choice = next((of for of in choices_of(kind) if of.__name__ == part), None)
            if choice is None:
                break
            kind = choice
            continue
        place.append(part)
        around, kind = kind, below(kind, part)
    return place, kind


def names_at(kind: Any, location: Iterable[int | str]) -> list[str]:
    """Return the names of the settings at a place in some settings; none where all are allowed."""
    _, kind = place_in(kind, location)
    some = some_of(kind)
    if some is not None:
        return list(some.hints)
    kind = bare(kind)
    return [field.name for field in dataclasses.fields(kind)] if is_class(kind) else []


def below(kind: Any, part: int | str) -> Any:
    """Return the annotation of one setting, or of the entries of a dictionary or list."""
    some = some_of(kind)
    if some is not None:
        return some.hints.get(str(part), Any)
    kind = bare(kind)
    for choice in [kind] if is_class(kind) else choices_of(kind):
        if str(part) in hints_of(choice):
            return hints_of(choice)[str(part)]
    if is_class(kind) or choices_of(kind):
        return Any
    return next((of for of in reversed(typing.get_args(kind)) if of is not Ellipsis), Any)


def is_class(kind: Any) -> bool:
    """Return whether an annotation is a class of settings."""
    return isinstance(kind, type) and dataclasses.is_dataclass(kind)


def choices_of(kind: Any) -> list[type]:
    """Return the classes of settings among the choices of a union; none if it is none."""
    kind = bare(kind)
    return [of for of in typing.get_args(kind) if is_class(of)] if _is_union(kind) else []


def _is_union(kind: Any) -> bool:
    return typing.get_origin(kind) in (types.UnionType, typing.Union)


def some_of(kind: Any) -> SomeOf | None:
    """Return the mark `SomeOf` of an annotation, if it has one."""
    return next((mark for mark in marks_of(kind) if isinstance(mark, SomeOf)), None)


def marks_of(kind: Any) -> tuple[Any, ...]:
    """Return what marks an annotation, beside its type."""
    return getattr(_not_null(kind), "__metadata__", ())


def bare(kind: Any) -> Any:
    """Return an annotation without its marks and without null."""
    kind = _not_null(kind)
    return _not_null(typing.get_args(kind)[0]) if hasattr(kind, "__metadata__") else kind


def _not_null(kind: Any) -> Any:
    if not _is_union(kind):
        return kind
    others = [of for of in typing.get_args(kind) if of is not type(None)]
    return others[0] if len(others) == 1 else kind
