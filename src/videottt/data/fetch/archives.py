"""Read the members of zip and tar archives, and refuse unsafe ones."""

import functools
import gzip
import re
import stat
import tarfile
import textwrap
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from lzma import LZMAError
from pathlib import Path, PurePosixPath
from typing import IO, Any

from videottt.core.errors import InputError

CHUNK = 1 << 20  # bytes
_DRIVE = re.compile(r"[A-Za-z]:")
_ENCRYPTED = 0x1  # bit of the flags of a zip's member
_DAMAGED = (
    tarfile.TarError,
    zipfile.BadZipFile,
    gzip.BadGzipFile,
    zlib.error,
    LZMAError,
    EOFError,
    NotImplementedError,
    UnicodeDecodeError,
)
# By name, because tarfile does not document them.
_NO_HEADER = tuple(
    getattr(tarfile, name)
    for name in ("EmptyHeaderError", "TruncatedHeaderError", "InvalidHeaderError")
)


@dataclass(frozen=True)
class Member:
    """A file in an archive.

    Attributes:
        name: relative path, without ``.`` and ``..``.
        open: opens the file for reading.
        read: bytes of the archive read so far, for progress.
    """

    name: str
    open: Callable[[], Any]
    read: int


def members(archive: Path) -> Iterator[Member]:
    """Yield the files of an archive in its order; read each before asking for the next.

    Raises:
        InputError: the archive is damaged, truncated or encrypted, or has a link, a device or a
            name that leads out of the folder it is unpacked to; also while a file is read.
    """
    try:
        yield from _zip_members(archive) if is_zip(archive) else _tar_members(archive)
    except _DAMAGED as error:
        reason = textwrap.shorten(str(error) or type(error).__name__, 100, placeholder=" ...")
        raise InputError(
            f"{archive}: is not a zip or tar archive, or is damaged ({reason}); remove it and "
            "fetch it again"
        ) from None


def read(archive: Path, member: Member) -> Iterator[bytes]:
    """Yield the content of a file part by part; its checksum is compared at the end.

    Raises:
        InputError: the file is damaged.
    """
    try:
        with member.open() as content:
            yield from iter(functools.partial(content.read, CHUNK), b"")
    except _DAMAGED as error:
        reason = textwrap.shorten(str(error) or type(error).__name__, 100, placeholder=" ...")
        raise InputError(
            f"{archive}: {member.name} is damaged ({reason}); remove the archive and fetch it again"
        ) from None


def is_zip(archive: Path) -> bool:
    """Return whether a file is a zip archive, and not a tar whose last member is a zip."""
    return zipfile.is_zipfile(archive) and not tarfile.is_tarfile(archive)


def size_within(archive: Path) -> int:
    """Return the unpacked size that a zip declares, or the size of a tar itself, in bytes.

    Raises:
        InputError: the zip is damaged.
    """
    if not is_zip(archive):
        return archive.stat().st_size
    try:
        with zipfile.ZipFile(archive) as file:
            return sum(info.file_size for info in file.infolist())
    except _DAMAGED as error:
        raise InputError(
            f"{archive}: is a damaged zip ({error}); remove it and fetch it again"
        ) from None


def _zip_members(archive: Path) -> Iterator[Member]:
    read = 0
    with zipfile.ZipFile(archive) as file:
        for info in file.infolist():
            _check_name(archive, info.orig_filename)
            if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise _refused(archive, info.filename, "a link or device")
            if info.flag_bits & _ENCRYPTED:
                raise _refused(archive, info.filename, "an encrypted file")
            read += info.compress_size
            if not info.is_dir():
                yield Member(_plain(info.filename), functools.partial(file.open, info), read)


def _tar_members(archive: Path) -> Iterator[Member]:
    with (
        archive.open("rb") as raw,
        tarfile.open(fileobj=raw, mode="r:*", tarinfo=_StrictHeader) as file,
    ):
        while (info := file.next()) is not None:
            # tarfile keeps every member, which may be a million.
            vars(file)["members"].clear()
            _check_name(archive, info.name)
            if not (info.isreg() or info.isdir()):
                raise _refused(archive, info.name, "a link or device")
            # Raises an error for members that Python refuses to unpack.
            tarfile.data_filter(info, str(archive.parent))
            if info.isreg():
                yield Member(
                    _plain(info.name), functools.partial(_extracted, file, info), raw.tell()
                )
        # Read to the end, where a compressed stream has its checksum.
        rest = file.fileobj
        while rest is not None and rest.read(CHUNK):
            pass


class _StrictHeader(tarfile.TarInfo):
    """A header that raises an error if damaged, where tarfile would end the archive silently."""

    @classmethod
    def fromtarfile(cls, tarfile_: tarfile.TarFile) -> "_StrictHeader":
        try:
            return super().fromtarfile(tarfile_)
        except _NO_HEADER as error:
            raise tarfile.ReadError(f"truncated, or {error}") from None


def _extracted(file: tarfile.TarFile, info: tarfile.TarInfo) -> IO[bytes]:
    content = file.extractfile(info)
    if content is None:
        raise tarfile.ReadError(f"{info.name} has no content")
    return content


def _plain(name: str) -> str:
    return str(PurePosixPath(name))


def _check_name(archive: Path, name: str) -> None:
    """Raise an InputError if a name leads out of its folder here or on another system."""
    path = PurePosixPath(name)
    harmless = name.isprintable() and "\\" not in name and not _DRIVE.match(name)
    if not harmless or not name or path.is_absolute() or ".." in path.parts:
        raise _refused(archive, name, "a name that leads out of its folder")


def _refused(archive: Path, name: str, what: str) -> InputError:
    return InputError(
        f"{archive}: holds {name!r}, {what}, which no data set needs, so nothing is unpacked; get "
        "the archive from its publisher again"
    )
