"""Measure work in seconds of the processor, and print what was measured as JSON."""

import json
import resource
import statistics
from collections.abc import Callable, Mapping


def processor_seconds() -> float:
    """Return the seconds of processor time of this process and of its children that have ended.

    Other work on the machine does not count, unlike in the time of a clock.
    """
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def alternated(works: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Return the median processor seconds of each work.

    The works take turns, so that what slows the machine for a while slows all of them. A first
    round, which pays for imports and caches, does not count.
    """
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for counts in (False, *[True] * rounds):
        for name, work in works.items():
            start = processor_seconds()
            work()
            seconds[name] += [processor_seconds() - start] if counts else []
    return {name: statistics.median(values) for name, values in seconds.items()}


def print_result(result: Mapping[str, object]) -> None:
    """Print a result as one line of JSON; numbers have four digits that count."""
    print(json.dumps(_shortened(result)))


def _shortened(value: object) -> object:
    if isinstance(value, Mapping):
        return {str(name): _shortened(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_shortened(each) for each in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value
