"""Estimate the cost of a training before it starts, and again from its measured rate."""

import math
import shutil
import time
from pathlib import Path

import torch
from humanize import naturalsize, precisedelta

from videottt.core.files import nearest_folder
from videottt.runtime.device import peak_memory
from videottt.settings.training import TrainingSettings
from videottt.training.joint import TrainingRun

# Leading iterations without a measurement: they are slower, as libraries and kernels are loaded.
UNMEASURED = 2
# Smallest number of iterations that a rate is measured over.
ITERATIONS = 5


def announcement(
    run: TrainingRun, settings: TrainingSettings, images: int, processes: int, state: Path | None
) -> str:
    """Return one line on the size of a training: iterations, images, and disk for its states.

    Args:
        run: the run about to start or to resume.
        settings: of the training.
        images: number of labelled images.
        processes: number of processes that share the training.
        state: folder of the saved state; None saves no state.
    """
    samples = settings.iterations * settings.batch
    line = f"{settings.iterations:,} iterations of {settings.batch} images"
    if settings.parts > 1:
        line += f" in parts of {settings.micro_batch}"
    if processes > 1:
        line += f" on {processes} processes"
    line += f": {samples:,} images, {samples / images:.1f} times each of {images:,}"
    if state:
        # Two states are kept while a third is written.
        line += (
            f"; 3 states of {naturalsize(state_bytes(run))} at most in {state}"
            f" ({naturalsize(shutil.disk_usage(nearest_folder(state)).free)} free)"
        )
    return line


def state_bytes(run: TrainingRun) -> int:
    """Return the approximate bytes of a run's saved state: weights and AdamW's two moments."""
    parameters = list(run.model.parameters())
    numbers = sum(p.numel() * (3 if p.requires_grad else 1) for p in parameters)
    return numbers * parameters[0].element_size()


class MeasuredRate:
    """The rate of a training, measured on a process's first iterations and reported once.

    Args:
        settings: of the training.
        processes: number of processes that share the training.
        device: of this process.
        seconds: shortest time that the rate is measured over.
    """

    def __init__(
        self,
        settings: TrainingSettings,
        processes: int,
        device: torch.device,
        seconds: float = 10.0,
    ) -> None:
        self._settings = settings
        self._seconds = seconds
        self._processes = processes
        self._device = device
        self._done = 0
        self._start = math.inf
        self._reported = False

    def after(self, iteration: int) -> str | None:
        """Count an iteration; return the report once enough iterations are measured, else None.

        Args:
            iteration: number of finished iterations, including those before a resume.
        """
        self._done += 1
        now = time.monotonic()
        if self._done == UNMEASURED:
            self._start = now
        measured = self._done - UNMEASURED
        if self._reported or measured < ITERATIONS or now - self._start < self._seconds:
            return None
        self._reported = True
        rate = (now - self._start) / measured
        settings = self._settings
        total, left = (rate * n for n in (settings.iterations, settings.iterations - iteration))
        line = (
            f"{settings.iterations:,} iterations take about {_time(total)} at the measured "
            f"{rate:.3g} s an iteration ({settings.batch / rate:.3g} images/s), {_time(left)} of "
            f"them still to come; {naturalsize(peak_memory(self._device))} of memory"
        )
        if self._processes == 1:
            return line
        return (
            f"{line} in each of {self._processes} processes, which are busy for "
            f"{_time(total * self._processes)} together"
        )


def _time(seconds: float) -> str:
    """Return a time in hours and minutes, never in days: GPU time is paid by the hour."""
    unit = "minutes" if seconds >= 60 else "seconds"
    longer = ("days", "months", "years")
    return precisedelta(seconds, minimum_unit=unit, suppress=longer, format="%.0f")
