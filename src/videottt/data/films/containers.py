"""Read how many bytes a video file should have; a truncated file is smaller.

ffmpeg alone does not always notice: a file that ends between two packets decodes without an error.
The sizes that a file declares may be wrong: only what its index needs must be there.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from videottt.data.films import avi_index, matroska_index, mp4_index
from videottt.data.films.file_part import MOST, length_of, read_at

# The types of a file's first box, by ISO/IEC 14496-12, section 4.2, and QuickTime.
_FIRST_BOXES = {
    b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"styp", b"sidx", b"uuid",
}  # fmt: skip
_EBML, _SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"  # RFC 8794; RFC 9559
# Boxes that end a file, or would hold its frames; what other types declare may be chance.
_KNOWN_BOXES = _FIRST_BOXES | {b"moof", b"mfra", b"meta", b"udta"}
_PAGE, _TAGS = b"OggS", (b"\x08", b"\x09", b"\x12")
# The size in a RIFF file whose recording was never finished.
_UNKNOWN = 0, 0xFFFFFFFF


def declared_size(path: Path) -> int | None:
    """Return the number of bytes that a file's container declares, rightly or not.

    Supports MP4 and QuickTime (boxes), AVI (RIFF chunks), and Matroska and WebM (segments).

    Returns:
        the end of the last part that has begun, in bytes; None if the file declares no size.
    """
    with path.open("rb") as file:
        return _declared(file)


def needed_size(path: Path) -> int:
    """Return the number of bytes that hold all frames, all sound and the index of a file.

    Supports the containers of `declared_size`, Ogg (pages) and FLV (tags).

    Returns:
        the end of the last part that is known to be needed, in bytes; 0 if none is known.
    """
    with path.open("rb") as file:
        head = file.read(12)
        if head[4:8] in _FIRST_BOXES:
            return mp4_index.needed(file)
        if _is_avi(head):
            return avi_index.needed(file)
        if head[:4] == _EBML:
            return matroska_index.needed(file, _declared(file))
        if head[:4] == _PAGE:
            return _last_page(file)
        return _last_tag(file) if head[:4] == b"FLV\x01" else 0


def _declared(file: BinaryIO) -> int | None:
    head = read_at(file, 0, 12)
    if head[4:8] in _FIRST_BOXES:
        ends = _boxes(file)
    elif _is_avi(head):
        ends = _chunks(file)
    elif head[:4] == _EBML:
        ends = _segments(file)
    else:
        ends = iter(())
    return max(ends, default=None)


def _is_avi(head: bytes) -> bool:
    return head[:4] == b"RIFF" and head[8:12] == b"AVI "


def _boxes(file: BinaryIO) -> Iterator[int]:
    """Yield the end of each box at the top level."""
    length = length_of(file)
    for box in mp4_index.boxes(file, 0, length):
        # Cameras and programs append data that are no boxes.
        if box.end <= length or box.kind in _KNOWN_BOXES:
            yield box.end


def _chunks(file: BinaryIO) -> Iterator[int]:
    """Yield the end of each RIFF chunk; a large file has several (OpenDML)."""
    start = 0
    while (head := read_at(file, start, 8))[:4] == b"RIFF" and len(head) == 8:
        size = int.from_bytes(head[4:], "little")
        if size in _UNKNOWN:
            return
        yield start + 8 + size
        start += 8 + size + size % 2


def _segments(file: BinaryIO) -> Iterator[int]:
    """Yield the ends of the EBML header and the segments, up to the first of unknown length."""
    start = 0
    while (head := read_at(file, start, 12))[:4] in (_EBML, _SEGMENT) and len(head) > 4 and head[4]:
        width = 9 - head[4].bit_length()
        bits = 7 * width
        size = int.from_bytes(head[4 : 4 + width]) & ((1 << bits) - 1)
        if size == (1 << bits) - 1:
            return
        start += 4 + width + size
        yield start


def _last_page(file: BinaryIO) -> int:
    """Return the end of the last page of an Ogg file (RFC 3533)."""
    length = length_of(file)
    # A page has a header of 27 bytes, and up to 255 segments of up to 255 bytes.
    start = max(0, length - 27 - 255 - 255 * 255)
    tail = read_at(file, start, length - start)
    place = tail.rfind(_PAGE)
    sizes = tail[place + 27 : place + 27 + tail[place + 26]] if len(tail) > place + 26 else b""
    return start + place + 27 + len(sizes) + sum(sizes) if place >= 0 else 0


def _last_tag(file: BinaryIO) -> int:
    """Return the end of the last tag of an FLV file."""
    start = 9 + 4
    # A tag begins with its type (sound, picture or data) and ends with 0 as its stream.
    for _ in range(MOST):
        head = read_at(file, start, 11)
        if head[:1] not in _TAGS or head[8:] != bytes(3):
            break
        start += 11 + int.from_bytes(head[1:4]) + 4
    return start
