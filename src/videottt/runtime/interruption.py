"""When a running job saves its state, and when it stops: by time, by signal, before SLURM does."""

import logging
import os
import signal
import subprocess
import time
from collections.abc import Callable
from datetime import datetime
from types import FrameType, TracebackType
from typing import Any, Self

logger = logging.getLogger(__name__)

# What asks to save and stop.
STOPPING = (signal.SIGTERM, signal.SIGINT)
# What asks to save and go on, for example `sbatch --signal=USR1@120`.
SAVING = signal.SIGUSR1
# Of the time, what saving may take.
SHARE = 0.05
# Seconds between the last save and the end of an allocation, beside twice what a save takes.
MARGIN = 20.0
# Seconds until SLURM is asked again when a job ends, if it has not said so.
ASK_AGAIN = 60.0
# sysexits.h: a temporary failure; the same command will go on from here.
STOPPED = 75


# What `signal.signal` takes and returns; None of one that Python did not set.
_Handler = Callable[[int, FrameType | None], Any] | int | signal.Handlers | None


class Stopped(Exception):
    """The job was asked to stop, and its state is saved; the message says by what or why."""


class Interruption:
    """Says when to save and when to stop; a context manager around a loop.

    Signals only leave a note: the loop looks between two of its steps, so that a state is never
    that of half a step.

    Args:
        every: seconds between two saves; longer where saving would take too much of them. 0 saves
            after every step.
    """

    def __init__(self, every: float) -> None:
        self._every = every
        self._last = time.monotonic()
        self._cost = 0.0
        self._save = False
        self._reason: str | None = None
        self._before: dict[int, _Handler] = {}
        self._end, self._asked = allocation_end(), time.monotonic()

    def __enter__(self) -> Self:
        for number in STOPPING:
            self._before[number] = signal.signal(number, self._note_stop)
        self._before[SAVING] = signal.signal(SAVING, self._note_save)
        self._last = time.monotonic()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def stop_asked(self) -> bool:
        """Return whether to stop after the next save."""
        if self._reason is None and self._ends_soon():
            self._reason = "before the end of its SLURM allocation"
        return self._reason is not None

    def stopped(self) -> Stopped:
        """Return what to raise after having saved."""
        return Stopped(self._reason or "with another process that was asked to")

    def save_if_due(self, save: Callable[[], None], stop: bool) -> None:
        """Save, between two steps, if it is time, if a signal asks for it, or before a stop."""
        pause = max(self._every, self._cost / SHARE) if self._every else 0
        start = time.monotonic()
        if stop or self._save or start - self._last >= pause:
            # Before, so that a signal that comes meanwhile is not lost.
            self._save = False
            save()
            self._last = time.monotonic()
            self._cost = max(self._cost, self._last - start)

    def after_step(self, save: Callable[[], None]) -> None:
        """Save if it is time, and leave the loop if someone asked for it.

        Raises:
            Stopped: someone did.
        """
        stop = self.stop_asked()
        self.save_if_due(save, stop)
        if stop:
            raise self.stopped()

    def _ends_soon(self) -> bool:
        margin = MARGIN + 2 * self._cost
        if self._end is None:
            # SLURM may not have answered.
            if "SLURM_JOB_ID" not in os.environ or time.monotonic() < self._asked + ASK_AGAIN:
                return False
        elif time.time() <= self._end - margin:
            return False
        # The end that is known may have been put off.
        self._end, self._asked = allocation_end(), time.monotonic()
        return self._end is not None and time.time() > self._end - margin

    def _note_stop(self, number: int, _: FrameType | None) -> None:
        self._reason = f"by {signal.Signals(number).name}"
        if number == signal.SIGINT:
            # A second Ctrl-C ends what hangs. SIGTERM often comes twice: to a step and to its job.
            signal.signal(number, self._before[number])

    def _note_save(self, _: int, __: FrameType | None) -> None:
        self._save = True


def allocation_end() -> float | None:
    """Return when SLURM ends this job, in seconds since the epoch, if it says so.

    Before version 23.02 it does not tell the job, and Snakemake hides it: the queue is asked.
    """
    try:
        return float(os.environ["SLURM_JOB_END_TIME"])
    except (KeyError, ValueError):
        pass
    job = os.environ.get("SLURM_JOB_ID", "")
    if not job.isdecimal():
        return None
    command = ["squeue", "--noheader", "--jobs", job, "--format", "%e"]
    try:
        told = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
        return datetime.fromisoformat(told.stdout.strip()).timestamp()
    # A job without a limit has no end either.
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
