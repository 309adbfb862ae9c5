"""Decide when a job saves its state and when it stops: by time, signal or SLURM's limit."""

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

# Signals to save and stop.
STOPPING = (signal.SIGTERM, signal.SIGINT)
# The signal to save and go on, for example by `sbatch --signal=USR1@120`.
SAVING = signal.SIGUSR1
# The largest share of the time that saving may take.
SHARE = 0.05
# Seconds that a job stops before its allocation ends, beside twice the time of a save.
MARGIN = 20.0
# Seconds between two queries of the allocation's end, while SLURM gives no answer.
ASK_AGAIN = 60.0
# EX_TEMPFAIL of sysexits.h: the same command resumes the job.
STOPPED = 75


# The type that `signal.signal` takes and returns; None is a handler that Python did not set.
_Handler = Callable[[int, FrameType | None], Any] | int | signal.Handlers | None


class Stopped(Exception):
    """The job was asked to stop and has saved its state; the message gives the reason."""


class Interruption:
    """A context manager around a loop that decides when to save and when to stop.

    A signal handler only sets a flag, which the loop checks between two steps, so that a state is
    never saved in the middle of a step.

    A signal to stop that is ignored at the start of the block stays ignored, as SIGINT is in the
    background of a script: a Ctrl-C there is meant for the command in front. SIGTERM stops it.

    Args:
        every: seconds between two saves, longer if saving would take more than `SHARE` of the
            time; 0 saves after every step.
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
            if signal.getsignal(number) is not signal.SIG_IGN:
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
        """Return the exception to raise after the state is saved."""
        return Stopped(self._reason or "with another process that was asked to stop")

    def save_if_due(self, save: Callable[[], None], stop: bool) -> None:
        """Save between two steps if a save is due, a signal asks for it, or the job stops."""
        pause = max(self._every, self._cost / SHARE) if self._every else 0
        start = time.monotonic()
        if stop or self._save or start - self._last >= pause:
            # Cleared before saving, so that a signal during the save is not lost.
            self._save = False
            save()
            self._last = time.monotonic()
            self._cost = max(self._cost, self._last - start)

    def after_step(self, save: Callable[[], None]) -> None:
        """Save if a save is due, and end the loop if the job was asked to stop.

        Raises:
            Stopped: the job was asked to stop.
        """
        stop = self.stop_asked()
        self.save_if_due(save, stop)
        if stop:
            raise self.stopped()

    def _ends_soon(self) -> bool:
        margin = MARGIN + 2 * self._cost
        if self._end is None:
            # SLURM may not have answered the last query.
            if "SLURM_JOB_ID" not in os.environ or time.monotonic() < self._asked + ASK_AGAIN:
                return False
        elif time.time() <= self._end - margin:
            return False
        # The allocation may have been extended.
        self._end, self._asked = allocation_end(), time.monotonic()
        return self._end is not None and time.time() > self._end - margin

    def _note_stop(self, number: int, _: FrameType | None) -> None:
        self._reason = f"by {signal.Signals(number).name}"
        if number == signal.SIGINT:
            # A second Ctrl-C ends a job that hangs. SIGTERM keeps its handler, because
            # SLURM often sends it twice, to a step and to its job.
            signal.signal(number, self._before[number])

    def _note_save(self, _: int, __: FrameType | None) -> None:
        self._save = True


def allocation_end() -> float | None:
    """Return the time when SLURM ends this job, in seconds since the epoch; None if unknown.

    SLURM before 23.02 does not set SLURM_JOB_END_TIME, and Snakemake hides it; then squeue tells.
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
        queue = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
        return datetime.fromisoformat(queue.stdout.strip()).timestamp()
    # A job without a time limit has no end; squeue then prints no date.
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
