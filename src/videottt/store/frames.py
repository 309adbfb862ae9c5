"""Write and read the frame store: one HDF5 file per video.

Layout of format version 5, for T frames of at most H x W pixels::

    /frames            uint8  [T, H, W, 3]  RGB, one chunk a frame, gzip
    /sizes             int64  [T, 2]        height and width of frame t, at the top left of H x W;
                                            equal for all frames of a video, but not for stills
    /names             str    [T]           name of the source frame, without its suffix
    /timestamps        float64 [T]          time stamp of the source frame, ascending; t / fps if
                                            the source has no time stamps
    /labelled          bool   [T]           whether frame t has labels
    /labels/semantic   uint8  [T, H, W]     class index, 255 = void; one chunk a frame, gzip
    /labels/instance   uint16 [T, H, W]     instance id, 0 = none; only if the source has them
    /labels/instances  group                masks that overlap (the form InstanceLists of
                                            layers.py); only if the source has them
    attributes         format, version, dataset, video, fps, classes (JSON), things (JSON),
                       provenance (JSON); pixel_aspect, the width of a pixel divided by its
                       height, only if it is not 1

A store is written once, completely or not at all, and read lazily: no function here loads a whole
video. No other module knows this format.
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
from videottt.store.source_frame import SourceFrame, check_image, check_labels, is_plausible_aspect

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
        path: the file to write.
        frames: frames in the order of the video.
        dataset: id of the data set.
        video: id of the video.
        fps: frames a second. Several frames with time stamps ignore it, because the time stamps
            give the rate; a single frame with a time stamp has 1 by default.
        classes: names of the classes, in the order of their indices.
        things: names of the classes whose objects are told apart.
        canvas: (H, W) that holds stills of several sizes; None means that all frames have one size.
        provenance: record of everything that decides the content.

    Raises:
        InputError: a thing is not among the classes; there is no frame; two frames differ in size,
            or one exceeds the canvas; labels differ in size from their image, or have an invalid
            class or instance id; only some frames have time stamps, or time stamps do not ascend;
            or there is neither a time stamp nor `fps`.
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
            raise InputError(
                f"video '{video}' of dataset '{dataset}' has no frames; check its files, and "
                "'first' and 'last' in config.yaml"
            )
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
        if first is not None and first.pixel_aspect != 1:
            write_attributes(file, pixel_aspect=first.pixel_aspect)
        return len(names)


def _timestamps(
    given: list[float | None], fps: float | None, video: str
) -> tuple[np.ndarray, float]:
    """Return the time of every frame, float64 [T] in seconds, and the frames a second."""
    if given.count(None) == len(given):
        if fps is None:
            raise InputError(f"{video} has no time stamps; give its frames a second as 'fps'")
        return np.arange(len(given)) / fps, float(fps)
    timestamps = np.array(given, np.float64)
    # A missing time stamp is NaN here, and fails the comparison.
    if len(timestamps) > 1 and not (np.diff(timestamps) > 0).all():
        raise InputError(f"{video}: time stamps are missing or do not ascend; give each frame one")
    if len(timestamps) == 1:
        return timestamps, float(fps or 1)
    gaps = np.diff(timestamps)
    # Gaps of at least twice the median are pauses and do not count. The other gaps are averaged,
    # because many files round time stamps to milliseconds.
    return timestamps, float(1 / gaps[gaps < 2 * np.median(gaps)].mean())


def _create(file: h5py.File, size: tuple[int, int]) -> None:
    create_maps(file, "frames", None, (*size, 3), "u1")
    create_maps(file, "labels/semantic", None, size, "u1")
    file.create_dataset("labelled", shape=(0,), maxshape=(None,), dtype=bool)
    file.create_dataset("sizes", shape=(0, 2), maxshape=(None, 2), dtype="i8")


def _append(file: h5py.File, index: int, frame: SourceFrame) -> None:
    size = frame.image.shape[:2]
    labels = file["labels"]
    # Frames before the first one with instances have none: HDF5 fills unwritten rows with 0.
    if frame.instance is not None and "instance" not in labels:
        create_maps(file, "labels/instance", None, file["frames"].shape[1:3], "u2")
    if frame.instances is not None and "instances" not in labels:
        InstanceLists.create(labels, "instances", index, file["frames"].shape[1:3])
    maps = {
        "frames": frame.image,
        "labels/semantic": VOID if frame.semantic is None else frame.semantic,
        "labels/instance": 0 if frame.instance is None else frame.instance,
    }
    for stored, content in ((file[name], maps[name]) for name in maps if name in file):
        stored.resize(index + 1, axis=0)
        stored[index, : size[0], : size[1]] = content
    for stored, row in ((file["labelled"], frame.semantic is not None), (file["sizes"], size)):
        stored.resize(index + 1, axis=0)
        stored[index] = row
    if "instances" in labels:
        none = instances_from(np.zeros((0, *size), bool), [])
        InstanceLists(labels["instances"]).append(frame.instances or none)


class FrameStore(StoredFile):
    """A video read lazily from a frame store; use it as a context manager.

    Attributes:
        dataset: id of the data set.
        video: id of the video.
        fps: frames a second; the mean rate without pauses if the source has time stamps.
        timestamps: float64 [T], time stamps of the source frames; t / fps if the source has none.
        space: the classes and which of them are things.
        names: names of the source frames.
        labelled: bool [T], whether frame t has labels.
        sizes: int64 [T, 2], height and width of frame t.
        size: (H, W) of all frames of a video; of stills, the size of their canvas.
        pixel_aspect: width of a pixel divided by its height, when the video is shown.

    Raises:
        InputError: the file is absent, is no frame store, has an unknown version, or lacks
            data of a frame.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, FORMAT, VERSION)
        with self._closed_on_error():
            attributes = attributes_of(self._file)
            self.dataset: str = attributes["dataset"]
            self.video: str = attributes["video"]
            self.fps = float(attributes["fps"])
            self.pixel_aspect = float(attributes.get("pixel_aspect", 1.0))
            self.space = stored_space(attributes["classes"], attributes["things"])
            self.timestamps: np.ndarray = self._file["timestamps"][:]
            self.names: list[str] = list(map(os.fsdecode, self._file["names"][:]))
            self.labelled: np.ndarray = self._file["labelled"][:]
            self.sizes: np.ndarray = self._file["sizes"][:]
            self.size: tuple[int, int] = tuple(self._file["frames"].shape[1:3])
            labels = self._file["labels"]
            self._has_instance_maps = "instance" in labels
            self._instances = InstanceLists(labels["instances"]) if "instances" in labels else None
            self._check()

    def _check(self) -> None:
        """Raise a ValueError if data of a frame are missing or invalid."""
        labels = self._file["labels"]
        check_maps(self._file["frames"], "u1", (len(self), *self.size, 3))
        check_maps(labels["semantic"], "u1", (len(self), *self.size))
        check_complete(self._file["frames"])
        check_complete(labels["semantic"])
        if self._has_instance_maps:
            check_maps(labels["instance"], "u2", (len(self), *self.size))
        if self._instances is not None:
            self._instances.check()
            if len(self._instances) != len(self):
                raise ValueError(f"{len(self)} frames, but instances of {len(self._instances)}")
        shapes = (self.timestamps.shape, self.labelled.shape, self.sizes.shape)
        if shapes != ((len(self),), (len(self),), (len(self), 2)):
            raise ValueError(
                f"{len(self)} frames, but another number of time stamps, labels or sizes"
            )
        if not 0 < self.fps < np.inf or not np.isfinite(self.timestamps).all():
            raise ValueError("its rate or a time stamp is not a valid number")
        if not is_plausible_aspect(self.pixel_aspect):
            raise ValueError(f"its pixels cannot have an aspect of {self.pixel_aspect}")
        if (self.sizes < 1).any() or (self.sizes > self.size).any():
            raise ValueError("the size of a frame is not within that of the store")

    def __len__(self) -> int:
        return len(self.names)

    @property
    def classes(self) -> list[str]:
        """Return the names of the classes, in the order of their indices."""
        return list(self.space.classes)

    @property
    def shown_size(self) -> tuple[float, float]:
        """Return the height and width of the video in square pixels, as players show it."""
        height, width = self.size
        return height, width * self.pixel_aspect

    def check_one_size(self) -> None:
        """Refuse stills of several sizes, which are for training and no video.

        Raises:
            InputError: the frames differ in size.
        """
        if (self.sizes != self.size).any():
            raise InputError(
                f"{self.path}: holds stills of several sizes for training, not a video; "
                "predict a video whose frames have one size"
            )

    def frame(self, index: int) -> np.ndarray:
        """Return frame `index`: uint8 [H, W, 3], RGB."""
        return self._map("frames", index)

    def semantic(self, index: int) -> np.ndarray:
        """Return the labels of frame `index`: uint8 [H, W], 255 = void."""
        labels = self._map("labels/semantic", index)
        self._check_labels(labels, index)
        return labels

    def instance(self, index: int) -> np.ndarray:
        """Return the instance ids of frame `index`: uint16 [H, W], 0 = none."""
        if not self._has_instance_maps:
            return np.zeros(self.sizes[index], np.uint16)
        return self._map("labels/instance", index)

    def panoptic(self, index: int) -> Panoptic:
        """Return the segments of frame `index`; things without an instance id are a crowd."""
        return panoptic_from(self.semantic(index), self.instance(index), self.space)

    def instances(self, index: int) -> Instances:
        """Return the objects of frame `index`; their masks overlap if those of the source do."""
        if self._instances is not None:
            with self._reported(f"frame {index} cannot be read"):
                instances = self._instances.read(index)
            if len(instances):
                height, width = self.sizes[index].tolist()
                instances = dataclasses.replace(instances, size=(height, width))
                self._check_labels(instances, index)
                return instances
        return instances_of(self.panoptic(index), self.space)

    def _check_labels(self, labels: np.ndarray | Instances, index: int) -> None:
        with self._reported(f"frame {index} has invalid labels"):
            check_prediction(labels, len(self.space.classes))

    def _map(self, name: str, index: int) -> np.ndarray:
        height, width = self.sizes[index]
        return np.ascontiguousarray(self._read(name, index)[:height, :width])
