"""Read the arguments that several verbs share."""

import argparse
import dataclasses
import itertools
import json
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from videottt.core.errors import InputError
from videottt.core.paths import named_path

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Settings = TypeVar("Settings", bound="DataclassInstance")


def settings(text: str) -> dict[str, Any]:
    """Read a JSON object from the command line, or from a file if the text starts with '@'."""
    try:
        value = _parsed(_content(text[1:]) if text.startswith("@") else text)
    except (InputError, OSError, ValueError, RecursionError) as error:
        raise argparse.ArgumentTypeError(f"not a JSON object: {error}") from None
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError("not a JSON object: write {...}")
    return value


def _content(name: str) -> str:
    return named_path(name).read_text(encoding="utf-8")


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
    """Parse JSON strictly: no key twice, no NaN or infinity.

    Raises:
        ValueError: the text is not JSON, has a key twice, or has a number that is not finite.
        RecursionError: the text is nested too deep.
    """
    return json.loads(text, object_pairs_hook=_once, parse_constant=_no_number, parse_float=_finite)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key '{key}' stands there twice; remove one")
        found[key] = value
    return found


def _finite(text: str) -> float:
    found = float(text)
    return found if math.isfinite(found) else _no_number(text)


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a finite number; write one that is")


def expanded(paths: list[str], of: list[dict[str, list[Any]]] | None) -> list[Path]:
    """Return paths with each ``{name}`` filled in, for every combination of values.

    Args:
        paths: file names, with braces only if there are values.
        of: name -> values, one mapping a group of combinations; None: return the paths unchanged.

    Raises:
        InputError: a path has a name in braces without values.
    """
    if of is None:
        return list(map(named_path, paths))
    try:
        return [
            named_path(path.format(**dict(zip(values, chosen, strict=True))))
            for path in paths
            for values in of
            for chosen in itertools.product(*values.values())
        ]
    except (KeyError, ValueError, IndexError) as error:
        raise InputError(f"{' '.join(paths)}: --of has no values for {error}; add them") from None


def names(text: str) -> list[str]:
    """Split names at commas; a comma before ``setting=`` belongs to a method's id."""
    return [name.strip() for name in re.split(r",(?!\s*[\w.]+=)", text)]


def add_saving(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that say where and how often a job saves its state."""
    parser.add_argument(
        "--state",
        type=named_path,
        help="folder of the state to resume from; by default no state is kept",
    )
    parser.add_argument("--save-every", type=float, default=60.0, help="seconds between two states")


def add_config(parser: argparse.ArgumentParser) -> None:
    """Add the argument that names a user's file of settings."""
    parser.add_argument(
        "--config",
        type=named_path,
        help="YAML file of settings, read in place of config.yaml of this folder; the defaults of "
        "workflow/config/ are below it",
    )


def add_device(parser: argparse.ArgumentParser) -> None:
    """Add the arguments for the device and the threads of a job."""
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads (default: 1)")


def from_options(kind: type[Settings], options: argparse.Namespace) -> Settings:
    """Build a dataclass from the options that are named like its fields."""
    fields = {field.name for field in dataclasses.fields(kind)}
    return kind(**{name: value for name, value in vars(options).items() if name in fields})
