"""Write and read traces of single frames, gradient step by gradient step: one HDF5 file a video.

Layout of format version 3, for N frames of a video, traced through 0 ... S gradient steps each::

    /index             int64   [N]           numbers of the frames
    /loss              float64 [N, S + 1]    of the objective, with one fixed mask a frame
    /prediction        group of N (S + 1) predictions in one of the forms of videottt.store.layers,
                       all steps of the first frame before those of the second
    /visible           bool    [N, h, w]     the patches that this mask leaves visible
    /pixels            uint8   [N, S + 1, h, w, 3]  the reconstruction, gzip
    attributes         format, version, dataset, task, method, seed, video, classes (JSON),
                       settings (JSON), provenance (JSON)

Each frame starts from the weights of the checkpoint. Files are written completely or not at all.
No other module knows this format.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from videottt.core.errors import InputError
from videottt.core.frame_result import Traced
from videottt.core.ids import JobKey
from videottt.core.segments import Prediction
from videottt.store.frames import FrameStore
from videottt.store.hdf5 import attributes_of, key_of, new_file, read_checked, write_attributes
from videottt.store.layers import LAYERS, layer_of

FORMAT = "videottt traces"
VERSION = 3
COLUMNS = ("loss", "visible", "pixels")


@dataclass(frozen=True)
class FrameTrace:
    """The trace of one frame: losses, predictions and reconstructions after 0 ... S updates.

    Attributes:
        index: number of the frame in its video.
        loss: float64 [S + 1].
        prediction: list of S + 1 predictions.
        visible: bool [h, w], the patches that the model is shown.
        pixels: uint8 [S + 1, h, w, 3], the reconstructions.
    """

    index: int
    loss: np.ndarray
    prediction: list[Prediction]
    visible: np.ndarray
    pixels: np.ndarray


@dataclass(frozen=True)
class Traces:
    """The traces of one video.

    Attributes:
        path: the file.
        key: the ids of the job.
        classes: names of the classes.
        frames: the traces of the frames.
    """

    path: Path
    key: JobKey
    classes: list[str]
    frames: list[FrameTrace]

    def check_video(self, store: FrameStore) -> None:
        """Check that these traces are of the video in `store`.

        Raises:
            InputError: data set, video or classes differ, or the video lacks a frame.
        """
        traced = (self.key.dataset, self.key.video, self.classes)
        last = max(frame.index for frame in self.frames)
        if traced != (store.dataset, store.video, store.classes) or last >= len(store):
            raise InputError(
                f"{self.path}: traces frames up to {last} of '{self.key.video}' "
                f"({self.key.dataset}), but {store.path} holds {len(store)} frames of "
                f"'{store.video}' ({store.dataset}); trace that video again"
            )


def frame_trace(index: int, steps: Iterable[Traced]) -> FrameTrace:
    """Return the trace of a frame from the steps that `Stream.trace` yields."""
    traced = list(steps)
    return FrameTrace(
        index=index,
        loss=np.array([step.loss for step in traced]),
        prediction=[step.prediction for step in traced],
        visible=traced[0].visible,
        pixels=np.stack([step.pixels for step in traced]),
    )


def write_traces(
    path: Path,
    key: JobKey,
    frames: Sequence[FrameTrace],
    *,
    kind: str,
    size: tuple[int, int],
    classes: Sequence[str],
    settings: dict[str, Any],
    provenance: dict[str, Any],
) -> None:
    """Write the traces of one video, completely or not at all.

    Args:
        path: the file to write.
        key: the ids of the job.
        frames: the traces, all with the same number of steps.
        kind: form of the predictions, one of `layers.LAYERS`.
        size: (H, W) of the frames.
        classes: names of all classes of the data set.
        settings: settings of the method.
        provenance: record of how the file is made.
    """
    with new_file(path) as file:
        file["index"] = [frame.index for frame in frames]
        for name in COLUMNS:
            values = np.stack([getattr(frame, name) for frame in frames])
            file.create_dataset(name, data=values, compression="gzip")
        predictions = [prediction for frame in frames for prediction in frame.prediction]
        layer = LAYERS[kind].create(file, "prediction", len(predictions), size)
        for place, prediction in enumerate(predictions):
            layer.write(place, prediction)
        write_attributes(
            file,
            format=FORMAT,
            version=VERSION,
            **key.__dict__,
            classes=json.dumps(list(classes)),
            settings=json.dumps(settings, sort_keys=True),
            provenance=json.dumps(provenance, sort_keys=True),
        )


def read_traces(path: Path) -> Traces:
    """Read the traces of one video.

    Raises:
        InputError: the file is absent, holds no traces or has an unknown version.
    """
    with read_checked(path, FORMAT, VERSION) as file:
        attributes = attributes_of(file)
        layer = layer_of(file["prediction"])
        steps = file["loss"].shape[1]
        predictions = [layer.read(place) for place in range(len(layer))]
        return Traces(
            path=path,
            key=key_of(attributes),
            classes=json.loads(attributes["classes"]),
            frames=[
                FrameTrace(
                    index=int(index),
                    prediction=predictions[row * steps : (row + 1) * steps],
                    **{name: file[name][row] for name in COLUMNS},
                )
                for row, index in enumerate(file["index"])
            ],
        )
