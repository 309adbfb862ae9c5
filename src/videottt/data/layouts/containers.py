"""How many bytes a video file says it has: less than that are there if it was cut off.

ffmpeg alone does not always tell: what is cut between two packets is missing without a trace.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

# ISO/IEC 14496-12, section 4.2, and QuickTime: what the first box of a file may be.
_FIRST_BOXES = {
    b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"styp", b"sidx", b"uuid",
}  # fmt: skip
_EBML, _SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"  # RFC 8794; RFC 9559
_UNKNOWN = 0, 0xFFFFFFFF  # of a RIFF file that was recorded and never finished


def declared_size(path: Path) -> int | None:
    """Return the number of bytes that a file's own structure announces.

    Known of MP4 and QuickTime (boxes), AVI (RIFF chunks) and Matroska and WebM (the segment).

    Returns:
        the end of the last part that has begun, in bytes; None where the file does not say.
    """
    with path.open("rb") as file:
        head = file.read(12)
        if head[4:8] in _FIRST_BOXES:
            ends = _boxes(file)
        elif head[:4] == b"RIFF" and head[8:] == b"AVI ":
            ends = _chunks(file)
        elif head[:4] == _EBML:
            ends = _segments(file)
        else:
            ends = iter(())
        return max(ends, default=None)


def _boxes(file: BinaryIO) -> Iterator[int]:
    """Yield where each box at the top level ends."""
    start = 0
    while len(head := _at(file, start, 16)) >= 8:
        size, kind = int.from_bytes(head[:4]), head[4:8]
        if size == 1:
            size = int.from_bytes(head[8:])
        # A box of size 0 goes on to the end; what is no box is not the video's.
        if size < 8 or not kind.isascii():
            return
        start += size
        yield start


def _chunks(file: BinaryIO) -> Iterator[int]:
    """Yield where each RIFF chunk ends; a large file has several (OpenDML)."""
    start = 0
    while (head := _at(file, start, 8))[:4] == b"RIFF" and len(head) == 8:
        size = int.from_bytes(head[4:], "little")
        if size in _UNKNOWN:
            return
        yield start + 8 + size
        start += 8 + size + size % 2


def _segments(file: BinaryIO) -> Iterator[int]:
    """Yield where the EBML header and the segments end, as far as their lengths are known."""
    start = 0
    while (head := _at(file, start, 12))[:4] in (_EBML, _SEGMENT) and len(head) > 4 and head[4]:
        width = 9 - head[4].bit_length()
        bits = 7 * width
        size = int.from_bytes(head[4 : 4 + width]) & ((1 << bits) - 1)
        if size == (1 << bits) - 1:
            return
        start += 4 + width + size
        yield start


def _at(file: BinaryIO, start: int, length: int) -> bytes:
    # What a file announces may lie further than any system seeks.
    if start >= os.fstat(file.fileno()).st_size:
        return b""
    file.seek(start)
    return file.read(length)
