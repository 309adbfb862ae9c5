"""Files that appear whole or not at all."""

import contextlib
import errno
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from videottt.errors import InputError

_CANNOT_WRITE = {
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EFBIG,
    errno.EROFS,
    errno.EACCES,
    errno.EPERM,
    errno.EIO,
    errno.EISDIR,
}


@contextlib.contextmanager
def complete_file(path: Path) -> Iterator[Path]:
    """Yield a name beside `path` to write to; `path` appears only if the block succeeds.

    The data and the directory entry are flushed to disk before the block returns.

    Raises:
        InputError: the directory of `path` cannot be written to.
    """
    part = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{path.parent}: cannot create this directory: {error.strerror}") from None
    try:
        yield part
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        part.replace(path)
        _flush_directory(path.parent)
    except OSError as error:
        # Reading something else may fail inside the block too: that is not about `path`.
        if error.errno not in _CANNOT_WRITE:
            raise
        raise InputError(
            f"{path}: cannot be written: {error.strerror}; free space or choose another place"
        ) from error
    finally:
        part.unlink(missing_ok=True)


def _flush_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path`, whole or not at all."""
    with complete_file(path) as part:
        part.write_text(text, encoding="utf-8")


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal.

    Raises:
        InputError: the file does not exist.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
