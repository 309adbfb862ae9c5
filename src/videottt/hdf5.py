"""Opening HDF5 files after checking what they are."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import h5py
import numpy as np

from videottt.errors import InputError, absent
from videottt.layers import Layer
from videottt.segments import Prediction


def open_checked(path: Path, file_format: str, version: int) -> h5py.File:
    """Open an HDF5 file for reading after checking what it is.

    Raises:
        InputError: the file is absent, unreadable, of another format or of another version.
    """
    if not path.is_file():
        raise absent(path)
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise InputError(f"{path}: not a readable HDF5 file ({error}); make it again") from None
    found = (file.attrs.get("format"), int(file.attrs.get("version", 0)))
    if found != (file_format, version):
        file.close()
        raise InputError(
            f"{path}: is '{found[0]}' version {found[1]}, but this program reads '{file_format}' "
            f"version {version}; make it again with this version of videottt"
        )
    return file


class StoredFile:
    """An open HDF5 file of one format; a context manager.

    Attributes:
        path: of the file.
    """

    def __init__(self, path: Path, file_format: str, version: int) -> None:
        self.path = path
        self._file = open_checked(path, file_format, version)

    def _read(self, name: str, index: int) -> np.ndarray:
        """Return one frame's chunk of a data set.

        Raises:
            InputError: the chunk is damaged.
        """
        with self._reported(index):
            return self._file[name][index]

    def _from_layer(self, layer: Layer, index: int) -> Prediction:
        """Return one frame of a layer.

        Raises:
            InputError: it is damaged.
        """
        with self._reported(index):
            return layer.read(index)

    @contextlib.contextmanager
    def _reported(self, index: int) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise InputError(
                f"{self.path}: frame {index} cannot be read ({error}); make the file again"
            ) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()
