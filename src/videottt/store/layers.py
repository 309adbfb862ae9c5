"""Store predictions and labels in an HDF5 group, compressed and readable frame by frame.

The attribute ``kind`` of a group names one of four forms, for T frames of H x W pixels::

    classes     map      uint8   [T, H, W]  class of each pixel, 255 = void; one chunk a frame
    panoptic    ids      uint16  [T, H, W]  segment of each pixel, from 1, 0 = void; a chunk a frame
                first, count     int64 [T]  first row and number of rows of frame t in the columns:
                class    uint8   [S]        of segment 1, 2, ... of the frame
                score    float32 [S]
    images      rgb      uint8   [T, H, W, 3]  an image; one chunk a frame
    instances   first, count     int64 [T]  first row and number of rows of frame t in the columns:
                class    uint8   [N]
                score    float32 [N]
                crowd    bool    [N]
                mask     int64   [N]        row of its mask; instances of a frame may share a mask
                begin, end       int64 [M]  first byte of each mask, and the byte after its last, in
                counts   uint8   [B]        COCO's compressed run lengths, one after the other
"""

import abc
from typing import Any, ClassVar, Generic, Self, TypeVar

import h5py
import numpy as np

from videottt.core.rle import check_masks
from videottt.core.segments import VOID, Instances, Panoptic, Prediction
from videottt.store.columns import Rows, append, check_places, create_column
from videottt.store.maps import check_complete, check_maps, create_maps, map_size

# The prediction or labels of one frame.
Content = TypeVar("Content", bound=Prediction)


class Layer(abc.ABC, Generic[Content]):
    """A group of one of the four forms; frames may be written in any order, each once."""

    kind: ClassVar[str]

    @abc.abstractmethod
    def __init__(self, group: h5py.Group) -> None: ...

    @classmethod
    def create(cls, parent: h5py.Group, name: str, frames: int, size: tuple[int, int]) -> Self:
        """Make an empty group for `frames` frames of `size` (H, W)."""
        group = parent.create_group(name)
        group.attrs["kind"] = np.bytes_(cls.kind)
        cls._create_content(group, frames, size)
        return cls(group)

    @classmethod
    @abc.abstractmethod
    def _create_content(cls, group: h5py.Group, frames: int, size: tuple[int, int]) -> None:
        """Make the data sets of an empty group."""

    @abc.abstractmethod
    def write(self, index: int, prediction: Content) -> None:
        """Write frame `index`."""

    @abc.abstractmethod
    def read(self, index: int) -> Content:
        """Return frame `index`."""

    @abc.abstractmethod
    def check(self) -> None:
        """Check that no map is missing and that the data sets agree with each other.

        Raises:
            ValueError: a map is missing or data sets disagree; the message says where.
        """

    @property
    @abc.abstractmethod
    def size(self) -> tuple[int, int]:
        """Return (H, W)."""

    @abc.abstractmethod
    def __len__(self) -> int: ...


class _Arrays(Layer[np.ndarray]):
    """A layer with one array of bytes for each frame.

    Attributes:
        name: name of the data set.
        channels: shape of the values of one pixel.
    """

    name: ClassVar[str]
    channels: ClassVar[tuple[int, ...]]

    def __init__(self, group: h5py.Group) -> None:
        self._arrays = group[self.name]

    @classmethod
    def _create_content(cls, group: h5py.Group, frames: int, size: tuple[int, int]) -> None:
        create_maps(group, cls.name, frames, (*size, *cls.channels), "u1")

    def write(self, index: int, prediction: np.ndarray) -> None:
        """Write frame `index`: uint8 [H, W, ...]."""
        self._arrays[index] = prediction

    def read(self, index: int) -> np.ndarray:
        """Return frame `index`: uint8 [H, W, ...]."""
        array: np.ndarray = self._arrays[index]
        return array

    def check(self) -> None:
        """Check the arrays; see Layer."""
        check_maps(self._arrays, "u1", (len(self), *self.size, *self.channels))
        check_complete(self._arrays)

    @property
    def size(self) -> tuple[int, int]:
        """Return (H, W)."""
        return map_size(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)


class ClassMaps(_Arrays):
    """Class maps, the predictions of semantic segmentation."""

    kind = "classes"
    name = "map"
    channels = ()


class Images(_Arrays):
    """RGB images, the predictions of colorization."""

    kind = "images"
    name = "rgb"
    channels = (3,)


class PanopticMaps(Layer[Panoptic]):
    """Panoptic maps, the predictions of panoptic segmentation."""

    kind = "panoptic"

    def __init__(self, group: h5py.Group) -> None:
        self._ids = group["ids"]
        self._rows = Rows(group, ("class", "score"))

    @classmethod
    def _create_content(cls, group: h5py.Group, frames: int, size: tuple[int, int]) -> None:
        create_maps(group, "ids", frames, size, "u2")
        Rows.create(group, frames, {"class": "u1", "score": "f4"})

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
        return map_size(self._ids)

    def __len__(self) -> int:
        return len(self._ids)


class InstanceLists(Layer[Instances]):
    """Masks as run lengths, for instance segmentation and for labels that overlap."""

    kind = "instances"

    def __init__(self, group: h5py.Group) -> None:
        self._group = group
        self._rows = Rows(group, ("class", "score", "crowd", "mask"))
        self._begin, self._end, self._counts = (group[name] for name in ("begin", "end", "counts"))

    @classmethod
    def _create_content(cls, group: h5py.Group, frames: int, size: tuple[int, int]) -> None:
        group.attrs["size"] = size
        Rows.create(group, frames, {"class": "u1", "score": "f4", "crowd": bool, "mask": "i8"})
        for column, dtype in (("begin", "i8"), ("end", "i8"), ("counts", "u1")):
            create_column(group, column, dtype)

    def write(self, index: int, prediction: Instances) -> None:
        """Write frame `index`; equal masks are stored once."""
        distinct = list(dict.fromkeys(prediction.masks))
        place = {mask: number for number, mask in enumerate(distinct, start=len(self._end))}
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
        end = len(self._counts) + np.cumsum(sizes)
        append(self._begin, end - sizes)
        append(self._end, end)
        append(self._counts, np.frombuffer(b"".join(distinct), np.uint8))

    def append(self, prediction: Instances) -> None:
        """Add a frame at the end."""
        self._rows.grow()
        self.write(len(self) - 1, prediction)

    def read(self, index: int) -> Instances:
        """Return frame `index`."""
        columns = self._rows.read(index)
        rows = columns["mask"]
        low, high = (int(rows.min()), int(rows.max()) + 1) if rows.size else (0, 0)
        begin, end = self._begin[low:high], self._end[low:high]
        first = int(begin[0]) if rows.size else 0
        counts = self._counts[first : int(end[-1]) if rows.size else 0].tobytes()
        masks = [counts[begin[row - low] - first : end[row - low] - first] for row in rows]
        return Instances(
            self.size, columns["class"], columns["score"], tuple(masks), columns["crowd"]
        )

    def check(self) -> None:
        """Check the instances and the places of their masks; see Layer."""
        self._rows.check()
        begin, end, masks = self._begin[:], self._end[:], self._group["mask"][:]
        check_places(begin, end - begin, len(self._counts))
        check_places(masks, np.ones_like(masks), len(begin))

    @property
    def size(self) -> tuple[int, int]:
        """Return (H, W)."""
        height, width = (int(edge) for edge in self._group.attrs["size"])
        return height, width

    def __len__(self) -> int:
        return len(self._rows)


_FORMS: tuple[type[Layer[Any]], ...] = (ClassMaps, Images, PanopticMaps, InstanceLists)
LAYERS = {form.kind: form for form in _FORMS}


def layer_of(group: h5py.Group) -> Layer[Any]:
    """Return the layer that is stored in a group."""
    return LAYERS[group.attrs["kind"].decode()](group)


def check_prediction(prediction: Prediction, classes: int) -> None:
    """Check the prediction or the labels of one frame after reading.

    Args:
        prediction: the prediction or the labels.
        classes: number of classes of the data set.

    Raises:
        ValueError: a class, an id, a score or a mask is invalid.
    """
    if isinstance(prediction, np.ndarray):
        if prediction.ndim == 2:
            # Most maps have nothing outside, which two comparisons find out faster than a copy.
            outside = prediction[(prediction >= max(classes, 1)) & (prediction != VOID)]
            _check_classes(outside, classes)
        return
    _check_classes(prediction.classes, classes)
    if not np.isfinite(prediction.scores).all():
        raise ValueError("a score is not finite")
    if isinstance(prediction, Panoptic) and prediction.ids.max(initial=0) > len(prediction.classes):
        raise ValueError(f"a pixel is of segment {prediction.ids.max()}, which is not listed")
    if isinstance(prediction, Instances):
        check_masks(prediction)


def _check_classes(indices: np.ndarray, classes: int) -> None:
    if indices.max(initial=0) >= max(classes, 1):
        raise ValueError(f"class {indices.max()}, but classes are 0..{classes - 1}")
