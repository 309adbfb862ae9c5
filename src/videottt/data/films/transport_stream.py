"""Tell in MPEG transport streams the joints of whole segments from lost packets.

Each packet has a counter of four bits (ISO/IEC 13818-1, section 2.4.3). It starts again in each
segment, so that ffmpeg calls a packet corrupt where segments were joined by `cat`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

_SYNC = 0x47
# The bytes before a packet and after it: plain, with an arrival time (Blu-ray), with parity.
_AROUND = (0, 0), (4, 0), (0, 16)
_LENGTH = 188
_TABLE = 0  # the identifier of the program association table, which begins each segment
# Identifiers below are of tables, and that of padding has no counter.
_FIRST, _PADDING = 0x20, 0x1FFF
_AT_ONCE = 1 << 16  # packets


@dataclass
class _Seen:
    """What the last packet of each identifier was.

    Attributes:
        counter: its counter; -1 where no packet has been seen.
        tables: the number of program association tables before it.
    """

    counter: np.ndarray
    tables: np.ndarray


def is_joined(path: Path) -> bool:
    """Return whether a file is a transport stream that consists of several whole segments.

    Wherever a counter jumps, a table begins a new segment and the packet begins a new frame.
    """
    seen = _Seen(np.full(1 << 13, -1), np.zeros(1 << 13, np.int64))
    joints = 0
    for packets in _packets(path):
        if not (packets[:, 0] == _SYNC).all() or (packets[:, 1] & 0x80).any():
            return False
        breaks, begins = _breaks(packets, seen)
        if (breaks & ~begins).any():
            return False
        joints += int(np.count_nonzero(breaks))
    return joints > 0


def _packets(path: Path) -> Iterator[np.ndarray]:
    """Yield the whole packets of a file, as uint8 [packets, 188]; none if it has another format."""
    with path.open("rb") as file:
        head = file.read(4 * (_LENGTH + 16))
        for before, after in _AROUND:
            stride = before + _LENGTH + after
            if len(head) > 3 * stride and set(head[before::stride][:4]) == {_SYNC}:
                break
        else:
            return
        file.seek(0)
        while len(data := file.read(_AT_ONCE * stride)) >= stride:
            whole = np.frombuffer(data, np.uint8, len(data) // stride * stride)
            yield whole.reshape(-1, stride)[:, before : before + _LENGTH]


def _breaks(packets: np.ndarray, seen: _Seen) -> tuple[np.ndarray, np.ndarray]:
    """Return where a counter jumps, and where a segment and a frame begin; note what was `seen`."""
    identifier = (packets[:, 1].astype(np.int64) & 0x1F) << 8 | packets[:, 2]
    counter = packets[:, 3] & 0x0F
    tables = int(seen.tables.max()) + np.cumsum(identifier == _TABLE)
    order = np.argsort(identifier, kind="stable")
    identifier, counter, tables = identifier[order], counter[order], tables[order]
    begins, payload, announced = _flags(packets[order])
    first = np.diff(identifier, prepend=-1) != 0
    before = np.where(first, seen.counter[identifier], np.roll(counter, 1).astype(np.int64))
    tables_before = np.where(first, seen.tables[identifier], np.roll(tables, 1))
    expected = (before + payload) & 0x0F
    counted = (identifier >= _FIRST) & (identifier != _PADDING) & (before >= 0)
    seen.counter[identifier], seen.tables[identifier] = counter, tables
    breaks = counted & (counter != expected) & ~announced
    return breaks, begins & (tables > tables_before)


def _flags(packets: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return whether each packet begins a frame, has a payload, and announces a jump."""
    begins = (packets[:, 1] & 0x40) > 0
    payload = (packets[:, 3] & 0x10) > 0
    adapted = ((packets[:, 3] & 0x20) > 0) & (packets[:, 4] > 0)
    return begins, payload, adapted & ((packets[:, 5] & 0x80) > 0)
