"""Find how far the frames and the index of a Matroska or WebM file reach.

The elements are those of RFC 8794 (EBML) and RFC 9559 (Matroska).
"""

import itertools
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from videottt.data.films.file_part import MOST, length_of, read_at

_SEGMENT = 0x18538067
_SEEK_HEAD, _INFO, _TRACKS, _CLUSTER, _CUES = (
    0x114D9B74, 0x1549A966, 0x1654AE6B, 0x1F43B675, 0x1C53BB6B,
)  # fmt: skip
_SEEK_ID, _SEEK_POSITION = 0x53AB, 0x53AC
_DURATION = 0x4489
_TIME, _SIMPLE_BLOCK, _GROUP, _BLOCK = 0xE7, 0xA3, 0xA0, 0xA1
_VITAL = {_SEEK_HEAD, _INFO, _TRACKS, _CLUSTER, _CUES, _SIMPLE_BLOCK, _GROUP}
# Attachments, chapters, tags, empty space, checksums; the time, place and size of a cluster.
_EXTRA = {0x1941A469, 0x1043A770, 0x1254C367, 0xEC, 0xBF, _TIME, 0xA7, 0xAB}


@dataclass(frozen=True)
class Element:
    """One element of a file; it may end beyond the end of the file, or not tell where it ends."""

    name: int
    start: int
    body: int
    end: int | None


def elements(file: BinaryIO, start: int, stop: int) -> Iterator[Element]:
    """Yield the elements from `start` on; one of unknown length is followed by its parts."""
    for _ in range(MOST):
        head = read_at(file, start, 12) if start < stop else b""
        if not head or not head[0] >> 4:
            return
        width = 9 - head[0].bit_length()
        if len(head) <= width or not head[width]:
            return
        size_width = 9 - head[width].bit_length()
        unknown = (1 << 7 * size_width) - 1
        size = int.from_bytes(head[width : width + size_width]) & unknown
        body = start + width + size_width
        end = None if size == unknown else body + size
        yield Element(int.from_bytes(head[:width]), start, body, end)
        start = body if end is None else end


def needed(file: BinaryIO, declared: int | None) -> int:
    """Return the end of the last byte that the frames and the index need.

    Args:
        file: the Matroska file.
        declared: its size as its segment declares it; None if it does not.
    """
    length = length_of(file)
    segment = next((e for e in elements(file, 0, length) if e.name == _SEGMENT), None)
    if segment is None:
        return declared or 0
    parts: dict[int, Element] = {}
    for part in elements(file, segment.body, length):
        if part.name not in _VITAL | _EXTRA:
            break
        if part.name != _SEEK_HEAD or part.name not in parts:
            parts[part.name] = part
    place = _place_of_cues(file, parts.get(_SEEK_HEAD), segment.body)
    if place is not None and _CUES not in parts:
        found = next(elements(file, place, length), None)
        if found is None or found.name != _CUES:
            return max(place + 1, declared or 0)
        parts[_CUES] = found
    cluster, cues = parts.get(_CLUSTER), parts.get(_CUES)
    # The index of a whole file comes last, unless it was moved to the front.
    if cues is not None and cluster is not None and cues.start > cluster.start:
        return cues.end or 0
    end = max((part.end or 0 for name, part in parts.items() if name in _VITAL), default=0)
    if declared is not None and declared > length >= end and not _is_long_enough(file, parts):
        return declared
    return end


def _place_of_cues(file: BinaryIO, head: Element | None, base: int) -> int | None:
    """Return where a segment's table of contents says that the index is."""
    for entry in _children(file, head):
        parts = {part.name: _content(file, part) for part in _children(file, entry)}
        if int.from_bytes(parts.get(_SEEK_ID, b"")) == _CUES and _SEEK_POSITION in parts:
            return base + int.from_bytes(parts[_SEEK_POSITION])
    return None


def _children(file: BinaryIO, element: Element | None) -> list[Element]:
    """Return the whole parts of an element that has an end."""
    if element is None or element.end is None:
        return []
    stop = min(element.end, length_of(file))
    parts = elements(file, element.body, stop)
    whole = (part for part in parts if part.end is not None and part.end <= stop)
    return list(itertools.islice(whole, MOST >> 6))


def _content(file: BinaryIO, element: Element) -> bytes:
    # No number is longer.
    return read_at(file, element.body, min(8, (element.end or 0) - element.body))


def _is_long_enough(file: BinaryIO, parts: dict[int, Element]) -> bool:
    """Return whether the last frame, or the last sound, ends when the header tells."""
    told = {e.name: _content(file, e) for e in _children(file, parts.get(_INFO))}.get(_DURATION)
    if told is None or len(told) not in (4, 8):
        return False
    duration = struct.unpack(">f" if len(told) == 4 else ">d", told)[0]
    times = sorted(_times(file, parts.get(_CLUSTER)))
    step = max((after - before for before, after in itertools.pairwise(times)), default=0)
    return bool(times) and duration <= times[-1] + 1.5 * step


def _times(file: BinaryIO, cluster: Element | None) -> Iterator[int]:
    """Yield the time of each frame and each sound of a cluster, in the unit of the file."""
    start = 0
    for element in _children(file, cluster):
        if element.name == _TIME:
            start = int.from_bytes(_content(file, element))
        inner = _children(file, element) if element.name == _GROUP else [element]
        for block in inner:
            if block.name in (_SIMPLE_BLOCK, _BLOCK):
                content = _content(file, block)
                width = 9 - content[0].bit_length() if content else 0
                yield start + int.from_bytes(content[width : width + 2], signed=True)
