"""Kinds of arguments that several verbs take."""

import argparse
import dataclasses
import itertools
import json
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from videottt.core.errors import InputError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Settings = TypeVar("Settings", bound="DataclassInstance")


def settings(text: str) -> dict[str, Any]:
    """Read a JSON object from the command line, or from a file if the text starts with '@'."""
    try:
        value = _parsed(Path(text[1:]).read_text() if text.startswith("@") else text)
    except (OSError, ValueError, RecursionError) as error:
        raise argparse.ArgumentTypeError(f"not a JSON object: {error}") from None
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError("not a JSON object: write {...}")
    return value


def products(text: str) -> list[dict[str, list[Any]]]:
    """Read a JSON list of objects {name: value or list of values}; each value becomes a list."""
    try:
        found = _parsed(text)
        return [
            {key: value if isinstance(value, list) else [value] for key, value in each.items()}
            for each in found
        ]
    except (ValueError, AttributeError, TypeError, RecursionError) as error:
        raise argparse.ArgumentTypeError(f"not a JSON list of objects: {error}") from None


def _parsed(text: str) -> Any:
    """Return what JSON says, which says nothing twice and knows no NaN.

    Raises:
        ValueError: it is not JSON, names a key twice, or has a number that JSON has not.
        RecursionError: it is nested too deep.
    """
    return json.loads(text, object_pairs_hook=_once, parse_constant=_no_number, parse_float=_finite)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key '{key}' is there twice; remove one")
        found[key] = value
    return found


def _finite(text: str) -> float:
    found = float(text)
    return found if math.isfinite(found) else _no_number(text)


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number of JSON; write another")


def expanded(paths: list[str], of: list[dict[str, list[Any]]] | None) -> list[Path]:
    """Return paths with ``{name}`` in them filled in, for every combination of values.

    Args:
        paths: file names, with braces only if there are values.
        of: name -> values, once for each group of combinations; None: the paths are as they are.

    Raises:
        InputError: a path names something that has no value.
    """
    if of is None:
        return [Path(path) for path in paths]
    try:
        return [
            Path(path.format(**dict(zip(values, chosen, strict=True))))
            for path in paths
            for values in of
            for chosen in itertools.product(*values.values())
        ]
    except (KeyError, ValueError, IndexError) as error:
        raise InputError(f"{' '.join(paths)}: --of has no values for {error}; add them") from None


def names(text: str) -> list[str]:
    """Read names separated by commas; a comma before ``setting=`` is part of a method's id."""
    return [name.strip() for name in re.split(r",(?!\s*[\w.]+=)", text)]


def add_saving(parser: argparse.ArgumentParser) -> None:
    """Add where and how often the state of a job is saved."""
    parser.add_argument(
        "--state", type=Path, help="folder for the state to resume from; without it none is kept"
    )
    parser.add_argument("--save-every", type=float, default=60.0, help="seconds between two states")


def add_device(parser: argparse.ArgumentParser) -> None:
    """Add what a job runs on."""
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=1)


def from_options(kind: type[Settings], options: argparse.Namespace) -> Settings:
    """Return a dataclass made of the options that have the names of its fields."""
    fields = {field.name for field in dataclasses.fields(kind)}
    return kind(**{name: value for name, value in vars(options).items() if name in fields})
