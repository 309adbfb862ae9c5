"""Name what a result is of: its task, its method and its job."""

import functools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from videottt.core.errors import InputError, nearest

# Of a stream; a method exists for all of them unless it says otherwise.
TASKS = ("semantic", "instance", "panoptic", "colorization")
# How the unlimited window is written in ids and lists of values.
ALL = "all"

# YAML 1.1 takes 1e-3 for a word.
_EXPONENT = re.compile(r"[+-]?\d+(\.\d*)?[eE][+-]?\d+")


def check_known(name: str, names: Iterable[str], what: str, where: str) -> None:
    """Check that a name is one of those that exist.

    Raises:
        InputError: it is none of `names`; `what` says of what kind, `where` where to correct it.
    """
    if name not in names:
        raise InputError(f"{where}: unknown {what} '{name}'; {nearest(str(name), names)}")


@dataclass(frozen=True)
class JobKey:
    """The ids of one job of a stream: one method on one video, with one seed.

    Attributes:
        dataset: id of the data set.
        task: one of `TASKS`.
        method: id of the method, with what a variant changes.
        seed: at least 0.
        video: id of the video.
    """

    dataset: str
    task: str
    method: str
    seed: int
    video: str

    @property
    def draws(self) -> tuple[int, str, str]:
        """Return what the job's random draws are keyed by, beside frame and iteration.

        Task and method are not part of it: methods are compared on the same draws.
        """
        return self.seed, self.dataset, self.video


@dataclass(frozen=True)
class MethodId:
    """The id of a method, or of a variant of it: ``online_ttt_mae,window=4,steps=2``.

    Attributes:
        base: id of the method in config.yaml.
        changes: the variant's part of the id, from its first comma on; empty for the method itself.
        overrides: dotted setting -> value that the variant changes; None is no limit.
    """

    base: str
    changes: str = ""
    overrides: Mapping[str, Any] = field(default_factory=dict, hash=False, compare=False)

    def __str__(self) -> str:
        return self.base + self.changes

    @classmethod
    def parse(cls, text: str) -> "MethodId":
        """Return the id that a text is; values are written as in YAML, ``all`` for no limit.

        Raises:
            InputError: the changes are not written as ``setting=value``.
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
    # Beside errors of its own, YAML has those of dates and numbers that are none.
    except (yaml.YAMLError, ValueError, LookupError, AttributeError, RecursionError):
        raise InputError(
            f"method '{method}': '{text}' is no value; write a number, a word or all"
        ) from None
