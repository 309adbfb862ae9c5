"""Log progress: how many of how many, how fast, how long still."""

import logging
import math
import time
from datetime import timedelta

logger = logging.getLogger(__name__)

# Bytes: the `size` of what is counted in MB.
MEGABYTE = 1_000_000
# Seconds that nobody waits for.
FOREVER = 1e9


class Progress:
    """Logs a line at most every few seconds.

    Args:
        total: steps in all.
        unit: what is counted, in the plural, for example "frames".
        done: steps done before this process.
        every: seconds between two lines.
        size: steps that make one of the unit.
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
        """Say that `done` steps are done; logs only if it is time, or if that was the last step."""
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
