"""Save the state of a training between two iterations, so that it goes on where it was killed."""

import logging
from types import TracebackType
from typing import Self

from videottt.runtime.distributed import Processes
from videottt.runtime.interruption import Interruption
from videottt.runtime.saved_state import SavedState
from videottt.training.joint import TrainingRun

logger = logging.getLogger(__name__)


class NullSaving:
    """Keep no state: signals end the training at once. A context manager around its loop."""

    def resume(self, run: TrainingRun) -> None:
        """Leave a run as it is: there is nothing to go on from."""

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
    """Save when it is time, and when the training is asked to stop.

    Args:
        saved: the state on disk.
        every: seconds between two states.
        processes: that share the training; one of them writes.
    """

    def __init__(self, saved: SavedState, every: float, processes: Processes) -> None:
        self._saved = saved
        self._processes = processes
        self._interruption = Interruption(every)
        self._rows = 0

    def resume(self, run: TrainingRun) -> None:
        """Bring a run to where its last state was saved, if there is one."""
        state = self._saved.load()
        if state is not None:
            run.restore(state, [row for part in self._saved.parts() for row in part])
            self._rows = len(run.history)
            logger.info("resuming after iteration %d", run.iteration)

    def wants_to_stop(self) -> bool:
        """Return whether this process was asked to save and stop."""
        return self._interruption.stop_asked()

    def after_iteration(self, run: TrainingRun, stop: bool) -> None:
        """Save if it is time; leave if any process was asked to.

        Raises:
            Stopped: one was.
        """
        if self._processes.writes:
            self._interruption.save_if_due(lambda: self._save(run), stop)
        if stop:
            # None may leave before the state is written: leaving would end all.
            self._processes.any(False)
            raise self._interruption.stopped()

    def remove(self) -> None:
        """Delete the state of a training that is done."""
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
