"""Store columns in an HDF5 group, with any number of rows for each frame."""

import h5py
import numpy as np

CHUNK = 4096  # rows


class Rows:
    """Columns with any number of rows for each frame."""

    def __init__(self, group: h5py.Group, names: tuple[str, ...]) -> None:
        self._group = group
        # Held open: HDF5 takes longer to find a data set by its name than to read a small one.
        self._columns = {name: group[name] for name in names}
        self._first, self._count = group["first"], group["count"]

    @classmethod
    def create(cls, group: h5py.Group, frames: int, columns: dict[str, type | str]) -> None:
        """Make empty columns."""
        for name in ("first", "count"):
            group.create_dataset(name, data=np.zeros(frames, np.int64), maxshape=(None,))
        for name, dtype in columns.items():
            create_column(group, name, dtype)

    def write(self, index: int, columns: dict[str, np.ndarray]) -> None:
        """Write the rows of frame `index`."""
        first = self._length()
        for name, values in columns.items():
            append(self._columns[name], values)
        self._first[index] = first
        self._count[index] = self._length() - first

    def grow(self) -> None:
        """Add a frame without rows."""
        frames = len(self) + 1
        for places in (self._first, self._count):
            places.resize(frames, axis=0)

    def read(self, index: int) -> dict[str, np.ndarray]:
        """Return the rows of frame `index`."""
        first, count = int(self._first[index]), int(self._count[index])
        return {name: column[first : first + count] for name, column in self._columns.items()}

    def check(self) -> None:
        """Raise a ValueError if columns differ in length, or rows of a frame are missing."""
        lengths = set(map(len, self._columns.values()))
        if len(lengths) != 1:
            raise ValueError(f"{self._group.name} has columns of different lengths")
        check_places(self._first[:], self._count[:], lengths.pop())

    def _length(self) -> int:
        return len(next(iter(self._columns.values())))

    def __len__(self) -> int:
        return len(self._first)


def create_column(group: h5py.Group, name: str, dtype: type | str) -> None:
    """Make an empty column."""
    group.create_dataset(
        name, shape=(0,), maxshape=(None,), chunks=(CHUNK,), dtype=dtype, compression="gzip",
        compression_opts=1,
    )  # fmt: skip


def append(column: h5py.Dataset, values: np.ndarray) -> None:
    """Add values to the end of a column."""
    length = len(column)
    column.resize(length + len(values), axis=0)
    column[length:] = values


def check_places(first: np.ndarray, count: np.ndarray, length: int) -> None:
    """Check that ranges of rows lie within 0 ... length.

    Args:
        first: first row of each range.
        count: number of rows of each range.
        length: number of rows of the column.

    Raises:
        ValueError: a range does not, or is malformed.
    """
    if first.dtype != np.int64 or count.dtype != np.int64 or first.shape != count.shape:
        raise ValueError("the first rows and the counts are not int64, or differ in number")
    if ((first < 0) | (count < 0) | (first > length - count)).any():
        raise ValueError("rows are missing")
