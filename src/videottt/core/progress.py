"""Log the progress of a loop: steps done, rate and time left."""

import logging
import math
import time
from datetime import timedelta

logger = logging.getLogger(__name__)

# In bytes; the `size` of progress that is counted in MB.
MEGABYTE = 1_000_000
# In seconds; a longer time left is logged as "?".
FOREVER = 1e9


class Progress:
    """A log of progress with at most one line every few seconds.

    Args:
        total: steps in all.
        unit: the unit in the log, in the plural, for example "frames".
        done: steps done before this process started.
        every: seconds between two lines.
        size: steps per unit.
    """

    def __init__(
        self, total: int, unit: str, done: int = 0, every: float = 5.0, size: int = 1
    ) -> None:
        self._total = total
        self._unit = unit
        self._first = done
        self._every = every
        self._size = size
        self._start = time.monotonic()
        self._last = self._start

    def report(self, done: int, detail: str = "") -> None:
        """Log that `done` steps are done, if a line is due or the last step is done."""
        now = time.monotonic()
        if now - self._last < self._every and done < self._total:
            return
        self._last = now
        rate = (done - self._first) / max(now - self._start, 1e-9)
        seconds = (self._total - done) / rate if rate else math.inf
        left = timedelta(seconds=round(seconds)) if seconds < FOREVER else "?"
        logger.info(
            "%d/%d %s · %.2f %s/s · %s left%s",
            done // self._size, self._total // self._size, self._unit,
            rate / self._size, self._unit, left,
            f" · {detail}" if detail else "",
        )  # fmt: skip
