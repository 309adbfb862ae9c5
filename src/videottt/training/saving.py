"""Save the state of a training between iterations, so that a killed training can resume."""

import logging
from types import TracebackType
from typing import Self

from videottt.runtime.distributed import Processes
from videottt.runtime.interruption import Interruption
from videottt.runtime.saved_state import SavedState
from videottt.training.joint import TrainingRun

logger = logging.getLogger(__name__)


class NullSaving:
    """A saving without a state: signals end the training at once.

    Use it as a context manager around the training loop.
    """

    def resume(self, run: TrainingRun) -> None:
        """Leave the run unchanged: no state is saved."""

    def wants_to_stop(self) -> bool:
        """Return whether this process was asked to save and stop."""
        return False

    def after_iteration(self, run: TrainingRun, stop: bool) -> None:
        """Do nothing."""

    def remove(self) -> None:
        """Do nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Do nothing."""


class Saving(NullSaving):
    """A saving that writes the state at intervals, and when the training is asked to stop.

    Args:
        saved: the state on disk.
        every: seconds between two saved states.
        processes: share the training; one of them writes.
    """

    def __init__(self, saved: SavedState, every: float, processes: Processes) -> None:
        self._saved = saved
        self._processes = processes
        self._interruption = Interruption(every)
        self._rows = 0

    def resume(self, run: TrainingRun) -> None:
        """Restore the run's last saved state, if there is one."""
        state = self._saved.load()
        if state is not None:
            run.restore(state, [row for part in self._saved.parts() for row in part])
            self._rows = len(run.history)
            logger.info("resuming after iteration %d", run.iteration)

    def wants_to_stop(self) -> bool:
        """Return whether this process was asked to save and stop."""
        return self._interruption.stop_asked()

    def after_iteration(self, run: TrainingRun, stop: bool) -> None:
        """Save the state if the interval is over; stop if any process was asked to stop.

        Args:
            run: after an iteration.
            stop: whether any process was asked to stop.

        Raises:
            Stopped: `stop` is true; the state is saved.
        """
        if self._processes.writes:
            self._interruption.save_if_due(lambda: self._save(run), stop)
        if stop:
            # Wait until the state is written: the first process to leave ends all others.
            self._processes.any(False)
            raise self._interruption.stopped()

    def remove(self) -> None:
        """Delete the state of a finished training."""
        self._saved.remove()

    def _save(self, run: TrainingRun) -> None:
        if self._saved.save(run.state(), run.history[self._rows :]):
            self._rows = len(run.history)

    def __enter__(self) -> Self:
        self._interruption.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._interruption.__exit__(kind, error, trace)
