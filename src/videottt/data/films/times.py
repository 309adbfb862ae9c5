"""Give each frame of a film a time after that of the frame before, where its time stamps do not.

A stamp is right if it belongs to the longest ascending run of the stamps around it, so that a
single stamp far ahead spoils only itself. A frame whose stamp is wrong or missing is kept, because
its picture is as good as any, and is spread evenly between the frames beside it: right stamps never
change. Where the clock starts again, as in files joined by `cat`, time goes on.
"""

import itertools
import logging
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from statistics import median

from videottt.core.errors import InputError
from videottt.data.films.ffmpeg_decoder import Picture, re_encoding

logger = logging.getLogger(__name__)

AHEAD = 8  # frames
PERIOD = 1 / 25  # in seconds, of a film of which no two stamps ascend
# Frames after which a film is given up whose stamps are mostly wrong.
SAMPLE = 100

# The places and the seconds of stamps that ascend.
_Run = list[tuple[int, float]]


def timed(path: Path, pictures: Iterator[Picture]) -> Iterator[tuple[float, Picture]]:
    """Yield each picture with its time in seconds, which ascends strictly.

    What is mended is logged at the end. The memory needed does not grow with the length.

    Raises:
        InputError: more than half of the stamps are wrong.
    """
    times: deque[float] = deque(maxlen=AHEAD)
    wrong, first, shift, restarted = 0, 0, 0.0, 0
    for index, held in enumerate(_windows(pictures)):
        stamps = [None if each.timestamp is None else each.timestamp + shift for each in held]
        if times and _starts_again(stamps, times[-1]):
            restarted += 1
            later = times[-1] + _period(enumerate(times)) - (stamps[0] or 0.0)
            stamps = [None if stamp is None else stamp + later for stamp in stamps]
            shift += later
        time = _time(stamps, times)
        if time != stamps[0]:
            first = first if wrong else index
            wrong += 1
        if (index >= SAMPLE or len(held) == 1) and wrong > (index + 1) / 2:
            raise InputError(
                f"{path}: its time stamps cannot be used: {wrong} of the first {index + 1} "
                "are missing, repeated or go back; give each frame a new one, here for 25 frames a "
                f"second: {re_encoding(path, '-vf setpts=N/25/TB')}"
            )
        times.append(time)
        yield time, held[0]
    if wrong:
        logger.warning(
            "%s: %d time stamp(s) are missing, repeated or go back, the first at frame %d; these "
            "frames are kept, and placed between those before and after them",
            path, wrong, first,
        )  # fmt: skip
    if restarted:
        logger.warning(
            "%s: its clock goes back and starts again %d time(s); time goes on there as before",
            path, restarted,
        )  # fmt: skip


def _windows(pictures: Iterator[Picture]) -> Iterator[Sequence[Picture]]:
    """Yield each picture together with up to `AHEAD` that follow it."""
    held = deque(itertools.islice(pictures, AHEAD))
    for picture in pictures:
        held.append(picture)
        yield held
        held.popleft()
    while held:
        yield held
        held.popleft()


def _starts_again(stamps: Sequence[float | None], before: float) -> bool:
    """Return whether stamps ascend among themselves, but all lie before a time."""
    present = [stamp for stamp in stamps if stamp is not None]
    ascends = all(stamp < after for stamp, after in itertools.pairwise(present))
    return ascends and len(present) == len(stamps) > 1 and present[-1] <= before


def _time(stamps: Sequence[float | None], before: Sequence[float]) -> float:
    """Return the time of the first of some frames.

    Args:
        stamps: the stamps of the frame and of those that follow it; None where one is missing.
        before: the times of the frames before it.
    """
    run = _ascending(stamps, before[-1] if before else None)
    if not run:
        return before[-1] + _period(enumerate(before)) if before else 0.0
    place, stamp = run[0]
    if place == 0:
        return stamp
    if before:
        return before[-1] + (stamp - before[-1]) / (place + 1)
    return stamp - place * _period(run)


def _ascending(stamps: Sequence[float | None], above: float | None) -> _Run:
    """Return the longest run of stamps that ascends above a time, of several the lowest."""
    runs: list[_Run] = []
    for place, stamp in reversed(list(enumerate(stamps))):
        if stamp is not None and (above is None or stamp > above):
            following = _longest([run for run in runs if run[0][1] > stamp])
            runs.insert(0, [(place, stamp), *following])
    return _longest(runs)


def _longest(runs: list[_Run]) -> _Run:
    return max(runs, key=lambda run: (len(run), -run[0][1]), default=[])


def _period(run: Iterable[tuple[int, float]]) -> float:
    pairs = itertools.pairwise(run)
    gaps = [(stamp - before) / (place - earlier) for (earlier, before), (place, stamp) in pairs]
    return median(gaps) if gaps else PERIOD
