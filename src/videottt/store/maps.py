"""Create and check compressed maps in an HDF5 file, one chunk a frame."""

import h5py
import numpy as np


def create_maps(
    group: h5py.Group, name: str, frames: int | None, size: tuple[int, ...], dtype: str
) -> None:
    """Make a data set of maps that has one chunk a frame.

    Args:
        group: the group to create it in.
        name: name of the data set.
        frames: number of frames; None makes an empty data set that can grow.
        size: shape of one map.
        dtype: type of the maps.
    """
    group.create_dataset(
        name,
        shape=(frames or 0, *size),
        maxshape=(None, *size) if frames is None else None,
        chunks=(1, *size),
        dtype=dtype,
        compression="gzip",
        compression_opts=1,
        shuffle=dtype != "u1",
    )


def check_maps(maps: h5py.Dataset, dtype: str, shape: tuple[int, ...]) -> None:
    """Check a data set of maps that have one chunk a frame.

    Args:
        maps: the data set.
        dtype: expected type.
        shape: expected shape, (T, H, W, ...).

    Raises:
        ValueError: type, shape or chunks differ.
    """
    if maps.dtype != dtype or maps.shape != shape or maps.chunks != (1, *shape[1:]):
        raise ValueError(
            f"{maps.name} is not {np.dtype(dtype).name} {list(shape)} in chunks of one frame"
        )


def check_complete(maps: h5py.Dataset) -> None:
    """Check that every frame of a data set of maps was written.

    Raises:
        ValueError: a frame is missing.
    """
    if maps.id.get_num_chunks() != len(maps):
        raise ValueError(f"{maps.name} has {maps.id.get_num_chunks()} of {len(maps)} frames")


def map_size(maps: h5py.Dataset) -> tuple[int, int]:
    """Return (H, W) of a data set of maps."""
    height, width = maps.shape[1:3]
    return height, width
