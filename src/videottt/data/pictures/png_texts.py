"""Find the texts and profiles of PNG files that Pillow refuses to unpack, and leave them out.

Pillow reads no PNG file with a text or a colour profile beyond 1 MB, or texts beyond 64 MB in all,
since a bomb may be in them. The pixels need none of them, so that nothing has to be unpacked.
"""

import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

SIGNATURE = b"\x89PNG\r\n\x1a\n"
PIXELS, END = b"IDAT", b"IEND"
# Kinds of chunks that Pillow unpacks -> the bytes of 0 before the packed part.
_PACKED = {b"zTXt": 1, b"iCCP": 1, b"iTXt": 3}
_TEXTS = {b"tEXt", *_PACKED}
# Kinds of chunks that may say how the picture is turned.
_TURNING = {b"eXIf", b"tEXt", b"zTXt", b"iTXt"}
LONGEST, LONGEST_IN_ALL = 1 << 20, 1 << 24  # bytes
LARGEST_FILE = 1 << 30  # bytes; a larger one is left to Pillow, as its copy would fill the memory


def without_long_texts(path: Path) -> Path | BinaryIO:
    """Return a picture file, or a copy of a PNG file in memory that lacks its long texts."""
    with path.open("rb") as file:
        long = list(_long_texts(file))
        if not long or path.stat().st_size > LARGEST_FILE:
            return path
        kept, place = io.BytesIO(), 0
        for start, end in long:
            file.seek(place)
            kept.write(file.read(start - place))
            place = end
        file.seek(place)
        kept.write(file.read())
    kept.seek(0)
    return kept


def turns_late(path: Path) -> bool:
    """Return whether a PNG file may say only after its pixels how it is turned."""
    with path.open("rb") as file:
        kinds = [kind for kind, _, _ in _chunks(file)]
    return PIXELS in kinds and not _TURNING.isdisjoint(kinds[kinds.index(PIXELS) :])


def _long_texts(file: BinaryIO) -> Iterator[tuple[int, int]]:
    """Yield the first byte of each chunk that is to be left out, and the byte after it."""
    left = LONGEST_IN_ALL
    for kind, start, end in _chunks(file):
        if kind not in _TEXTS:
            continue
        length = end - start
        if length <= left:
            file.seek(start + 8)
            length = _unpacked_length(kind, file.read(length - 12))
        if length > left or (kind in _PACKED and length > LONGEST):
            yield start, end
        else:
            left -= length


def _chunks(file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """Yield the kind of each chunk of a PNG file, its first byte, and the byte after it."""
    file.seek(0)
    start = len(SIGNATURE)
    if file.read(start) != SIGNATURE:
        return
    kind = b""
    while kind != END and len(header := file.read(8)) == 8:
        kind, end = header[4:], start + 12 + int.from_bytes(header[:4])
        yield kind, start, end
        start = end
        file.seek(start)


def _unpacked_length(kind: bytes, content: bytes) -> int:
    """Return the length of a text when unpacked, or more than LONGEST if it is longer than that."""
    if kind not in _PACKED:
        return len(content)
    _, _, rest = content.partition(b"\0")
    if kind == b"iTXt" and rest[:1] == b"\0":
        return len(content)
    # Behind the keyword: whether it is packed (iTXt alone), how, and two names (iTXt alone).
    packed = rest[2:].split(b"\0", 2)[-1] if kind == b"iTXt" else rest[1:]
    unpacker = zlib.decompressobj()
    try:
        length = len(unpacker.decompress(packed, LONGEST))
    except zlib.error:
        return len(content)
    return len(content) + length + (LONGEST if unpacker.unconsumed_tail else 0)
