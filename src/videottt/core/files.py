"""Files that appear whole or not at all."""

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
_NO_LOCKS = "set hdf5_locking: 'off' in config.yaml, or HDF5_USE_FILE_LOCKING=FALSE"
# How to mend what keeps a file from being written.
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
# How libraries that do not hand on the number of an error name it: HDF5 and safetensors.
_NUMBER = re.compile(r"(?:errno = |os error )(\d+)")
# What PyTorch says when it cannot write a file, whatever the reason.
_PYTORCH = re.compile(r"iostream error|inline_container")
# A write that failed because the disk is full leaves less, in bytes.
_NOTHING_FREE = 64 * 1024


@contextlib.contextmanager
def complete_file(path: Path) -> Iterator[Path]:
    """Yield a name beside `path` to write to; `path` appears only if the block succeeds.

    The data and the directory entry are flushed to disk before the block returns. What a killed
    process of this machine left of the same file is removed first.

    Raises:
        InputError: the directory of `path` cannot be made or written to, or the disk is full.
    """
    part = path.with_name(f".{path.stem}.{socket.gethostname()}.{os.getpid()}.part{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{path.parent}: cannot create this directory: {error.strerror}") from None
    _remove_left_over(path)
    try:
        yield part
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        part.replace(path)
        _flush_directory(path.parent)
    except InputError:
        raise
    except Exception as error:
        # Reading something else may fail inside the block too: that is not about `path`.
        elsewhere = getattr(error, "filename", None) not in (None, str(part))
        number = _number_of(error, path.parent)
        if elsewhere or number not in _MENDING:
            raise
        raise InputError(
            f"{path}: cannot be written: {os.strerror(number)}; {_MENDING[number]}"
        ) from error
    finally:
        # Where nothing can be written, nothing can be removed either.
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def _number_of(error: BaseException, folder: Path) -> int | None:
    """Return the number of the system's error behind an error of whatever library, if any."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno
    named = _NUMBER.search(str(error))
    if named:
        return int(named[1])
    # One that came while the first was cleaned up after may say less.
    before = error.__cause__ or error.__context__
    if before is not None:
        return _number_of(before, folder)
    unsaid = isinstance(error, RuntimeError) and _PYTORCH.search(str(error))
    return errno.ENOSPC if unsaid and _free(folder) < _NOTHING_FREE else None


def _free(folder: Path) -> int:
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


def _remove_left_over(path: Path) -> None:
    """Remove parts of `path` whose process on this machine is dead."""
    name = re.compile(
        re.escape(f".{path.stem}.{socket.gethostname()}.")
        + r"([1-9]\d{0,8})\.part"
        + re.escape(path.suffix)
    )
    with contextlib.suppress(OSError), os.scandir(path.parent) as entries:
        for entry in entries:
            found = name.fullmatch(entry.name)
            if found and not _lives(int(found[1])):
                Path(entry.path).unlink(missing_ok=True)


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    # Another user's.
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
    """Return a folder, or the first above it that is there."""
    return next(place for place in (path.absolute(), *path.absolute().parents) if place.is_dir())


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path`, whole or not at all."""
    with complete_file(path) as part:
        part.write_text(text, encoding="utf-8")


def write_csv(path: Path, table: "pd.DataFrame", number_form: str | None = None) -> None:
    """Write a table as CSV, whole or not at all; what is not defined is NaN.

    Args:
        path: of the file.
        table: without its index.
        number_form: of numbers with a fraction, as ``%.6g``; None writes all digits.
    """
    with complete_file(path) as part:
        table.to_csv(part, index=False, na_rep="NaN", float_format=number_form)


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal.

    Raises:
        InputError: the file does not exist.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
