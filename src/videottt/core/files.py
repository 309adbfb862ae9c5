"""Write files that appear complete or not at all."""

import contextlib
import errno
import hashlib
import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from videottt.core.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

_FREE = "free space or choose another place"
_ALLOW = "make it writable or choose another place"
_NO_LOCKS = "set HDF5_USE_FILE_LOCKING=FALSE, or of a study hdf5_locking: 'off' in config.yaml"
# Number of a system error -> how to mend it.
_MENDING = {
    errno.ENOSPC: _FREE,
    errno.EDQUOT: _FREE,
    errno.EFBIG: "raise the limit on the size of files (ulimit -f) or choose another place",
    errno.EROFS: _ALLOW,
    errno.EACCES: _ALLOW,
    errno.EPERM: _ALLOW,
    errno.EISDIR: "choose another place",
    errno.EIO: "check the disk or choose another place",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ENOLCK: _NO_LOCKS,
    errno.ENOSYS: _NO_LOCKS,
}
# HDF5 and safetensors give the number of a system error only in the text of their own.
_NUMBER = re.compile(r"(?:errno = |os error )(\d+)")
# PyTorch gives no reason when it cannot write a file.
_PYTORCH = re.compile(r"iostream error|inline_container")
# In bytes; a disk with less free space counts as full.
_NOTHING_FREE = 64 * 1024


@contextlib.contextmanager
def complete_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`, and rename it to `path` if the block succeeds.

    The data and the directory entry are flushed to disk before the block returns. Temporary files
    of `path` that killed processes of this machine left are removed first.

    Raises:
        InputError: the directory of `path` cannot be made or written to, or the disk is full.
    """
    part = path.with_name(f".{path.stem}.{socket.gethostname()}.{os.getpid()}.part{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{path.parent}: cannot create this directory: {error.strerror}") from None
    _remove_leftovers(path)
    try:
        yield part
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        part.replace(path)
        _flush_directory(path.parent)
    except InputError:
        raise
    except Exception as error:
        # An error about another file, such as one that the block reads, is not about `path`.
        elsewhere = getattr(error, "filename", None) not in (None, str(part))
        number = _number_of(error, path.parent)
        if elsewhere or number not in _MENDING:
            raise
        raise InputError(
            f"{path}: cannot be written: {os.strerror(number)}; {_MENDING[number]}"
        ) from error
    finally:
        # Removing may fail too where writing failed, as on a read-only file system.
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def _number_of(error: BaseException, folder: Path) -> int | None:
    """Return the number of the system error behind an error of any library, if there is one."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno
    named = _NUMBER.search(str(error))
    if named:
        return int(named[1])
    # An error raised during clean-up hides the first one.
    before = error.__cause__ or error.__context__
    if before is not None:
        return _number_of(before, folder)
    unexplained = isinstance(error, RuntimeError) and _PYTORCH.search(str(error))
    return errno.ENOSPC if unexplained and _free(folder) < _NOTHING_FREE else None


def _free(folder: Path) -> int:
    file_system = os.statvfs(folder)
    return file_system.f_bavail * file_system.f_frsize


def _remove_leftovers(path: Path) -> None:
    """Remove temporary files of `path` whose process on this machine is dead."""
    name = re.compile(
        re.escape(f".{path.stem}.{socket.gethostname()}.")
        + r"([1-9]\d{0,8})\.part"
        + re.escape(path.suffix)
    )
    with contextlib.suppress(OSError), os.scandir(path.parent) as entries:
        for entry in entries:
            match = name.fullmatch(entry.name)
            if match and not _is_alive(int(match[1])):
                Path(entry.path).unlink(missing_ok=True)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    # The process is another user's.
    except PermissionError:
        return True
    return True


def _flush_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def nearest_folder(path: Path) -> Path:
    """Return a folder if it exists, else the nearest existing folder above it."""
    return next(place for place in (path.absolute(), *path.absolute().parents) if place.is_dir())


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path`, completely or not at all.

    Bytes of a file's name that are no text are written as `core.errors.visible` shows them.
    """
    with complete_file(path) as part:
        part.write_text(text, encoding="utf-8", errors="backslashreplace")


def write_csv(path: Path, table: "pd.DataFrame", number_form: str | None = None) -> None:
    """Write a table as CSV, completely or not at all; undefined values are NaN.

    Args:
        path: the file to write.
        table: the table; its index is not written.
        number_form: format of numbers with a fraction, as ``%.6g``; None writes all digits.
    """
    with complete_file(path) as part:
        table.to_csv(
            part, index=False, na_rep="NaN", float_format=number_form, errors="backslashreplace"
        )


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal.

    Raises:
        InputError: the file does not exist.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; check the path")
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
