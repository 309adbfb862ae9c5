"""Settings of a study as text on the command line of a job."""

import dataclasses
import json
from collections.abc import Iterable
from typing import Any

from videottt.core.ids import MethodId


def text_of(value: Any) -> Any:
    """Return a value as a command line takes it: words and numbers as they are, else JSON."""
    if isinstance(value, str | int):
        return value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = dataclasses.asdict(value)
    return json.dumps(value)


def listed(methods: Iterable[MethodId]) -> str:
    """Return methods as a command line takes them."""
    return ",".join(map(str, methods))
