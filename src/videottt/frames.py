"""The frame store: one HDF5 file per video, defined, versioned and documented here only.

Layout of format version 1, for a video of T frames of height H and width W::

    /frames            uint8  [T, H, W, 3]  RGB, one chunk a frame, gzip
    /names             str    [T]           name of the source frame, without its suffix
    /labelled          bool   [T]           whether frame t has labels
    /labels/semantic   uint8  [T, H, W]     class index, 255 = void; one chunk a frame, gzip
    /labels/instance   uint16 [T, H, W]     instance id, 0 = none; only where the source has it
    attributes         format, version, dataset, video, fps, classes (JSON), provenance (JSON)

A store is written once, whole or not at all, and read lazily: no function here loads a video whole.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from videottt.errors import InputError
from videottt.files import complete_file
from videottt.hdf5 import StoredFile

FORMAT = "videottt frames"
VERSION = 1
VOID = 255


@dataclass(frozen=True)
class SourceFrame:
    """One frame as a dataset layout reads it.

    Attributes:
        name: name of the source file, without its suffix; unique in the video.
        image: uint8 [H, W, 3], RGB.
        semantic: uint8 [H, W], class index or 255 = void; None where the frame has no labels.
        instance: uint16 [H, W], 0 = none; None where the source has no instances.
    """

    name: str
    image: np.ndarray
    semantic: np.ndarray | None = None
    instance: np.ndarray | None = None


def write_frames(
    path: Path,
    frames: Iterable[SourceFrame],
    *,
    dataset: str,
    video: str,
    fps: float,
    classes: Sequence[str],
    provenance: dict,
) -> int:
    """Write a frame store from frames that arrive one by one, and return how many there were.

    Raises:
        InputError: there is no frame, two frames differ in size, labels do not fit their image, or
            a label is neither a class index nor 255.
    """
    with complete_file(path) as part, h5py.File(part, "w") as file:
        names: list[str] = []
        first = None
        for frame in frames:
            first = first if names else frame
            _check(frame, first, classes, dataset, video)
            if not names:
                _create(file, first)
            _append(file, len(names), frame)
            names.append(frame.name)
        if not names:
            raise InputError(f"video '{video}' of dataset '{dataset}' has no frames")
        file["names"] = names
        file.attrs.update(
            format=FORMAT,
            version=VERSION,
            dataset=dataset,
            video=video,
            fps=float(fps),
            classes=json.dumps(list(classes)),
            provenance=json.dumps(provenance, sort_keys=True),
        )
        return len(names)


def _create(file: h5py.File, frame: SourceFrame) -> None:
    height, width = frame.image.shape[:2]
    _create_layer(file, "frames", (height, width, 3), "u1")
    _create_layer(file, "labels/semantic", (height, width), "u1")
    file.create_dataset("labelled", shape=(0,), maxshape=(None,), dtype=bool)


def _create_layer(file: h5py.File, name: str, shape: tuple[int, ...], dtype: str) -> None:
    file.create_dataset(
        name,
        shape=(0, *shape),
        maxshape=(None, *shape),
        chunks=(1, *shape),
        dtype=dtype,
        compression="gzip",
        compression_opts=1,
        shuffle=dtype != "u1",
    )


def _append(file: h5py.File, index: int, frame: SourceFrame) -> None:
    void = np.full(frame.image.shape[:2], VOID, np.uint8)
    rows = {
        "frames": frame.image,
        "labels/semantic": void if frame.semantic is None else frame.semantic,
        "labelled": frame.semantic is not None,
    }
    if frame.instance is not None and "instance" not in file["labels"]:
        # Frames before this one had none: rows that are not written are 0.
        _create_layer(file, "labels/instance", frame.image.shape[:2], "u2")
    if "instance" in file["labels"]:
        rows["labels/instance"] = 0 if frame.instance is None else frame.instance
    for name, row in rows.items():
        file[name].resize(index + 1, axis=0)
        file[name][index] = row


def _check(
    frame: SourceFrame, first: SourceFrame, classes: Sequence[str], dataset: str, video: str
) -> None:
    where = f"frame '{frame.name}' of video '{video}' ({dataset})"
    if frame.image.dtype != np.uint8 or frame.image.ndim != 3 or frame.image.shape[2] != 3:
        raise InputError(
            f"{where} is not 8-bit RGB but {frame.image.dtype} {list(frame.image.shape)}"
        )
    if frame.image.shape != first.image.shape:
        raise InputError(
            f"{where} is {_size(frame.image)} but '{first.name}' is {_size(first.image)}; "
            "all frames of a video must have one size: resize them or split the video"
        )
    for kind, labels in (("semantic", frame.semantic), ("instance", frame.instance)):
        if labels is not None and labels.shape != frame.image.shape[:2]:
            raise InputError(
                f"{where}: its {kind} labels are {_size(labels)} but the image is "
                f"{_size(frame.image)}; export both at one size"
            )
    if frame.semantic is not None and frame.semantic.dtype != np.uint8:
        raise InputError(f"{where}: its semantic labels are {frame.semantic.dtype}, not uint8")
    if frame.semantic is not None:
        found = np.bincount(frame.semantic.ravel(), minlength=256)
        outside = np.flatnonzero(found[len(classes) : VOID]) + len(classes)
        if outside.size:
            raise InputError(
                f"{where} has label id {outside[0]}, but '{dataset}' has {len(classes)} classes "
                f"(0..{len(classes) - 1}) and {VOID} for void; correct the labels or the dataset's "
                "'classes' in config.yaml"
            )


def _size(array: np.ndarray) -> str:
    return f"{array.shape[1]}x{array.shape[0]}"


class FrameStore(StoredFile):
    """A video read lazily from a frame store; use it as a context manager.

    Attributes:
        dataset: id of the data set.
        video: id of the video.
        fps: frames a second.
        classes: names of the classes, in the order of their indices.
        names: names of the source frames.
        labelled: bool [T], whether frame t has labels.
        size: (H, W).

    Raises:
        InputError: the file is absent, is no frame store or has an unknown version.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, FORMAT, VERSION)
        attributes = self._file.attrs
        self.dataset: str = attributes["dataset"]
        self.video: str = attributes["video"]
        self.fps = float(attributes["fps"])
        self.classes: list[str] = json.loads(attributes["classes"])
        self.names: list[str] = [name.decode() for name in self._file["names"][:]]
        self.labelled: np.ndarray = self._file["labelled"][:]
        self.size: tuple[int, int] = tuple(self._file["frames"].shape[1:3])

    def __len__(self) -> int:
        return len(self.names)

    def frame(self, index: int) -> np.ndarray:
        """Return frame `index`: uint8 [H, W, 3], RGB."""
        return self._read("frames", index)

    def semantic(self, index: int) -> np.ndarray:
        """Return the labels of frame `index`: uint8 [H, W], 255 = void."""
        return self._read("labels/semantic", index)
