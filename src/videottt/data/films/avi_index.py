"""Find how far the frames and the index of an AVI file reach.

The chunks are those of Microsoft's AVI RIFF File Reference and of OpenDML 1.02.
"""

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from videottt.data.films.file_part import FEW, MOST, length_of, read_at

# Lists whose parts matter; the frames are in a list of their own.
_OPENED = frozenset({b"AVI ", b"AVIX", b"hdrl", b"strl"})
_FRAMES = b"movi"
_NAME = re.compile(rb"[ -~]{4}")
_DATA = re.compile(rb"(?:[0-9]{2}(?:d[bc]|wb|tx|pc)|ix[0-9]{2})")


@dataclass(frozen=True)
class Chunk:
    """One chunk of a file, or a list by its type; it may end beyond the end of the file."""

    name: bytes
    start: int
    end: int


def needed(file: BinaryIO) -> int:
    """Return the end of the last byte that the frames and the index need."""
    length = length_of(file)
    outline = list(itertools.islice(_chunks(file, 0, _OPENED), FEW))
    ends = [_super_index_end(file, chunk) for chunk in outline if chunk.name == b"indx"]
    indexed = any(ends)
    ends += [chunk.end for chunk in outline if chunk.name == b"idx1"]
    lists = [chunk for chunk in outline if chunk.name == _FRAMES]
    if not lists:
        ends += [chunk.end for chunk in outline]
    elif (lists[-1].end > length or lists[-1].end == lists[-1].start + 8) and not indexed:
        ends.append(_frames_end(file, lists, _promised(file, outline)))
    return max(ends, default=0)


def _chunks(file: BinaryIO, start: int, opened: frozenset[bytes]) -> Iterator[Chunk]:
    """Yield the chunks from `start` on, and those inside the lists that are to be opened."""
    for _ in range(MOST):
        if len(head := read_at(file, start, 12)) < 8 or not _NAME.match(head):
            return
        size, is_list = int.from_bytes(head[4:8], "little"), head[:4] in (b"RIFF", b"LIST")
        name, end = head[8:] if is_list else head[:4], start + 8 + size
        yield Chunk(name, start, end)
        # The sizes in a recording that was never finished may be 0.
        start = start + 12 if is_list and (name in opened or size == 0) else end + size % 2


def _super_index_end(file: BinaryIO, chunk: Chunk) -> int:
    """Return the end of the last index of frames that an index of indexes lists."""
    content = read_at(file, chunk.start + 8, chunk.end - chunk.start - 8)
    if content[:4] != b"\4\0\0\0":
        return 0
    count = int.from_bytes(content[4:8], "little")
    rows = content[24:]
    entries = np.frombuffer(rows, np.dtype("<u8,<u4,<u4"), len(rows) // 16)[:count]
    return max((int(start) + int(size) for start, size, _ in entries if start), default=0)


def _promised(file: BinaryIO, outline: list[Chunk]) -> tuple[bytes, int]:
    """Return the number of the first stream of pictures, and how many frames its header tells."""
    headers = [read_at(file, part.start + 8, 36) for part in outline if part.name == b"strh"]
    for number, header in enumerate(headers):
        if header[:4] == b"vids":
            return b"%02d" % number, int.from_bytes(header[32:], "little")
    return b"00", 0


def _frames_end(file: BinaryIO, lists: list[Chunk], promised: tuple[bytes, int]) -> int:
    """Return how far the last list of frames reaches, or the index behind it, whatever its size.

    Frames are missing if the file ends inside a chunk, or has fewer than its header tells.
    """
    length = length_of(file)
    stream, frames = promised
    end = 0
    for chunk in _chunks(file, lists[-1].start, _OPENED | {_FRAMES, b"rec "}):
        if chunk.name == b"idx1":
            return chunk.end
        if _DATA.fullmatch(chunk.name):
            end = chunk.end
            frames -= chunk.name[:3] == stream + b"d"
    complete = frames <= 0 and len(lists) == 1
    return end if end > length or complete else max(lists[-1].end, length + 1)
