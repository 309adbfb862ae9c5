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
    """A file differs from the expected one."""


@dataclass(frozen=True)
class Wanted:
    """The expected size and checksums of a file.

    Attributes:
        bytes: size; None if the exact size is unknown.
        sha256: SHA-256 in hexadecimal, or its first digits; None if it is not published.
        md5: MD5 in hexadecimal, or its first digits; None if it is not published.
    """

    bytes: int | None = None
    sha256: str | None = None
    md5: str | None = None

    @property
    def published(self) -> bool:
        """Return whether a checksum is published."""
        return bool(self.sha256 or self.md5)


@dataclass(frozen=True)
class Verified:
    """The size and checksum of a verified file.

    Attributes:
        sha256: SHA-256 in hexadecimal.
        bytes: size.
        checksum: "published" if the file matches a published checksum, else "first use": it matches
            the checksum recorded when it was first fetched, or is the first of its name.
    """

    sha256: str
    bytes: int
    checksum: str


def verify(file: Path, wanted: Wanted, recorded: str | None) -> Verified:
    """Verify the size and the checksums of a file.

    Args:
        file: the file.
        wanted: its expected size and checksums.
        recorded: the SHA-256 recorded when it was first fetched, which decides where no checksum
            is published; None if this is the first time.

    Raises:
        Mismatch: the size or a checksum differs.
    """
    size = file.stat().st_size
    if wanted.bytes not in (None, size):
        raise Mismatch(f"has {size} bytes, but {wanted.bytes} are expected")
    digests = _digests(file)
    for name, expected in (("sha256", wanted.sha256), ("md5", wanted.md5)):
        if expected and not digests[name].startswith(expected.lower()):
            raise Mismatch(f"has {name} {digests[name]}, but {expected} is expected")
    if not wanted.published and recorded not in (None, digests["sha256"]):
        raise Mismatch(
            f"has sha256 {digests['sha256']}, but it had {recorded} when it was first fetched"
        )
    return Verified(digests["sha256"], size, "published" if wanted.published else "first use")


def record_of(path: Path) -> Path:
    """Return the path of the file that records the checksum of a download."""
    return path.with_name(f"{path.name}.sha256")


def record(path: Path, sha256: str) -> None:
    """Record the SHA-256 of a download in ``<name>.sha256``, as sha256sum does."""
    write_text(record_of(path), f"{sha256}  {path.name}\n")


def recorded(path: Path) -> str | None:
    """Return the recorded SHA-256 of a download, or None.

    Raises:
        InputError: the record cannot be read.
    """
    place = record_of(path)
    if not place.exists():
        return None
    match = re.match(r"([0-9a-f]{64}) [ *]", place.read_text(errors="replace"))
    if not match:
        raise InputError(f"{place}: is not in the format of sha256sum; remove it")
    return match[1]


def _digests(file: Path) -> dict[str, str]:
    """Read a file once and return both of its checksums."""
    digests = {name: hashlib.new(name, usedforsecurity=False) for name in ("sha256", "md5")}
    # One byte more than the size, so that no last line is logged for a small file.
    progress = Progress(file.stat().st_size + 1, "MB", every=10.0, size=MEGABYTE)
    with file.open("rb") as content:
        while chunk := content.read(CHUNK):
            progress.report(content.tell(), "verifying")
            for digest in digests.values():
                digest.update(chunk)
    return {name: digest.hexdigest() for name, digest in digests.items()}
