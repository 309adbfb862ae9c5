"""Store the inner products of all gradients of a stream, from which estimates are computed.

Layout of format version 2, for a run of T frames::

    /frames            int64   [T]       indices in the video
    /distances         float64 [T - 1]   ‖x_{t+1} - x_t‖₂, normalised input space
    /halves            float64 [2T, 2T]  inner products of ∇ℓ_m (rows 0..T-1) and ∇ℓ_s (T..2T-1)
                                         between the two halves of the draws, free of noise
    /averages          float64 [2T, 2T]  inner products of the averages of both halves
    attributes         format, version, dataset, task, seed, video, masks, point_draws, dimension,
                       parameters, settings (JSON), provenance (JSON)
"""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np

from videottt.store.hdf5 import attributes_of, new_file, read_checked, write_attributes

FORMAT = "videottt theory"
VERSION = 2
ARRAYS = ("frames", "distances", "halves", "averages")


@dataclass(frozen=True)
class GradientStatistics:
    """Inner products of the gradients of T consecutive frames.

    Attributes:
        frames: int64 [T].
        distances: float64 [T - 1].
        halves: float64 [2T, 2T], symmetric; in expectation, those of the noise-free gradients.
        averages: float64 [2T, 2T], symmetric.
    """

    frames: np.ndarray
    distances: np.ndarray
    halves: np.ndarray
    averages: np.ndarray

    def __len__(self) -> int:
        return len(self.frames)


@dataclass(frozen=True)
class TheoryKey:
    """The ids of one job, and the draws of its gradients.

    Attributes:
        dataset: id of the data set.
        task: id of the task.
        seed: of the checkpoint and of every draw.
        video: id of the video.
        masks: number of masks of a frame.
        point_draws: number of draws of the points of ℓ_m.
        dimension: length of a sketch.
        parameters: number of parameters of the encoder.
    """

    dataset: str
    task: str
    seed: int
    video: str
    masks: int
    point_draws: int
    dimension: int
    parameters: int


def gradient_statistics(
    frames: np.ndarray, distances: np.ndarray, main: np.ndarray, own: np.ndarray
) -> GradientStatistics:
    """Return the inner products of gradients, or of their sketches.

    Args:
        frames: int64 [T].
        distances: float64 [T - 1].
        main: float64 [2, T, D], ∇ℓ_m from two independent halves of its draws.
        own: float64 [2, T, D], ∇ℓ_s likewise.
    """
    first, second = np.concatenate([main, own], axis=1)
    between = first @ second.T
    average = (first + second) / 2
    return GradientStatistics(
        frames=np.asarray(frames, np.int64),
        distances=np.asarray(distances, np.float64),
        halves=(between + between.T) / 2,
        averages=average @ average.T,
    )


def write_statistics(
    path: Path,
    key: TheoryKey,
    statistics: GradientStatistics,
    settings: dict[str, Any],
    provenance: dict[str, Any],
) -> None:
    """Write the statistics of one video, whole or not at all."""
    with new_file(path) as file:
        for name in ARRAYS:
            values = getattr(statistics, name)
            file.create_dataset(name, data=values, compression="gzip", shuffle=True)
        write_attributes(
            file,
            format=FORMAT,
            version=VERSION,
            **dataclasses.asdict(key),
            settings=json.dumps(settings, sort_keys=True),
            provenance=json.dumps(provenance, sort_keys=True),
        )


def read_statistics(path: Path) -> tuple[TheoryKey, GradientStatistics]:
    """Read the statistics of one video.

    Raises:
        InputError: the file is absent, has another format or an unknown version.
    """
    with read_checked(path, FORMAT, VERSION) as file:
        kinds = get_type_hints(TheoryKey)
        found = attributes_of(file)
        ids = {name: kind(found[name]) for name, kind in kinds.items()}
        return TheoryKey(**ids), GradientStatistics(**{name: file[name][:] for name in ARRAYS})
