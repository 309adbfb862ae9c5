"""Write HDF5 files once, with checksums, and read them without following links to other files.

The metadata have a form in which HDF5 keeps checksums, and zlib keeps a checksum of every chunk.
The attribute ``checksum``, written last, is the SHA-256 of the rest: attributes and uncompressed
data sets. A file without it was never finished.
"""

import contextlib
import hashlib
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import h5py
import numpy as np

from videottt.core.errors import InputError, absent
from videottt.core.files import complete_file
from videottt.core.ids import JobKey

# The first version of HDF5 that keeps checksums of all metadata.
METADATA = "v110"
CHECKSUM = "checksum"
# Nothing relies on locks. The variable HDF5_USE_FILE_LOCKING overrides this value.
LOCKING = "best-effort"
# HDF5 would load a library of this machine for any other filter, and run it.
FILTERS = (h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32)
LINUX = sys.platform == "linux"
# The deepest nesting of groups.
DEPTH = 4
# Exceptions that h5py raises for a damaged or unexpected file.
DAMAGED = (OSError, RuntimeError, LookupError, ValueError, TypeError, AttributeError)


@contextlib.contextmanager
def new_file(path: Path) -> Iterator[h5py.File]:
    """Yield an HDF5 file to write; `path` appears, complete, only if the block succeeds.

    Raises:
        InputError: the file cannot be written.
    """
    with complete_file(path) as part:
        # Without a chunk cache a write fails at once. With one it might fail when a data set is
        # closed, where h5py cannot report the error.
        file = h5py.File(part, "w", libver=METADATA, locking=LOCKING, rdcc_nbytes=0)
        try:
            yield file
            write_attributes(file, **{CHECKSUM: _checksum(file)})
            file.flush()
        except BaseException:
            _discard(file)
            raise
        file.close()


def _discard(file: h5py.File) -> None:
    """Close a file without writing the rest of it.

    After a failed write, as on a full disk, HDF5 would try the write again and again, and crash at
    the end of the process. So the rest goes to a temporary file.
    """
    with _temporary() as nowhere:
        os.dup2(nowhere.fileno(), file.id.get_vfd_handle())
    file.close()


def write_attributes(file: h5py.File, **attributes: Any) -> None:
    """Write attributes: numbers, lists of numbers, or text.

    Text is stored with a fixed length: HDF5 keeps no checksum of variable-length text, and damage
    there makes HDF5 read for ever. Bytes of a file's name that are no text are stored as
    `core.errors.visible` shows them, so that whatever is read is text.
    """
    for name, value in attributes.items():
        if isinstance(value, str):
            content = value.encode(errors="backslashreplace")
            kind = h5py.string_dtype("utf-8", max(len(content), 1))
            file.attrs.create(name, content, dtype=kind)
        else:
            file.attrs[name] = value


def attributes_of(file: h5py.File) -> dict[str, Any]:
    """Return the attributes of fixed length, which are all that `write_attributes` writes."""
    attributes = {}
    for name in file.attrs:
        if not file.attrs.get_id(name).dtype.hasobject:
            value = file.attrs[name]
            attributes[name] = value.decode() if isinstance(value, bytes) else value
    return attributes


def key_of(attributes: Mapping[str, Any]) -> JobKey:
    """Return the ids of the job that a file's attributes name."""
    return JobKey(
        attributes["dataset"],
        attributes["task"],
        attributes["method"],
        int(attributes["seed"]),
        attributes["video"],
    )


def _temporary() -> IO[bytes]:
    # The disk with the temporary files may be the full one, so Linux uses memory.
    return os.fdopen(os.memfd_create("h5"), "rb+") if LINUX else tempfile.TemporaryFile()


def open_checked(path: Path, file_format: str, version: int) -> h5py.File:
    """Check the format, version and checksum of an HDF5 file, and open it for reading.

    Raises:
        InputError: the file is absent, unreadable, damaged, not finished, of another format or of
            another version, or refers to other files.
    """
    if not path.is_file():
        raise absent(path)
    try:
        file = h5py.File(path, "r", locking=LOCKING)
    except OSError as error:
        raise _unreadable(path, error) from None
    try:
        attributes = attributes_of(file)
        stored = (attributes.get("format"), int(attributes.get("version", 0)))
        if stored == (file_format, version):
            _check_contained(file, DEPTH)
            if attributes.get(CHECKSUM) != _checksum(file):
                raise ValueError("its checksum is missing or wrong")
            return file
    except DAMAGED as error:
        file.close()
        raise InputError(
            f"{path}: is damaged or was never finished ({_line(error)}); make it again"
        ) from None
    file.close()
    raise InputError(
        f"{path}: is '{stored[0]}' version {stored[1]}, but this program reads '{file_format}' "
        f"version {version}; make it again with this version of videottt"
    )


@contextlib.contextmanager
def read_checked(path: Path, file_format: str, version: int) -> Iterator[h5py.File]:
    """Yield an HDF5 file to read in the block.

    Raises:
        InputError: as `open_checked`; or data that the block reads are damaged or missing.
    """
    with open_checked(path, file_format, version) as file:
        try:
            yield file
        except DAMAGED as error:
            raise InputError(
                f"{path}: is damaged or incomplete ({_line(error)}); make it again"
            ) from None


def _unreadable(path: Path, error: OSError) -> InputError:
    if "unable to lock file" in str(error):
        return InputError(
            f"{path}: cannot be locked ({_line(error)}); if this file system has no locks, set "
            "HDF5_USE_FILE_LOCKING=FALSE, or of a study hdf5_locking: 'off' in config.yaml"
        )
    return InputError(f"{path}: not a readable HDF5 file ({_line(error)}); make it again")


def _line(error: Exception) -> str:
    return " ".join(str(error).split())


def _check_contained(group: h5py.Group, depth: int) -> None:
    """Raise a ValueError if data of a group lie in another file, or need a plug-in of HDF5."""
    if not depth:
        raise ValueError("its groups are nested too deeply")
    if any(group.attrs.get_id(name).dtype.hasobject for name in group.attrs):
        raise ValueError("an attribute has no fixed length")
    for name in group:
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise ValueError(f"'{name}' is a link")
        node = group[name]
        if isinstance(node, h5py.Group):
            _check_contained(node, depth - 1)
            continue
        if node.is_virtual or node.external:
            raise ValueError(f"'{name}' lies in another file")
        properties = node.id.get_create_plist()
        filters = {properties.get_filter(place)[0] for place in range(properties.get_nfilters())}
        if not filters <= set(FILTERS):
            raise ValueError(f"'{name}' is compressed by an unknown filter")
        if node.attrs or node.dtype.hasobject:
            raise ValueError(f"'{name}' has attributes, or no fixed length")


def _checksum(file: h5py.File) -> str:
    """Return the SHA-256 of all attributes and all uncompressed data sets."""
    digest = hashlib.sha256()

    def add(name: str, node: h5py.Group | h5py.Dataset) -> None:
        attributes = {
            key: np.asarray(node.attrs[key]).tolist()
            for key in sorted(node.attrs)
            if key != CHECKSUM
        }
        digest.update(f"{name} {attributes}\n".encode())
        if isinstance(node, h5py.Dataset) and node.compression is None:
            digest.update(np.asarray(node[()]).data)

    add("", file)
    file.visititems(add)
    return digest.hexdigest()


class StoredFile:
    """An open HDF5 file of one format; a context manager.

    Attributes:
        path: the file.
    """

    def __init__(self, path: Path, file_format: str, version: int) -> None:
        self.path = path
        self._file = open_checked(path, file_format, version)
        # Held open: HDF5 takes longer to find a data set by its name than to read a small one.
        self._held: dict[str, h5py.Dataset] = {}

    def _read(self, name: str, index: int) -> np.ndarray:
        """Return one frame's chunk of a data set.

        Raises:
            InputError: the chunk is damaged.
        """
        with self._reported(f"frame {index} cannot be read"):
            if name not in self._held:
                self._held[name] = self._file[name]
            chunk: np.ndarray = self._held[name][index]
            return chunk

    @contextlib.contextmanager
    def _reported(self, what: str) -> Iterator[None]:
        """Turn an error of h5py in the block into an InputError."""
        try:
            yield
        except DAMAGED as error:
            raise InputError(f"{self.path}: {what} ({_line(error)}); make the file again") from None

    @contextlib.contextmanager
    def _closed_on_error(self) -> Iterator[None]:
        """Turn an error of h5py in the block into an InputError, and close the file."""
        try:
            with self._reported("is damaged or incomplete"):
                yield
        except InputError:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()
