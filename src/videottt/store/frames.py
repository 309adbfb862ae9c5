"""The frame store: one HDF5 file per video, defined, versioned and documented here only.

Layout of format version 5, for T frames of at most H x W pixels::

    /frames            uint8  [T, H, W, 3]  RGB, one chunk a frame, gzip
    /sizes             int64  [T, 2]        height and width of frame t, at the top left of H x W:
                                            the same for all frames of a video, not of stills
    /names             str    [T]           name of the source frame, without its suffix
    /timestamps        float64 [T]          its time stamp in the source, ascending; where the
                                            source has none, t / fps
    /labelled          bool   [T]           whether frame t has labels
    /labels/semantic   uint8  [T, H, W]     class index, 255 = void; one chunk a frame, gzip
    /labels/instance   uint16 [T, H, W]     instance id, 0 = none; only where the source has it
    /labels/instances  group                masks that overlap (the form InstanceLists of
                                            layers.py); only where the source has them
    attributes         format, version, dataset, video, fps, classes (JSON), things (JSON),
                       provenance (JSON)

A store is written once, whole or not at all, and read lazily: no function here loads a video whole.
"""

import dataclasses
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from videottt.core.errors import InputError
from videottt.core.segments import (
    VOID,
    ClassSpace,
    Instances,
    Panoptic,
    instances_from,
    instances_of,
    panoptic_from,
    stored_space,
)
from videottt.store.hdf5 import StoredFile, attributes_of, new_file, write_attributes
from videottt.store.layers import InstanceLists, check_prediction
from videottt.store.maps import check_complete, check_maps, create_maps
from videottt.store.source_frame import SourceFrame, check_image, check_labels

FORMAT = "videottt frames"
VERSION = 5


def write_frames(
    path: Path,
    frames: Iterable[SourceFrame],
    *,
    dataset: str,
    video: str,
    fps: float | None,
    classes: Sequence[str],
    things: Sequence[str] = (),
    canvas: tuple[int, int] | None = None,
    provenance: dict[str, Any],
) -> int:
    """Write a frame store from frames that arrive one by one, and return how many there were.

    Args:
        path: of the store.
        frames: in the order of the video.
        dataset: id of the data set.
        video: id of the video.
        fps: frames a second; of frames with time stamps only a single one is given it, by
            default 1, for several say their rate themselves.
        classes: names of the classes, in the order of their indices.
        things: names of the classes whose objects are counted one by one.
        canvas: (H, W) that holds stills of several sizes; None = all frames have one size.
        provenance: what decides the content, to be kept beside it.

    Raises:
        InputError: a thing is no class, there is no frame, two frames differ in size or one exceeds
            the canvas, labels do not fit their image, a label is no class index nor 255, or no
            instance id, some frames only have time stamps or these do not ascend, or there
            is neither a time stamp nor `fps`.
    """
    space = ClassSpace(tuple(classes), tuple(things))
    with new_file(path) as file:
        names: list[str] = []
        given: list[float | None] = []
        first: SourceFrame | None = None
        for frame in frames:
            first = first or frame
            where = f"frame '{frame.name}' of video '{video}' ({dataset})"
            check_image(frame, first, canvas, where)
            check_labels(frame, space, dataset, where)
            if not names:
                _create(file, canvas or first.image.shape[:2])
            _append(file, len(names), frame)
            names.append(frame.name)
            given.append(frame.timestamp)
        if not names:
            raise InputError(f"video '{video}' of dataset '{dataset}' has no frames")
        timestamps, rate = _timestamps(given, fps, f"video '{video}' of dataset '{dataset}'")
        file["names"] = np.array([os.fsencode(name) for name in names])
        file["timestamps"] = timestamps
        write_attributes(
            file,
            format=FORMAT,
            version=VERSION,
            dataset=dataset,
            video=video,
            fps=rate,
            classes=json.dumps(space.classes),
            things=json.dumps(space.things),
            provenance=json.dumps(provenance, sort_keys=True),
        )
        return len(names)


def _timestamps(
    given: list[float | None], fps: float | None, video: str
) -> tuple[np.ndarray, float]:
    """Return the time of every frame, float64 [T] in seconds, and the frames a second."""
    if given.count(None) == len(given):
        if fps is None:
            raise InputError(f"{video} has no time stamps: say how many frames a second, as 'fps'")
        return np.arange(len(given)) / fps, float(fps)
    timestamps = np.array(given, np.float64)
    # Of a frame without a time stamp it is NaN, which ascends nowhere.
    if len(timestamps) > 1 and not (np.diff(timestamps) > 0).all():
        raise InputError(f"{video}: time stamps are missing or do not ascend; give each frame one")
    if len(timestamps) == 1:
        return timestamps, float(fps or 1)
    gaps = np.diff(timestamps)
    # A pause is no slower rate. Those that are left are averaged: many files round their time
    # stamps to milliseconds.
    return timestamps, float(1 / gaps[gaps < 2 * np.median(gaps)].mean())


def _create(file: h5py.File, size: tuple[int, int]) -> None:
    create_maps(file, "frames", None, (*size, 3), "u1")
    create_maps(file, "labels/semantic", None, size, "u1")
    file.create_dataset("labelled", shape=(0,), maxshape=(None,), dtype=bool)
    file.create_dataset("sizes", shape=(0, 2), maxshape=(None, 2), dtype="i8")


def _append(file: h5py.File, index: int, frame: SourceFrame) -> None:
    size = frame.image.shape[:2]
    labels = file["labels"]
    # Frames before the first one with instances had none: rows that are not written are 0.
    if frame.instance is not None and "instance" not in labels:
        create_maps(file, "labels/instance", None, file["frames"].shape[1:3], "u2")
    if frame.instances is not None and "instances" not in labels:
        InstanceLists.create(labels, "instances", index, file["frames"].shape[1:3])
    maps = {
        "frames": frame.image,
        "labels/semantic": VOID if frame.semantic is None else frame.semantic,
        "labels/instance": 0 if frame.instance is None else frame.instance,
    }
    for name in (name for name in maps if name in file):
        file[name].resize(index + 1, axis=0)
        file[name][index, : size[0], : size[1]] = maps[name]
    for name, row in (("labelled", frame.semantic is not None), ("sizes", size)):
        file[name].resize(index + 1, axis=0)
        file[name][index] = row
    if "instances" in labels:
        none = instances_from(np.zeros((0, *size), bool), [])
        InstanceLists(labels["instances"]).append(frame.instances or none)


class FrameStore(StoredFile):
    """A video read lazily from a frame store; use it as a context manager.

    Attributes:
        dataset: id of the data set.
        video: id of the video.
        fps: frames a second; of frames with time stamps the mean, pauses left out.
        timestamps: float64 [T], time stamps of the source frames; where it has none, t / fps.
        space: the classes and which of them are things.
        names: names of the source frames.
        labelled: bool [T], whether frame t has labels.
        sizes: int64 [T, 2], height and width of frame t.
        size: (H, W), the same in a video; in stills of several sizes, what holds them all.

    Raises:
        InputError: the file is absent, is no frame store, has an unknown version, or lacks
            anything of any frame.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, FORMAT, VERSION)
        with self._closed_on_error():
            attributes = attributes_of(self._file)
            self.dataset: str = attributes["dataset"]
            self.video: str = attributes["video"]
            self.fps = float(attributes["fps"])
            self.space = stored_space(attributes["classes"], attributes["things"])
            self.timestamps: np.ndarray = self._file["timestamps"][:]
            self.names: list[str] = list(map(os.fsdecode, self._file["names"][:]))
            self.labelled: np.ndarray = self._file["labelled"][:]
            self.sizes: np.ndarray = self._file["sizes"][:]
            self.size: tuple[int, int] = tuple(self._file["frames"].shape[1:3])
            self._check()

    def _check(self) -> None:
        """Raise a ValueError if anything of any frame is missing, or cannot be."""
        labels = self._file["labels"]
        check_maps(self._file["frames"], "u1", (len(self), *self.size, 3))
        check_maps(labels["semantic"], "u1", (len(self), *self.size))
        check_complete(self._file["frames"])
        check_complete(labels["semantic"])
        if "instance" in labels:
            check_maps(labels["instance"], "u2", (len(self), *self.size))
        if "instances" in labels:
            listed = InstanceLists(labels["instances"])
            listed.check()
            if len(listed) != len(self):
                raise ValueError(f"{len(self)} frames, but instances of {len(listed)}")
        shapes = (self.timestamps.shape, self.labelled.shape, self.sizes.shape)
        if shapes != ((len(self),), (len(self),), (len(self), 2)):
            raise ValueError(f"{len(self)} frames, but time stamps, labels or sizes of others")
        if not 0 < self.fps < np.inf or not np.isfinite(self.timestamps).all():
            raise ValueError("its rate or a time stamp is no number")
        if (self.sizes < 1).any() or (self.sizes > self.size).any():
            raise ValueError("a frame is larger than all of them")

    def __len__(self) -> int:
        return len(self.names)

    @property
    def classes(self) -> list[str]:
        """Return the names of the classes, in the order of their indices."""
        return list(self.space.classes)

    def check_one_size(self) -> None:
        """Refuse stills of several sizes on one canvas: they are to train on, not a video.

        Raises:
            InputError: the frames differ in size.
        """
        if (self.sizes != self.size).any():
            raise InputError(
                f"{self.path}: frames of several sizes are stills to train on, not a video; "
                "predict a video whose frames have one size"
            )

    def frame(self, index: int) -> np.ndarray:
        """Return frame `index`: uint8 [H, W, 3], RGB."""
        return self._map("frames", index)

    def semantic(self, index: int) -> np.ndarray:
        """Return the labels of frame `index`: uint8 [H, W], 255 = void."""
        found = self._map("labels/semantic", index)
        self._check_labels(found, index)
        return found

    def instance(self, index: int) -> np.ndarray:
        """Return the instance ids of frame `index`: uint16 [H, W], 0 = none."""
        if "instance" not in self._file["labels"]:
            return np.zeros(self.sizes[index], np.uint16)
        return self._map("labels/instance", index)

    def panoptic(self, index: int) -> Panoptic:
        """Return the segments of frame `index`; things without an instance id are a crowd."""
        return panoptic_from(self.semantic(index), self.instance(index), self.space)

    def instances(self, index: int) -> Instances:
        """Return the objects of frame `index`, overlapping where the source has such masks."""
        if "instances" in self._file["labels"]:
            with self._reported(f"frame {index} cannot be read"):
                listed = InstanceLists(self._file["labels/instances"]).read(index)
            if len(listed):
                height, width = self.sizes[index].tolist()
                listed = dataclasses.replace(listed, size=(height, width))
                self._check_labels(listed, index)
                return listed
        return instances_of(self.panoptic(index), self.space)

    def _check_labels(self, labels: np.ndarray | Instances, index: int) -> None:
        with self._reported(f"frame {index} has labels that cannot be"):
            check_prediction(labels, len(self.space.classes))

    def _map(self, name: str, index: int) -> np.ndarray:
        height, width = self.sizes[index]
        return np.ascontiguousarray(self._read(name, index)[:height, :width])
