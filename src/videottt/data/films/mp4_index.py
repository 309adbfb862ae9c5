"""Find how far the frames and the sound of an MP4 or QuickTime file reach, by its index.

The boxes are those of ISO/IEC 14496-12.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from videottt.data.films.file_part import FEW, MOST, length_of, read_at

# A box that is cut short leaves no frame out if it is none of these.
_VITAL = {b"moov", b"mdat", b"moof", b"styp", b"sidx"}
# The boxes in the index that may come after the last track and say nothing of frames.
_TABLES = {b"stco", b"co64", b"stsc", b"stsz", b"stz2"}
_EXTRA = {b"udta", b"meta", b"free", b"skip", b"uuid", b"iods"}


@dataclass(frozen=True)
class Box:
    """One box of a file; it may end beyond the end of the file."""

    kind: bytes
    start: int
    body: int
    end: int


def boxes(file: BinaryIO, start: int, stop: int) -> Iterator[Box]:
    """Yield the boxes from `start` on; the last one may reach beyond `stop`."""
    for _ in range(MOST):
        if start >= stop or len(head := read_at(file, start, 16)) < 8:
            return
        size, kind, body = int.from_bytes(head[:4]), head[4:8], start + 8
        if size == 1:
            size, body = int.from_bytes(head[8:]), start + 16
        elif size == 0:
            size = stop - start
        if start + size < body:
            return
        yield Box(kind, start, body, start + size)
        start += size


def needed(file: BinaryIO) -> int:
    """Return the end of the last byte that the index needs.

    Without an index that can be read, the data must be there as far as they are declared.
    """
    length = length_of(file)
    first: dict[bytes, Box] = {}
    last: dict[bytes, Box] = {}
    ends = [0]
    begun = 0
    for box in boxes(file, 0, length):
        begun = box.end
        if box.kind in _VITAL:
            first.setdefault(box.kind, box)
            last[box.kind] = box
        if box.kind == b"sidx" and box.end <= length:
            ends.append(_referenced_end(file, box))
    cut = [box for kind, box in last.items() if kind in _VITAL and box.end > length]
    index = first.get(b"moov")
    if index in cut and _is_whole(file, index):
        cut.remove(index)
    known = []
    if index is not None:
        known += [_track_end(file, track) for track in _children(file, index, b"trak")]
        if (fragment := last.get(b"moof")) is not None and fragment not in cut:
            known.append(_fragment_end(file, fragment, _default_sizes(file, index)))
        # The file may end inside the header of a further fragment, which begins with a zero.
        rest = read_at(file, begun, 8)
        if fragment is not None and rest[:1] == b"\0" and any(rest):
            ends.append(begun + 8)
    if any(known):
        cut = [box for box in cut if box.kind != b"mdat"]
    return max(ends + known + [box.end for box in cut])


def _children(file: BinaryIO, box: Box, kind: bytes) -> list[Box]:
    stop = min(box.end, length_of(file))
    found = (box for box in boxes(file, box.body, stop) if box.kind == kind and box.end <= stop)
    return list(itertools.islice(found, FEW))


def _descendant(file: BinaryIO, box: Box, *kinds: bytes) -> Box | None:
    for kind in kinds:
        children = _children(file, box, kind)
        if not children:
            return None
        box = children[0]
    return box


def _content(file: BinaryIO, box: Box | None) -> bytes:
    """Return the content of a box with its version and its flags; nothing if there is no box."""
    return b"" if box is None else read_at(file, box.body, box.end - box.body)


def _is_whole(file: BinaryIO, index: Box) -> bool:
    """Return whether an index that ends beyond the end of the file has all of its tracks."""
    parts = list(itertools.islice(boxes(file, index.body, length_of(file)), FEW))
    if parts and parts[-1].end > length_of(file):
        return parts[-1].kind in _EXTRA and any(part.kind == b"trak" for part in parts)
    # The movie's header ends with the number that the next track would have.
    header = _content(file, _descendant(file, index, b"mvhd"))
    tracks = sum(part.kind == b"trak" for part in parts)
    return 0 < int.from_bytes(header[-4:]) <= tracks + 1


def _track_end(file: BinaryIO, track: Box) -> int:
    """Return the end of the last chunk of a track of pictures or sound; 0 if it has none."""
    handler = _content(file, _descendant(file, track, b"mdia", b"hdlr"))[8:12]
    table = _descendant(file, track, b"mdia", b"minf", b"stbl")
    if handler not in (b"vide", b"soun") or table is None:
        return 0
    found = {
        box.kind: _content(file, box)
        for box in boxes(file, table.body, table.end)
        if box.kind in _TABLES
    }
    narrow = _array(found.get(b"stco", b"")[8:], ">u4")
    starts = narrow if narrow.size else _array(found.get(b"co64", b"")[8:], ">u8")
    if not starts.size:
        return 0
    samples = _samples_of_chunks(_array(found.get(b"stsc", b"")[8:], ">u4"), starts.size)
    sizes = _sizes_of_samples(found)
    if isinstance(sizes, int):
        lengths = samples * float(sizes)
    else:
        ends = np.concatenate([[0.0], np.cumsum(sizes, dtype=np.float64)])
        lengths = np.diff(ends[np.minimum(np.cumsum(samples), sizes.size)], prepend=0.0)
    return int((starts.astype(np.float64) + lengths).max())


def _array(content: bytes, kind: str) -> np.ndarray:
    return np.frombuffer(content, kind, len(content) // np.dtype(kind).itemsize)


def _samples_of_chunks(table: np.ndarray, chunks: int) -> np.ndarray:
    """Return how many samples each chunk has; none if the table cannot be right."""
    runs = table[: table.size // 3 * 3].reshape(-1, 3).astype(np.int64)
    lengths = np.diff(runs[:, 0] - 1, append=chunks)
    if not runs.size or runs[0, 0] != 1 or (lengths < 0).any():
        return np.zeros(chunks, np.int64)
    return np.repeat(runs[:, 1], lengths)


def _sizes_of_samples(found: dict[bytes, bytes]) -> np.ndarray | int:
    """Return the number of bytes of each sample, or of any if they are all alike."""
    table, compact = found.get(b"stsz", b""), found.get(b"stz2", b"")
    if table:
        # The size 1 stands for sound whose format alone tells the size.
        alike = int.from_bytes(table[4:8])
        return _array(table[12:], ">u4") if alike == 0 else alike if alike > 1 else 0
    if compact[7:8] == b"\x04":
        pairs = _array(compact[12:], "u1")
        return np.stack([pairs >> 4, pairs & 0x0F], axis=1).ravel()
    return _array(compact[12:], "u1" if compact[7:8] == b"\x08" else ">u2")


def _default_sizes(file: BinaryIO, index: Box) -> dict[int, int]:
    """Return the size of a sample, per track, in fragments that do not tell it."""
    extended = _descendant(file, index, b"mvex")
    found = [_content(file, box) for box in _children(file, extended, b"trex")] if extended else []
    return {int.from_bytes(row[4:8]): int.from_bytes(row[16:20]) for row in found}


def _fragment_end(file: BinaryIO, fragment: Box, defaults: dict[int, int]) -> int:
    """Return the end of the data of a fragment; 0 if it has none."""
    latest = 0
    for track in _children(file, fragment, b"traf"):
        header = _content(file, _descendant(file, track, b"tfhd"))
        flags = int.from_bytes(header[1:4])
        size = defaults.get(int.from_bytes(header[4:8]), 0)
        if flags & 0x10:
            place = 8 + 8 * bool(flags & 0x1) + 4 * bool(flags & 0x2) + 4 * bool(flags & 0x8)
            size = int.from_bytes(header[place : place + 4])
        base = fragment.start if flags & 0x20000 or not latest else latest
        end = base = int.from_bytes(header[8:16]) if flags & 0x1 else base
        for run in _children(file, track, b"trun"):
            offset, length = _run(_content(file, run), size)
            end = (end if offset is None else base + offset) + length
            latest = max(latest, end)
    return latest


def _run(content: bytes, size: int) -> tuple[int | None, int]:
    """Return where the data of a run begin, if it tells, and how many bytes they have."""
    flags, count = int.from_bytes(content[1:4]), int.from_bytes(content[4:8])
    offset = int.from_bytes(content[8:12], signed=True) if flags & 0x1 else None
    if not flags & 0x200:
        return offset, count * size
    rows = _array(content[8 + 4 * bool(flags & 0x1) + 4 * bool(flags & 0x4) :], ">u4")
    columns = (flags & 0xF00).bit_count()
    return offset, int(rows[bool(flags & 0x100) :: columns][:count].sum(dtype=np.int64))


def _referenced_end(file: BinaryIO, box: Box) -> int:
    """Return the end of the last part that a segment index lists."""
    content = _content(file, box)
    offset, rows = (content[16:20], 24) if content[:1] == b"\0" else (content[20:28], 32)
    count = int.from_bytes(content[rows - 2 : rows])
    sizes = _array(content[rows:], ">u4")[::3][:count] & 0x7FFFFFFF
    return box.end + int.from_bytes(offset) + int(sizes.sum(dtype=np.int64))
