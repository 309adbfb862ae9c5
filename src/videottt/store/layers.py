"""How predictions and labels of a frame lie in an HDF5 group, compressed and readable by frame.

The attribute ``kind`` of a group says which of four forms it has, for T frames of H x W::

    classes     map      uint8   [T, H, W]  class of each pixel, 255 = void; one chunk a frame
    panoptic    ids      uint16  [T, H, W]  segment of each pixel, from 1, 0 = void; a chunk a frame
                first, count     int64 [T]  rows of frame t in the following columns
                class    uint8   [S]        of segment 1, 2, ... of the frame
                score    float32 [S]
    images      rgb      uint8   [T, H, W, 3]  an image; one chunk a frame
    instances   first, count     int64 [T]  rows of frame t in the following columns
                class    uint8   [N]
                score    float32 [N]
                crowd    bool    [N]
                mask     int64   [N]        row of its mask; instances of a frame may share one
                begin, end       int64 [M]  bytes of each mask in
                counts   uint8   [B]        COCO's compressed run lengths, one after the other
"""

from typing import ClassVar, Protocol, Self

import h5py
import numpy as np

from videottt.core.rle import check_masks
from videottt.core.segments import VOID, Instances, Panoptic, Prediction

CHUNK = 4096  # rows of a column


class Layer(Protocol):
    """One form; frames may be written in any order, each once."""

    kind: ClassVar[str]

    @classmethod
    def create(cls, parent: h5py.Group, name: str, frames: int, size: tuple[int, int]) -> Self:
        """Make an empty group for so many frames of (H, W)."""
        ...

    def write(self, index: int, prediction: Prediction) -> None:
        """Write frame `index`."""
        ...

    def read(self, index: int) -> Prediction:
        """Return frame `index`."""
        ...

    def check(self) -> None:
        """Check that what is there fits together, and that no map is missing.

        Raises:
            ValueError: it does not; the message says where.
        """
        ...

    @property
    def size(self) -> tuple[int, int]:
        """Return (H, W)."""
        ...

    def __len__(self) -> int: ...


class ClassMaps:
    """Maps of classes: what semantic segmentation predicts."""

    kind = "classes"

    def __init__(self, group: h5py.Group) -> None:
        self._map = group["map"]

    @classmethod
    def create(cls, parent: h5py.Group, name: str, frames: int, size: tuple[int, int]) -> Self:
        """Make an empty group for so many frames of (H, W)."""
        group = _group(parent, name, cls.kind)
        _maps(group, "map", frames, size, "u1")
        return cls(group)

    def write(self, index: int, prediction: np.ndarray) -> None:
        """Write frame `index`: uint8 [H, W]."""
        self._map[index] = prediction

    def read(self, index: int) -> np.ndarray:
        """Return frame `index`: uint8 [H, W]."""
        return self._map[index]

    def check(self) -> None:
        """Check the maps; see Layer."""
        check_maps(self._map, "u1", (len(self), *self.size))
        check_complete(self._map)

    @property
    def size(self) -> tuple[int, int]:
        """Return (H, W)."""
        return self._map.shape[1:]

    def __len__(self) -> int:
        return len(self._map)


class Images:
    """RGB images: what colorization predicts."""

    kind = "images"

    def __init__(self, group: h5py.Group) -> None:
        self._rgb = group["rgb"]

    @classmethod
    def create(cls, parent: h5py.Group, name: str, frames: int, size: tuple[int, int]) -> Self:
        """Make an empty group for so many frames of (H, W)."""
        group = _group(parent, name, cls.kind)
        _maps(group, "rgb", frames, (*size, 3), "u1")
        return cls(group)

    def write(self, index: int, prediction: np.ndarray) -> None:
        """Write frame `index`: uint8 [H, W, 3]."""
        self._rgb[index] = prediction

    def read(self, index: int) -> np.ndarray:
        """Return frame `index`: uint8 [H, W, 3]."""
        return self._rgb[index]

    def check(self) -> None:
        """Check the images; see Layer."""
        check_maps(self._rgb, "u1", (len(self), *self.size, 3))
        check_complete(self._rgb)

    @property
    def size(self) -> tuple[int, int]:
        """Return (H, W)."""
        return self._rgb.shape[1:3]

    def __len__(self) -> int:
        return len(self._rgb)


class PanopticMaps:
    """Maps of segments: what panoptic segmentation predicts."""

    kind = "panoptic"

    def __init__(self, group: h5py.Group) -> None:
        self._ids = group["ids"]
        self._rows = _Rows(group, ("class", "score"))

    @classmethod
    def create(cls, parent: h5py.Group, name: str, frames: int, size: tuple[int, int]) -> Self:
        """Make an empty group for so many frames of (H, W)."""
        group = _group(parent, name, cls.kind)
        _maps(group, "ids", frames, size, "u2")
        _Rows.create(group, frames, {"class": "u1", "score": "f4"})
        return cls(group)

    def write(self, index: int, prediction: Panoptic) -> None:
        """Write frame `index`."""
        self._ids[index] = prediction.ids
        self._rows.write(index, {"class": prediction.classes, "score": prediction.scores})

    def read(self, index: int) -> Panoptic:
        """Return frame `index`."""
        columns = self._rows.read(index)
        crowd = np.zeros(len(columns["class"]), bool)
        return Panoptic(self._ids[index], columns["class"], columns["score"], crowd)

    def check(self) -> None:
        """Check the maps and their segments; see Layer."""
        check_maps(self._ids, "u2", (len(self), *self.size))
        check_complete(self._ids)
        self._rows.check()
        if len(self._rows) != len(self._ids):
            raise ValueError(f"{len(self._ids)} maps, but segments of {len(self._rows)}")

    @property
    def size(self) -> tuple[int, int]:
        """Return (H, W)."""
        return self._ids.shape[1:]

    def __len__(self) -> int:
        return len(self._ids)


class InstanceLists:
    """Masks as run lengths: what instance segmentation predicts, and labels that overlap."""

    kind = "instances"

    def __init__(self, group: h5py.Group) -> None:
        self._group = group
        self._rows = _Rows(group, ("class", "score", "crowd", "mask"))

    @classmethod
    def create(cls, parent: h5py.Group, name: str, frames: int, size: tuple[int, int]) -> Self:
        """Make an empty group for so many frames of (H, W)."""
        group = _group(parent, name, cls.kind)
        group.attrs["size"] = size
        _Rows.create(group, frames, {"class": "u1", "score": "f4", "crowd": bool, "mask": "i8"})
        for column, dtype in (("begin", "i8"), ("end", "i8"), ("counts", "u1")):
            _column(group, column, dtype)
        return cls(group)

    def write(self, index: int, prediction: Instances) -> None:
        """Write frame `index`; equal masks are stored once."""
        distinct = list(dict.fromkeys(prediction.masks))
        place = {mask: len(self._group["end"]) + number for number, mask in enumerate(distinct)}
        self._rows.write(
            index,
            {
                "class": prediction.classes,
                "score": prediction.scores,
                "crowd": prediction.crowd,
                "mask": np.array([place[mask] for mask in prediction.masks], np.int64),
            },
        )
        sizes = np.array([len(mask) for mask in distinct], np.int64)
        end = len(self._group["counts"]) + np.cumsum(sizes)
        _append(self._group["begin"], end - sizes)
        _append(self._group["end"], end)
        _append(self._group["counts"], np.frombuffer(b"".join(distinct), np.uint8))

    def append(self, prediction: Instances) -> None:
        """Write one frame more than there were."""
        self._rows.grow()
        self.write(len(self) - 1, prediction)

    def read(self, index: int) -> Instances:
        """Return frame `index`."""
        columns = self._rows.read(index)
        rows = columns["mask"]
        low, high = (int(rows.min()), int(rows.max()) + 1) if rows.size else (0, 0)
        begin, end = (self._group[name][low:high] for name in ("begin", "end"))
        first = int(begin[0]) if rows.size else 0
        counts = self._group["counts"][first : int(end[-1]) if rows.size else 0].tobytes()
        masks = [counts[begin[row - low] - first : end[row - low] - first] for row in rows]
        return Instances(
            self.size, columns["class"], columns["score"], tuple(masks), columns["crowd"]
        )

    def check(self) -> None:
        """Check the instances and the places of their masks; see Layer."""
        self._rows.check()
        begin, end, masks = (self._group[name][:] for name in ("begin", "end", "mask"))
        _check_places(begin, end - begin, len(self._group["counts"]))
        _check_places(masks, np.ones_like(masks), len(begin))

    @property
    def size(self) -> tuple[int, int]:
        """Return (H, W)."""
        height, width = (int(edge) for edge in self._group.attrs["size"])
        return height, width

    def __len__(self) -> int:
        return len(self._rows)


LAYERS: dict[str, type[Layer]] = {
    layer.kind: layer for layer in (ClassMaps, Images, PanopticMaps, InstanceLists)
}


def layer_of(group: h5py.Group) -> Layer:
    """Return the layer that lies in a group."""
    return LAYERS[group.attrs["kind"].decode()](group)


def check_prediction(prediction: Prediction, classes: int) -> None:
    """Check what was read of one frame, of which there may be so many classes.

    Raises:
        ValueError: a class, an id, a score or a mask cannot be.
    """
    if isinstance(prediction, np.ndarray):
        found = prediction[prediction != VOID] if prediction.ndim == 2 else prediction[:0]
        _check_classes(found, classes)
        return
    _check_classes(prediction.classes, classes)
    if not np.isfinite(prediction.scores).all():
        raise ValueError("a score is not finite")
    if isinstance(prediction, Panoptic) and prediction.ids.max(initial=0) > len(prediction.classes):
        raise ValueError(f"a pixel is of segment {prediction.ids.max()}, which is not listed")
    if isinstance(prediction, Instances):
        check_masks(prediction)


def check_maps(maps: h5py.Dataset, dtype: str, shape: tuple[int, ...]) -> None:
    """Check a data set of maps that have one chunk a frame.

    Args:
        maps: the data set.
        dtype: that it must have.
        shape: (T, H, W, ...) that it must have.

    Raises:
        ValueError: it has another form.
    """
    if maps.dtype != dtype or maps.shape != shape or maps.chunks != (1, *shape[1:]):
        raise ValueError(f"{maps.name} has another form")


def check_complete(maps: h5py.Dataset) -> None:
    """Check that every frame of a data set of maps was written.

    Raises:
        ValueError: one is missing.
    """
    if maps.id.get_num_chunks() != len(maps):
        raise ValueError(f"{maps.name} has {maps.id.get_num_chunks()} of {len(maps)} frames")


class _Rows:
    """Columns of which every frame has some rows."""

    def __init__(self, group: h5py.Group, names: tuple[str, ...]) -> None:
        self._group = group
        self._names = names

    @classmethod
    def create(cls, group: h5py.Group, frames: int, columns: dict[str, type | str]) -> None:
        """Make empty columns."""
        for name in ("first", "count"):
            group.create_dataset(name, data=np.zeros(frames, np.int64), maxshape=(None,))
        for name, dtype in columns.items():
            _column(group, name, dtype)

    def write(self, index: int, columns: dict[str, np.ndarray]) -> None:
        """Write the rows of frame `index`."""
        first = len(self._group[self._names[0]])
        for name, values in columns.items():
            _append(self._group[name], values)
        self._group["first"][index] = first
        self._group["count"][index] = len(self._group[self._names[0]]) - first

    def grow(self) -> None:
        """Add a frame without rows."""
        frames = len(self) + 1
        for name in ("first", "count"):
            self._group[name].resize(frames, axis=0)

    def read(self, index: int) -> dict[str, np.ndarray]:
        """Return the rows of frame `index`."""
        first, count = int(self._group["first"][index]), int(self._group["count"][index])
        return {name: self._group[name][first : first + count] for name in self._names}

    def check(self) -> None:
        """Raise a ValueError if columns differ in length, or a frame's rows are not there."""
        lengths = {len(self._group[name]) for name in self._names}
        if len(lengths) != 1:
            raise ValueError(f"{self._group.name} has columns of several lengths")
        _check_places(self._group["first"][:], self._group["count"][:], lengths.pop())

    def __len__(self) -> int:
        return len(self._group["first"])


def _check_places(first: np.ndarray, count: np.ndarray, length: int) -> None:
    """Raise a ValueError if any of the ranges leaves 0 ... length."""
    if first.dtype != np.int64 or count.dtype != np.int64 or first.shape != count.shape:
        raise ValueError("the places of rows are not whole numbers, or not as many")
    if ((first < 0) | (count < 0) | (first > length - count)).any():
        raise ValueError("rows are missing")


def _check_classes(found: np.ndarray, classes: int) -> None:
    if found.max(initial=0) >= max(classes, 1):
        raise ValueError(f"class {found.max()} of {classes}")


def _group(parent: h5py.Group, name: str, kind: str) -> h5py.Group:
    group = parent.create_group(name)
    group.attrs["kind"] = np.bytes_(kind)
    return group


def _maps(group: h5py.Group, name: str, frames: int, size: tuple[int, ...], dtype: str) -> None:
    group.create_dataset(
        name,
        shape=(frames, *size),
        chunks=(1, *size),
        dtype=dtype,
        compression="gzip",
        compression_opts=1,
        shuffle=dtype != "u1",
    )


def _column(group: h5py.Group, name: str, dtype: type | str) -> None:
    group.create_dataset(
        name, shape=(0,), maxshape=(None,), chunks=(CHUNK,), dtype=dtype, compression="gzip",
        compression_opts=1,
    )  # fmt: skip


def _append(column: h5py.Dataset, values: np.ndarray) -> None:
    length = len(column)
    column.resize(length + len(values), axis=0)
    column[length:] = values
