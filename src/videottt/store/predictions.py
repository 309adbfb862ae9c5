"""Write and read the prediction cache: one HDF5 file per (dataset, task, method, seed, video).

Layout of format version 6, for a video of T frames of height H and width W::

    /prediction        group of T frames in one of the forms of videottt.store.layers: class maps
                       (semantic), panoptic maps, images or lists of instances
    /loss              float64 [T]        of the objective, before the update; NaN without one
    /gradient_norm     float64 [T]        before clipping; NaN without an update
    /skipped_steps     int64   [T]        updates skipped because loss or gradient was not finite
    /resets            int64   [T]        1 if predictions had collapsed and the weights were reset
    /ladder/<N>        of offline methods only: the predictions after N updates, in the form of
                       /prediction, for each rung N but the last, which is in /prediction
    /ladder/<N>/wall_time/*, /ladder/<N>/skipped_steps
                       as those of the last rung below: of the N updates, and of this prediction
    /updates/loss      float64 [N]        of offline methods only: the loss before each update
    /wall_time/load    float64 [T]        wall time of reading the frame
    /wall_time/adapt   float64 [T]        ... of the updates: the sum of the next five; offline,
                                          of all updates so far, spread evenly over the frames
    /wall_time/adapt_* float64 [T]        ... reset, sample, forward, backward, optimizer
    /wall_time/predict float64 [T]        ... of predicting the frame
    /wall_time/write   float64 [T]        ... of writing the prediction into this file
    /memory/peak       int64   scalar     bytes of resident memory of the process
    /memory/peak_gpu   float64 scalar     bytes of GPU memory that torch allocated; NaN on a CPU
    /look/index        int64   [N]        frames whose reconstruction was kept
    /look/visible      bool    [N, h, w]  the patches shown to the model
    /look/pixels       uint8   [N, h, w, 3]  its reconstruction
    attributes         format, version, dataset, task, method, seed, video, classes (JSON),
                       settings (JSON), provenance (JSON), ladder (rungs, ascending)

The peaks of memory are of the whole job, as every rung has the same weights and batches.

Two runs on one machine agree bit for bit in everything but the groups ``wall_time``, ``/memory``
and the attribute ``checksum`` of videottt.store.hdf5, which covers them. Files are written
completely or not at all. No other module knows this format.
"""

import contextlib
import json
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from videottt.core.errors import InputError
from videottt.core.frame_result import ADAPT_PHASES, FrameResult
from videottt.core.ids import JobKey
from videottt.core.segments import Prediction
from videottt.store.frames import FrameStore
from videottt.store.hdf5 import StoredFile, attributes_of, key_of, new_file, write_attributes
from videottt.store.layers import LAYERS, Layer, check_prediction, layer_of

FORMAT = "videottt predictions"
VERSION = 6
NUMBERS = ("loss", "gradient_norm", "skipped_steps", "resets")
COUNTS = ("skipped_steps", "resets")
# Of a rung before the last: offline, losses are of updates and not of frames, and nothing resets.
RUNG_NUMBERS = ("skipped_steps",)
WALL_TIMES = ("load", "adapt", *(f"adapt_{phase}" for phase in ADAPT_PHASES), "predict", "write")


class _Results:
    """One result of each frame: what is predicted after some updates, and what that took."""

    def __init__(self, predictions: Layer[Any], frames: int) -> None:
        self._predictions = predictions
        self._numbers = {name: np.zeros(frames) for name in NUMBERS}
        self._wall_time = {name: np.zeros(frames) for name in WALL_TIMES}

    def add(self, result: FrameResult) -> None:
        """Write the prediction of a frame, and keep its numbers and wall times."""
        start = time.perf_counter()
        self._predictions.write(result.index, result.prediction)
        for name, values in self._numbers.items():
            values[result.index] = getattr(result, name)
        times = {f"adapt_{phase}": result.wall_time[phase] for phase in ADAPT_PHASES}
        times["adapt"] = sum(times.values())
        times["load"], times["predict"] = result.wall_time["load"], result.wall_time["predict"]
        times["write"] = time.perf_counter() - start
        for name, wall_time in times.items():
            self._wall_time[name][result.index] = wall_time

    def finish(self, group: h5py.Group, numbers: Sequence[str]) -> None:
        """Write some of the numbers, and all wall times, into a group."""
        for name in numbers:
            values = self._numbers[name]
            group[name] = values.astype(np.int64) if name in COUNTS else values
        for name, values in self._wall_time.items():
            group[f"wall_time/{name}"] = values


class PredictionWriter:
    """A writer of the results of one job, frame by frame; made by `write_predictions`."""

    def __init__(self, file: h5py.File, kind: str, frames: int, size: tuple[int, int]) -> None:
        self._file = file
        self._kind, self._frames, self._size = kind, frames, size
        self._results = self._created("prediction")
        self._rungs: dict[int, _Results] = {}
        self._looks: list[tuple[int, np.ndarray, np.ndarray]] = []
        self._updates: list[float] = []
        self._peak, self._peak_gpu = 0, math.nan

    def _created(self, name: str) -> _Results:
        layer = LAYERS[self._kind].create(self._file, name, self._frames, self._size)
        return _Results(layer, self._frames)

    def add(self, result: FrameResult) -> None:
        """Write the result of one frame, and its wall times."""
        self._results.add(result)

    def update(self, loss: float) -> None:
        """Record the loss of one update of offline training."""
        self._updates.append(loss)

    def add_to_rung(self, updates: int, result: FrameResult) -> None:
        """Write the result of one frame after `updates` updates of offline training.

        Call `add` for the last rung of the ladder instead.
        """
        if updates not in self._rungs:
            self._rungs[updates] = self._created(f"ladder/{updates}")
        self._rungs[updates].add(result)

    def peak_memory(self, process: int, gpu: float = math.nan) -> None:
        """Record the peak memory of the job's process and of its GPU, in bytes; NaN on a CPU."""
        self._peak, self._peak_gpu = process, gpu

    def look(self, index: int, visible: np.ndarray, pixels: np.ndarray) -> None:
        """Record the reconstruction of a frame: bool [h, w] and uint8 [h, w, 3]."""
        self._looks.append((index, visible, pixels))

    def finish(self) -> None:
        """Write the values that were gathered over the frames."""
        self._results.finish(self._file, NUMBERS)
        for updates, results in self._rungs.items():
            results.finish(self._file[f"ladder/{updates}"], RUNG_NUMBERS)
        self._file["memory/peak"] = np.int64(self._peak)
        self._file["memory/peak_gpu"] = np.float64(self._peak_gpu)
        if self._updates:
            self._file["updates/loss"] = np.array(self._updates)
        if self._looks:
            for name, column in zip(
                ("index", "visible", "pixels"), zip(*self._looks, strict=True), strict=True
            ):
                self._file.create_dataset(f"look/{name}", data=np.stack(column), compression="gzip")


@contextlib.contextmanager
def write_predictions(
    path: Path,
    key: JobKey,
    *,
    kind: str,
    frames: int,
    size: tuple[int, int],
    classes: Sequence[str],
    settings: dict[str, Any],
    provenance: dict[str, Any],
) -> Iterator[PredictionWriter]:
    """Yield a writer for one job; the file appears only if the block succeeds.

    Args:
        path: the file to write.
        key: the ids of the job.
        kind: form of the predictions, one of `layers.LAYERS`.
        frames: number of frames of the video.
        size: (H, W) of the frames.
        classes: names of all classes of the data set.
        settings: settings of the method.
        provenance: record of how the file is made.
    """
    with new_file(path) as file:
        write_attributes(
            file,
            format=FORMAT,
            version=VERSION,
            **key.__dict__,
            classes=json.dumps(list(classes)),
            settings=json.dumps(settings, sort_keys=True),
            ladder=settings.get("ladder", []),
            provenance=json.dumps(provenance, sort_keys=True),
        )
        writer = PredictionWriter(file, kind, frames, size)
        yield writer
        writer.finish()


class PredictionReader(StoredFile):
    """Predictions read lazily; use it as a context manager.

    Attributes:
        key: the ids of the job.
        classes: names of the classes.
        settings: settings of the method.
        provenance: record of how the file was made.
        ladder: numbers of updates at which an offline method predicted; empty for other methods.
        kind: form of the predictions, one of `layers.LAYERS`.
        size: (H, W) of the frames.

    Raises:
        InputError: the file is absent, is no prediction cache, has an unknown version, or lacks
            data of a frame.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, FORMAT, VERSION)
        with self._closed_on_error():
            attributes = attributes_of(self._file)
            self.key = key_of(attributes)
            self.classes: list[str] = json.loads(attributes["classes"])
            self.settings: dict[str, Any] = json.loads(attributes["settings"])
            self.provenance: dict[str, Any] = json.loads(attributes["provenance"])
            self.ladder: list[int] = [int(rung) for rung in attributes["ladder"]]
            self._predictions = layer_of(self._file["prediction"])
            self.kind = self._predictions.kind
            self.size: tuple[int, int] = self._predictions.size
            self._check()

    def _check(self) -> None:
        """Raise a ValueError if data of a frame are missing or invalid."""
        self._predictions.check()
        for rung in self.ladder[:-1]:
            layer = self._rung(rung)
            layer.check()
            if (layer.kind, layer.size, len(layer)) != (self.kind, self.size, len(self)):
                raise ValueError(
                    f"the predictions after {rung} updates differ in form from those after "
                    f"{self.ladder[-1]}"
                )
            self._check_columns(RUNG_NUMBERS, rung)
        self._check_columns(NUMBERS, None)
        peak, gpu = self.peak_memory(), self.peak_gpu_memory()
        if peak < 0 or gpu < 0 or np.isinf(gpu):
            raise ValueError("a peak of memory is negative or not finite")

    def _check_columns(self, names: Sequence[str], updates: int | None) -> None:
        """Raise a ValueError if numbers or wall times after some updates are no columns."""
        numbers = {name: self.number(name, updates) for name in names}
        wall_time = [self.wall_time(name, updates) for name in WALL_TIMES]
        for values in (*numbers.values(), *wall_time):
            if values.shape != (len(self),):
                raise ValueError(f"{len(self)} frames, but a column of {len(values)} values")
        counts = [values for name, values in numbers.items() if name in COUNTS]
        if any((values < 0).any() for values in counts) or not np.isfinite(wall_time).all():
            raise ValueError("a count is negative, or a time is not finite")

    def __len__(self) -> int:
        return len(self._predictions)

    def check_video(self, store: FrameStore) -> None:
        """Check that these predictions are of the video in `store`.

        Raises:
            InputError: data set, video, classes, number or size of frames differ.
        """
        predicted = (self.key.dataset, self.key.video, len(self), self.classes, self.size)
        if predicted != (store.dataset, store.video, len(store), store.classes, store.size):
            raise InputError(
                f"{self.path}: predicts {len(self)} frames of '{self.key.video}' "
                f"({self.key.dataset}) of {self.size[1]}x{self.size[0]}, but {store.path} holds "
                f"{len(store)} frames of '{store.video}' ({store.dataset}) of "
                f"{store.size[1]}x{store.size[0]}; predict that video again"
            )

    def check_job(self, job: Mapping[str, Any]) -> None:
        """Check that these predictions are of the expected job.

        Args:
            job: some fields of JobKey, with their expected values.

        Raises:
            InputError: a value differs, or JobKey has no such field.
        """
        for name, expected in job.items():
            value = getattr(self.key, name, None)
            if value != expected:
                raise InputError(
                    f"{self.path}: its {name} is '{value}', not '{expected}', so it is the file of "
                    "another job; predict that video again"
                )

    def prediction(self, index: int) -> Prediction:
        """Return the prediction of frame `index`."""
        return self._checked(self._predictions, index)

    def prediction_after(self, updates: int, index: int) -> Prediction:
        """Return the prediction of frame `index` after `updates` updates of offline training.

        Raises:
            InputError: the method made no prediction after that many updates.
        """
        if updates not in self.ladder:
            raise InputError(
                f"{self.path}: no prediction after {updates} updates; its ladder is {self.ladder}"
            )
        if updates == self.ladder[-1]:
            return self.prediction(index)
        return self._checked(self._rung(updates), index)

    def _rung(self, updates: int) -> Layer[Any]:
        return layer_of(self._file[f"ladder/{updates}"])

    def _column(self, name: str, updates: int | None) -> np.ndarray:
        last = updates in (None, *self.ladder[-1:])
        with self._reported(f"'{name}' cannot be read"):
            column: np.ndarray = self._file[name if last else f"ladder/{updates}/{name}"][:]
            return column

    def _checked(self, layer: Layer[Any], index: int) -> Prediction:
        with self._reported(f"frame {index} cannot be read"):
            prediction: Prediction = layer.read(index)
            check_prediction(prediction, len(self.classes))
            return prediction

    def number(self, name: str, updates: int | None = None) -> np.ndarray:
        """Return a number of every frame: [T].

        Args:
            name: one of `NUMBERS`, or of `RUNG_NUMBERS` for a rung before the last.
            updates: rung of the ladder; None: the last, or no ladder.
        """
        return self._column(name, updates)

    def wall_time(self, name: str, updates: int | None = None) -> np.ndarray:
        """Return a wall time of every frame, in seconds: float64 [T].

        Args:
            name: one of `WALL_TIMES`.
            updates: rung of the ladder; None: the last, or no ladder.
        """
        return self._column(f"wall_time/{name}", updates)

    def peak_memory(self) -> int:
        """Return the peak resident memory of the job's process, in bytes."""
        return int(self._file["memory/peak"][()])

    def peak_gpu_memory(self) -> float:
        """Return the peak GPU memory of the job, in bytes; NaN on a CPU."""
        return float(self._file["memory/peak_gpu"][()])

    def looks(self) -> list[tuple[int, np.ndarray, np.ndarray]]:
        """Return the reconstructions that were kept: (frame, visible, pixels)."""
        if "look" not in self._file:
            return []
        look = self._file["look"]
        with self._reported("its reconstructions cannot be read"):
            return list(zip(look["index"][:], look["visible"][:], look["pixels"][:], strict=True))
