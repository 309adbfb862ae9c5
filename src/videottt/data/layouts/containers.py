"""Read the size that a video file declares in its container; a truncated file is smaller.

ffmpeg alone does not always notice: a file that ends between two packets decodes without an error.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

# The types of a file's first box, by ISO/IEC 14496-12, section 4.2, and QuickTime.
_FIRST_BOXES = {
    b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"styp", b"sidx", b"uuid",
}  # fmt: skip
_EBML, _SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"  # RFC 8794; RFC 9559
# The size in a RIFF file whose recording was never finished.
_UNKNOWN = 0, 0xFFFFFFFF


def declared_size(path: Path) -> int | None:
    """Return the number of bytes that a file's container declares.

    Supports MP4 and QuickTime (boxes), AVI (RIFF chunks), and Matroska and WebM (segments).

    Returns:
        the end of the last part that has begun, in bytes; None if the file declares no size.
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
    """Yield the end of each box at the top level."""
    start = 0
    while len(head := _at(file, start, 16)) >= 8:
        size, kind = int.from_bytes(head[:4]), head[4:8]
        if size == 1:
            size = int.from_bytes(head[8:])
        # A box of size 0 extends to the end of the file. Data after the last box are ignored.
        if size < 8 or not kind.isascii():
            return
        start += size
        yield start


def _chunks(file: BinaryIO) -> Iterator[int]:
    """Yield the end of each RIFF chunk; a large file has several (OpenDML)."""
    start = 0
    while (head := _at(file, start, 8))[:4] == b"RIFF" and len(head) == 8:
        size = int.from_bytes(head[4:], "little")
        if size in _UNKNOWN:
            return
        yield start + 8 + size
        start += 8 + size + size % 2


def _segments(file: BinaryIO) -> Iterator[int]:
    """Yield the ends of the EBML header and the segments, up to the first of unknown length."""
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
    # A declared position may lie beyond any offset that a system can seek.
    if start >= os.fstat(file.fileno()).st_size:
        return b""
    file.seek(start)
    return file.read(length)
