"""Explain in one line what is wrong with settings: where, what, and the way to mend it."""

import dataclasses
import json
import re
import typing
from collections.abc import Iterable
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from videottt.core.annotations import (
    MustBe,
    choices_of,
    hints_of,
    marks_of,
    names_at,
    place_in,
)
from videottt.core.errors import InputError, nearest


@dataclasses.dataclass(frozen=True)
class Problem:
    """What is wrong with some settings.

    Attributes:
        place: of the setting: the names on the way to it.
        reason: what is wrong, and how to mend it.
    """

    place: tuple[int | str, ...]
    reason: str


class Refused(Exception):
    """Settings that are wrong; the caller knows what they are of."""

    def __init__(self, place: Iterable[int | str], reason: str) -> None:
        super().__init__(reason)
        self.problem = Problem(tuple(place), reason)

    def error(self, where: str) -> InputError:
        """Return the error to raise; `where` says what the settings are of."""
        names = ".".join(map(str, self.problem.place))
        return InputError(": ".join(filter(None, (where, names, self.problem.reason))))


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


def refusal(error: ValidationError, kind: Any) -> Refused:
    """Return the first problem: where it is, what is wrong, the nearest valid name."""
    problems = error.errors(include_url=False)
    # A wrong name explains what seems to be missing.
    problem = next((each for each in problems if each["type"] in _UNKNOWN), problems[0])
    *above, last = problem["loc"] or ("",)
    if problem["type"] in _UNKNOWN:
        place, _ = place_in(kind, above)
        return Refused(place, unknown(str(last), names_at(kind, above)))
    if problem["type"] == "missing":
        place, _ = place_in(kind, above)
        # Of a list that is too short, what is missing is at an index.
        if isinstance(last, str):
            return Refused(place, f"the setting '{last}' is missing; add it")
        return Refused(place, f"{_shown(problem['input'])} has too few entries")
    place, annotation = place_in(kind, problem["loc"])
    return Refused(place, _wrong(problem, annotation))


def unknown(name: str, known: list[str]) -> str:
    """Return the reason for refusing a name, with the nearest known one."""
    return f"unknown setting '{name}'; {nearest(name, known) if known else 'there are none'}"


def _wrong(problem: ErrorDetails, annotation: Any) -> str:
    kind, context = problem["type"], problem.get("ctx", {})
    if kind == "value_error":
        return str(context.get("error", problem["msg"]))
    shown = _shown(problem["input"])
    words = next((mark.words for mark in marks_of(annotation) if isinstance(mark, MustBe)), None)
    null = " or null" if type(None) in typing.get_args(annotation) else ""
    if words:
        return f"{shown} is not allowed; it must be {words}{null}"
    if kind == "union_tag_not_found":
        named = [f"{of.__name__} ({', '.join(hints_of(of))})" for of in choices_of(annotation)]
        return f"{shown} is not allowed; it must be settings of {' or '.join(named)}"
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
