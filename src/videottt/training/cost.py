"""Say what a training costs, before it starts and once its rate has been measured."""

import math
import shutil
import time
from pathlib import Path

import torch
from humanize import naturalsize, precisedelta

from videottt.core.files import nearest_folder
from videottt.runtime.device import peak_memory
from videottt.training.joint import TrainingRun
from videottt.training.settings import TrainingSettings

# The first iterations are slower than those to come: libraries are loaded, kernels are chosen.
UNMEASURED = 2
# What a rate is measured over, at least.
ITERATIONS = 5


def announcement(
    run: TrainingRun, settings: TrainingSettings, images: int, processes: int, state: Path | None
) -> str:
    """Return one line on the size of a training.

    Args:
        run: that is about to start, or to go on.
        settings: of the training.
        images: to train on.
        processes: that share it.
        state: folder where the state to resume from is kept, if anywhere.
    """
    seen = settings.iterations * settings.batch
    line = f"{settings.iterations:,} iterations of {settings.batch} images"
    if settings.parts > 1:
        line += f" in parts of {settings.micro_batch}"
    if processes > 1:
        line += f" on {processes} processes"
    line += f": {seen:,} images, {seen / images:.1f} times each of {images:,}"
    if state:
        # Two generations are kept while a third is written.
        line += (
            f"; 3 states of {naturalsize(state_bytes(run))} at most in {state}"
            f" ({naturalsize(shutil.disk_usage(nearest_folder(state)).free)} free)"
        )
    return line


def state_bytes(run: TrainingRun) -> int:
    """Return about how many bytes a state of a run takes: weights, and two moments of AdamW."""
    parameters = list(run.model.parameters())
    numbers = sum(p.numel() * (3 if p.requires_grad else 1) for p in parameters)
    return numbers * parameters[0].element_size()


class MeasuredRate:
    """Times the first iterations of a process, and says once what all of them will take.

    Args:
        settings: of the training.
        processes: that share it.
        device: of this process.
        seconds: that the rate is measured over, at least.
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
        self._said = False

    def after(self, iteration: int) -> str | None:
        """Return the line if it is time for it.

        Args:
            iteration: how many are done, those before this process included.
        """
        self._done += 1
        now = time.monotonic()
        if self._done == UNMEASURED:
            self._start = now
        measured = self._done - UNMEASURED
        if self._said or measured < ITERATIONS or now - self._start < self._seconds:
            return None
        self._said = True
        rate = (now - self._start) / measured
        settings = self._settings
        whole, left = (rate * n for n in (settings.iterations, settings.iterations - iteration))
        line = (
            f"{settings.iterations:,} iterations take about {_time(whole)} at the measured "
            f"{rate:.3g} s an iteration ({settings.batch / rate:.3g} images/s), {_time(left)} of "
            f"them still to come; {naturalsize(peak_memory(self._device))} of memory"
        )
        if self._processes == 1:
            return line
        return (
            f"{line} in each of {self._processes} processes, which are busy for "
            f"{_time(whole * self._processes)} together"
        )


def _time(seconds: float) -> str:
    """Return a time in hours and minutes: what it costs is counted in hours of a GPU."""
    unit = "minutes" if seconds >= 60 else "seconds"
    longer = ("days", "months", "years")
    return precisedelta(seconds, minimum_unit=unit, suppress=longer, format="%.0f")
