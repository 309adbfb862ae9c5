"""Verify a download's size, SHA-256 and MD5."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from videottt.core.errors import InputError
from videottt.core.files import write_text
from videottt.core.progress import MEGABYTE, Progress

CHUNK = 1 << 22  # bytes


class Mismatch(InputError):
    """A file is not the one that was meant."""


@dataclass(frozen=True)
class Wanted:
    """What a file must be.

    Attributes:
        bytes: its size; None if that is not known exactly.
        sha256: in hexadecimal, or its first digits; None if it is not published.
        md5: likewise.
    """

    bytes: int | None = None
    sha256: str | None = None
    md5: str | None = None

    @property
    def published(self) -> bool:
        """Whether there is a checksum to compare with."""
        return bool(self.sha256 or self.md5)


@dataclass(frozen=True)
class Verified:
    """What a file is.

    Attributes:
        sha256: in hexadecimal.
        bytes: its size.
        checksum: what it agrees with: "published", or "first use" of what is recorded of it.
    """

    sha256: str
    bytes: int
    checksum: str


def verify(file: Path, wanted: Wanted, recorded: str | None) -> Verified:
    """Return what a file is.

    Args:
        file: to be read.
        wanted: what it must be.
        recorded: the SHA-256 it had when it was first fetched, which counts where no checksum is
            published; None if this is the first time.

    Raises:
        Mismatch: it is another.
    """
    size = file.stat().st_size
    if wanted.bytes not in (None, size):
        raise Mismatch(f"has {size} bytes, but {wanted.bytes} are expected")
    found = _digests(file)
    for name, expected in (("sha256", wanted.sha256), ("md5", wanted.md5)):
        if expected and not found[name].startswith(expected.lower()):
            raise Mismatch(f"has {name} {found[name]}, but {expected} is expected")
    if not wanted.published and recorded not in (None, found["sha256"]):
        raise Mismatch(
            f"has sha256 {found['sha256']}, but it had {recorded} when it was first fetched"
        )
    return Verified(found["sha256"], size, "published" if wanted.published else "first use")


def record_of(path: Path) -> Path:
    """Return where the checksum of a download is recorded."""
    return path.with_name(f"{path.name}.sha256")


def record(path: Path, sha256: str) -> None:
    """Record the SHA-256 of a download in ``<name>.sha256``, as sha256sum does."""
    write_text(record_of(path), f"{sha256}  {path.name}\n")


def recorded(path: Path) -> str | None:
    """Return the SHA-256 that is recorded of a download, or None.

    Raises:
        InputError: the record cannot be read.
    """
    place = record_of(path)
    if not place.exists():
        return None
    match = re.match(r"([0-9a-f]{64}) [ *]", place.read_text(errors="replace"))
    if not match:
        raise InputError(f"{place}: is no output of sha256sum; remove it")
    return match[1]


def _digests(file: Path) -> dict[str, str]:
    """Return both checksums of a file, of one reading."""
    digests = {name: hashlib.new(name, usedforsecurity=False) for name in ("sha256", "md5")}
    # Never done: what takes no time is not worth a line.
    progress = Progress(file.stat().st_size + 1, "MB", every=10.0, size=MEGABYTE)
    with file.open("rb") as content:
        while chunk := content.read(CHUNK):
            progress.report(content.tell(), "verifying")
            for digest in digests.values():
                digest.update(chunk)
    return {name: digest.hexdigest() for name, digest in digests.items()}
