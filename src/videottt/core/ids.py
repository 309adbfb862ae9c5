"""Identify tasks, methods and jobs."""

import functools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import yaml

from videottt.core.errors import InputError, nearest

# A method supports every task unless its settings restrict it.
TaskName = Literal["semantic", "instance", "panoptic", "colorization"]
TASKS: tuple[str, ...] = get_args(TaskName)
# Stands for an unlimited window in ids and lists of values.
ALL = "all"

# YAML 1.1 reads 1e-3 as text.
_EXPONENT = re.compile(r"[+-]?\d+(\.\d*)?[eE][+-]?\d+")


def check_known(name: str, names: Iterable[str], what: str, where: str) -> None:
    """Check that a name is valid.

    Args:
        name: the name to check.
        names: the valid names.
        what: the kind of name, for the error.
        where: the file or key to correct, for the error.

    Raises:
        InputError: `name` is not one of `names`.
    """
    if name not in names:
        raise InputError(f"{where}: unknown {what} '{name}'; {nearest(str(name), names)}")


@dataclass(frozen=True)
class JobKey:
    """The ids of one job: one method on one video, for one task and with one seed.

    Attributes:
        dataset: id of the data set.
        task: one of `TASKS`.
        method: id of the method or of its variant, see `MethodId`.
        seed: at least 0.
        video: id of the video.
    """

    dataset: str
    task: str
    method: str
    seed: int
    video: str

    @property
    def draws(self) -> tuple[str, int, str, str]:
        """Return the key of the job's random draws, from the stage to the video.

        The key leaves task and method out, so that methods are compared on the same draws.
        """
        return self.draws_of("stream")

    def draws_of(self, stage: str) -> tuple[str, int, str, str]:
        """Return the key of another stage's random draws on the same video."""
        return stage, self.seed, self.dataset, self.video


@dataclass(frozen=True)
class MethodId:
    """The id of a method or of its variant, such as ``online_ttt_mae,window=4,steps=2``.

    Attributes:
        base: id of the method in config.yaml.
        changes: part of the id from its first comma on; empty for the method itself.
        overrides: the variant's settings, dotted key -> value; None means no limit.
    """

    base: str
    changes: str = ""
    overrides: Mapping[str, Any] = field(default_factory=dict, hash=False, compare=False)

    def __str__(self) -> str:
        return self.base + self.changes

    @classmethod
    def parse(cls, text: str) -> "MethodId":
        """Parse the id of a method; values are written as in YAML, ``all`` means no limit.

        Raises:
            InputError: a change is not written as ``setting=value``.
        """
        return _parsed_id(text)

    def with_base(self, base: str) -> "MethodId":
        """Return the same variant of another method."""
        return MethodId(base, self.changes, self.overrides)


@functools.cache
def _parsed_id(text: str) -> MethodId:
    base, *changes = text.split(",")
    overrides = {}
    for change in changes:
        key, equals, value = change.partition("=")
        if not (key and equals and value):
            raise InputError(
                f"method '{text}': '{change}' is not a change; write setting=value, for example "
                f"{base},window=4"
            )
        overrides[key] = _value(text, value)
    return MethodId(base, text.removeprefix(base), overrides)


def _value(method: str, text: str) -> Any:
    if text == ALL:
        return None
    try:
        return float(text) if _EXPONENT.fullmatch(text) else yaml.safe_load(text)
    # YAML also raises errors of other types, for invalid dates and numbers.
    except (yaml.YAMLError, ValueError, LookupError, AttributeError, RecursionError):
        raise InputError(
            f"method '{method}': '{text}' is not a value; write a number, a word or all"
        ) from None
