"""Add up the time of a frame by phase, without waiting for the device between phases."""

import itertools
import time
from typing import Protocol

import torch

from videottt.core.frame_result import PHASES


class Clock(Protocol):
    """A clock that is charged at the end of every phase, and read once, after the last one."""

    def charge(self, phase: str) -> None:
        """Add the time since the last charge to a phase, one of `PHASES`."""
        ...

    def wall_time(self) -> dict[str, float]:
        """Return seconds by phase, for each of `PHASES`."""
        ...


class HostClock:
    """The clock of a CPU, where an operation has ended when its call returns."""

    def __init__(self) -> None:
        self._spent = dict.fromkeys(PHASES, 0.0)
        self._last = time.perf_counter()

    def charge(self, phase: str) -> None:
        """Add the time since the last charge to a phase."""
        now = time.perf_counter()
        self._spent[phase] += now - self._last
        self._last = now

    def wall_time(self) -> dict[str, float]:
        """Return seconds by phase."""
        return dict(self._spent)


class DeviceClock:
    """The clock of a GPU: a charge leaves a mark in the GPU's queue, and nobody waits for it.

    A phase lasts from the mark before it to its own, as the GPU reaches them. `wall_time` waits
    once, for the last mark.

    Args:
        device: the GPU.
    """

    def __init__(self, device: torch.device) -> None:
        self._stream = torch.cuda.current_stream(device)
        self._marks: list[tuple[str, torch.cuda.Event]] = []
        self.charge("")

    def charge(self, phase: str) -> None:
        """Mark the end of a phase."""
        mark = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        mark.record(self._stream)
        self._marks.append((phase, mark))

    def wall_time(self) -> dict[str, float]:
        """Return seconds by phase, after the GPU has reached the last mark."""
        self._marks[-1][1].synchronize()
        spent = dict.fromkeys(PHASES, 0.0)
        for (_, start), (phase, end) in itertools.pairwise(self._marks):
            spent[phase] += start.elapsed_time(end) / 1000
        return spent


def clock_for(device: torch.device) -> Clock:
    """Return a started clock for a model's device."""
    return DeviceClock(device) if device.type == "cuda" else HostClock()
