"""Tell whether a JPEG file that ends early lacks its end marker alone.

The decoder fills what is missing with grey and says nothing. So a file counts as complete only if
every scan is there, and the picture is the same whatever might follow.
"""

import re
from collections.abc import Iterator

END = b"\xff\xd9"
# A marker that a length follows; the others are stuffing, restarts and the start of the file.
_MARKER = re.compile(rb"\xff+([^\x00\x01\xff\xd0-\xd8])")
_RESTART = re.compile(rb"\xff([\xd0-\xd7])")
_FRAMES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
_SCAN = 0xDA
_RESTARTS = b"\xff\xdd"
# Bits that might follow: of each two, all bits differ. They fill more than the longest unit, as
# some blocks of the last one may lie outside of the picture.
_BITS = tuple(
    bytes(abs(all_ones - byte) for byte in range(first, first + 100)) * 40
    for first in (51, 85)
    for all_ones in (0, 255)
)


def completions(content: bytes) -> Iterator[bytes]:
    """Yield complete files that agree on the picture only if nothing but the end is missing.

    Args:
        content: a JPEG file that the decoder finds truncated.

    Yields:
        first the file with its end marker; nothing if a scan is missing.
    """
    whole = content.rstrip(b"\xff")
    last_scan = _last_of_all_scans(whole)
    if last_scan is None:
        return
    tails = [b"", *_BITS]
    if _RESTARTS in whole[:last_scan]:
        # If a restart is due, the decoder skips to it. They are numbered 0 to 7.
        restarts = _RESTART.findall(whole, last_scan)
        number = (restarts[-1][0] + 1) % 8 if restarts else 0
        tails += [bytes([0xFF, 0xD0 + number]) + bits for bits in _BITS]
    for tail in tails:
        yield whole + tail + END


def _last_of_all_scans(content: bytes) -> int | None:
    """Return where the data of the last scan begin; None if bits of a coefficient are not sent."""
    missing: dict[int, set[int]] = {}
    place, last = 0, None
    while marker := _MARKER.search(content, place):
        kind, start = marker[1][0], marker.end() + 2
        place = marker.end() + int.from_bytes(content[marker.end() : start])
        segment = content[start:place]
        if kind == END[1] or len(segment) < place - start:
            return None
        if kind in _FRAMES:
            missing = {component: set(range(64)) for component in segment[6::3]}
        elif kind == _SCAN and len(segment) > 3:
            last = place
            first, final, bits = segment[-3:]
            for component in segment[1:-3:2]:
                if bits & 15 == 0:
                    missing.get(component, set()).difference_update(range(first, final + 1))
    return None if any(missing.values()) else last
