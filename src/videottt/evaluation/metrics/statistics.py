"""What the metrics of every task have in common: statistics of frames, which can be pooled."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Self

import numpy as np

from videottt.core.errors import InputError
from videottt.core.segments import ClassSpace, Prediction
from videottt.store.frames import FrameStore


@dataclass(frozen=True)
class Headline:
    """The metric of a task that the paper reports, in its several forms.

    Attributes:
        name: as the paper writes it.
        pooled: id of the metric over all frames at once.
        frames: id of the mean over frames of the metric of each, as in the authors' release.
        of_class: prefix of the ids of the metric of one class.
        unit: in which it is read.
        scale: value x scale is in that unit; values of metrics themselves are fractions, or dB.
    """

    name: str
    pooled: str
    frames: str
    of_class: str
    unit: str = "%"
    scale: float = 100.0


@dataclass(frozen=True)
class Statistics(ABC):
    """Sufficient statistics of N scored frames: every aggregate is made of them, in seconds.

    Every field of a subclass is an array of which each frame has some rows, in the order of the
    frames: those of several videos, one after the other, are those of all their frames.

    Attributes:
        space: the classes.
    """

    headline: ClassVar[Headline]
    # Of the predictions that are compared with labels; one of `layers.LAYERS`.
    kind: ClassVar[str]

    space: ClassSpace

    @staticmethod
    def labelled(store: FrameStore) -> np.ndarray:
        """Return which frames have what their predictions are compared with: bool [T]."""
        return store.labelled

    @staticmethod
    @abstractmethod
    def label(store: FrameStore, index: int) -> Any:
        """Return what predictions of frame `index` are compared with."""

    @classmethod
    @abstractmethod
    def of_frame(cls, label: Any, prediction: Any, space: ClassSpace) -> Self:
        """Return the statistics of one frame, of a label and a prediction of one kind."""

    @abstractmethod
    def metrics(self) -> dict[str, float]:
        """Return every metric of these frames by its id; NaN where it is not defined.

        Metrics of segmentation are fractions; of others, a subclass says what they are.

        Pooled over the frames, as the mean of the metric of each frame where it is defined, and of
        each class; and ``frames_undefined``, the number of frames without the headline metric.
        """

    @abstractmethod
    def frame_values(self) -> np.ndarray:
        """Return the headline metric of each frame by itself: float64 [N], NaN = undefined."""

    @classmethod
    def frame_value(cls, label: Any, prediction: Any, space: ClassSpace) -> float:
        """Return the headline metric of one frame by itself; NaN = undefined."""
        return float(cls.of_frame(label, prediction, space).frame_values()[0])

    def caveats(self) -> list[str]:
        """Return what is to be kept in mind when these metrics are read, a line each."""
        return []

    @classmethod
    def of_frames(cls, pairs: Iterable[tuple[Prediction, Prediction]], space: ClassSpace) -> Self:
        """Return the statistics of at least one frame: pairs of label and prediction."""
        return cls.joined([cls.of_frame(label, prediction, space) for label, prediction in pairs])

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray], space: ClassSpace) -> Self:
        """Return the statistics of which `arrays` is what they consist of."""
        return cls(space, **arrays)

    def check(self, frames: int) -> None:
        """Raise a ValueError if these are not statistics of so many frames.

        Counts are not negative; a subclass says more.
        """
        for name, values in self.arrays().items():
            if values.dtype.kind == "i" and (values < 0).any():
                raise ValueError(f"'{name}' has a count below 0")

    def arrays(self) -> dict[str, np.ndarray]:
        """Return what these statistics consist of, by name."""
        names = (field.name for field in fields(self))
        return {name: getattr(self, name) for name in names if name != "space"}

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """Return the statistics of the frames of all parts, of which there is at least one.

        Raises:
            InputError: the parts are not of the same classes.
        """
        space = parts[0].space
        if any(part.space != space for part in parts):
            raise InputError(
                "scores of different classes or things cannot be pooled; ingest, predict and score "
                "all videos of the data set with the same 'classes' and 'things'"
            )
        arrays = [part.arrays() for part in parts]
        return cls(space, **{n: np.concatenate([each[n] for each in arrays]) for n in arrays[0]})


def defined_mean(values: np.ndarray) -> float:
    """Return the mean of those values that are not NaN; NaN where there are none."""
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if defined.size else float("nan")
