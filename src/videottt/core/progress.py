"""Progress in a log: how many of how many, how fast, how long still."""

import logging
import time

logger = logging.getLogger(__name__)


class Progress:
    """Logs a line at most every few seconds.

    Args:
        total: steps in all.
        unit: of a step, in the plural, for example "frames".
        done: steps done before this process.
        every: seconds between two lines.
    """

    def __init__(self, total: int, unit: str, done: int = 0, every: float = 5.0) -> None:
        self._total = total
        self._unit = unit
        self._first = done
        self._every = every
        self._start = time.monotonic()
        self._last = self._start

    def report(self, done: int, detail: str = "") -> None:
        """Say that `done` steps are done; logs only if it is time, or if that was the last step."""
        now = time.monotonic()
        if now - self._last < self._every and done < self._total:
            return
        self._last = now
        rate = (done - self._first) / max(now - self._start, 1e-9)
        left = (self._total - done) / rate if rate else float("inf")
        logger.info(
            "%d/%d %s · %.2f %s/s · %s left%s",
            done, self._total, self._unit, rate, self._unit, _duration(left),
            f" · {detail}" if detail else "",
        )  # fmt: skip


def _duration(seconds: float) -> str:
    if seconds == float("inf"):
        return "?"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
