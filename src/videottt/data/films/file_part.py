"""Read parts of a file whose positions the file itself declares, which may be wrong or hostile."""

import os
from typing import BinaryIO

# No table in an ordinary film is as large: in 32 MiB are the sizes of 90 hours of frames.
LARGEST = 1 << 25
# Nor are there as many parts in a row, or as many inside one part that is not their main list.
MOST, FEW = 1 << 22, 1 << 12


def length_of(file: BinaryIO) -> int:
    """Return the number of bytes of an open file."""
    return os.fstat(file.fileno()).st_size


def read_at(file: BinaryIO, start: int, length: int) -> bytes:
    """Return the bytes at a position, as many as are there and not too many for the memory."""
    # A declared position may lie beyond any offset that a system can seek.
    if not 0 <= start < length_of(file):
        return b""
    file.seek(start)
    return file.read(max(0, min(length, LARGEST)))
