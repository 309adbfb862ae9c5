"""Write predictions in a thread of their own, while the device computes the next frame."""

import contextlib
import math
import queue
import threading
from collections.abc import Callable, Iterator

import numpy as np

from videottt.core.frame_result import FrameResult
from videottt.store.predictions import PredictionWriter

# Results that may wait for the writer; then the job waits, so that memory stays bounded.
AHEAD = 4


class BackgroundWriter:
    """A writer like `PredictionWriter` that compresses and writes predictions in a thread.

    An error of the thread is raised by the next call that adds a result, or at the end of the block
    of `in_background`. Saved states do not read the file, so they need not wait for the thread.

    Args:
        writer: the writer of the file; nothing else may use it meanwhile.
    """

    def __init__(self, writer: PredictionWriter) -> None:
        self._writer = writer
        self._waiting: queue.Queue[Callable[[], None] | None] = queue.Queue(AHEAD)
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._work, name="predictions", daemon=True)
        self._thread.start()

    def add(self, result: FrameResult) -> None:
        """Write the result of one frame, soon."""
        self._put(lambda: self._writer.add(result))

    def add_to_rung(self, updates: int, result: FrameResult) -> None:
        """Write the prediction of one frame after `updates` updates of offline training, soon."""
        self._put(lambda: self._writer.add_to_rung(updates, result))

    def update(self, loss: float) -> None:
        """Record the loss of one update of offline training."""
        self._writer.update(loss)

    def look(self, index: int, visible: np.ndarray, pixels: np.ndarray) -> None:
        """Record the reconstruction of a frame: bool [h, w] and uint8 [h, w, 3]."""
        self._writer.look(index, visible, pixels)

    def peak_memory(self, process: int, gpu: float = math.nan) -> None:
        """Record the peak memory of the job's process and of its GPU, in bytes; NaN on a CPU."""
        self._writer.peak_memory(process, gpu)

    def stop(self) -> None:
        """Write what is waiting, and end the thread."""
        self._waiting.put(None)
        self._thread.join()

    def check(self) -> None:
        """Raise the error of the thread, if it had one."""
        if self._error is not None:
            raise self._error

    def _put(self, write: Callable[[], None]) -> None:
        self.check()
        self._waiting.put(write)

    def _work(self) -> None:
        while (write := self._waiting.get()) is not None:
            # After an error the queue is emptied, so that nobody waits for a place in it.
            if self._error is None:
                try:
                    write()
                except Exception as error:
                    self._error = error


@contextlib.contextmanager
def in_background(writer: PredictionWriter) -> Iterator[BackgroundWriter]:
    """Yield a writer with a thread; at the end of the block everything is written.

    Raises:
        Exception: what writing raised.
    """
    background = BackgroundWriter(writer)
    try:
        yield background
    finally:
        background.stop()
    background.check()
