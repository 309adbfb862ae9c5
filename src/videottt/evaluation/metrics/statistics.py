"""Define the statistics of frames, which can be pooled, and the headline metric of a task."""

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
    """The metric of a task that the paper reports, in its forms.

    Attributes:
        name: as in the paper.
        pooled: id of the metric over all frames at once.
        frames: id of the mean over single frames, as in the authors' release.
        of_class: prefix of the ids of the metric of one class.
        unit: for readers.
        scale: factor from the value, a fraction or dB, to this unit.
    """

    name: str
    pooled: str
    frames: str
    of_class: str
    unit: str = "%"
    scale: float = 100.0


@dataclass(frozen=True)
class Statistics(ABC):
    """Sufficient statistics of N scored frames, from which any aggregate takes seconds.

    Every field of a subclass is an array in which each frame has some rows, in the order of the
    frames. Concatenating the arrays of several videos gives those of all their frames.

    Attributes:
        space: the classes.
    """

    headline: ClassVar[Headline]
    # Kind of the predictions, one of `layers.LAYERS`.
    kind: ClassVar[str]

    space: ClassSpace

    @staticmethod
    def labelled(store: FrameStore) -> np.ndarray:
        """Return which frames have labels: bool [T]."""
        return store.labelled

    @staticmethod
    @abstractmethod
    def label(store: FrameStore, index: int) -> Any:
        """Return the label of frame `index`."""

    @classmethod
    @abstractmethod
    def of_frame(cls, label: Any, prediction: Any, space: ClassSpace) -> Self:
        """Return the statistics of one frame from its label and prediction."""

    @abstractmethod
    def metrics(self) -> dict[str, float]:
        """Return id -> value of every metric of these frames; NaN: not defined.

        The metrics are pooled over the frames, the mean over single frames where they are defined,
        and of each class; ``frames_undefined`` is the number of frames without the headline metric.
        Metrics of segmentation are fractions; subclasses document other units.
        """

    @abstractmethod
    def frame_values(self) -> np.ndarray:
        """Return the headline metric of each frame alone: float64 [N]; NaN: not defined."""

    @classmethod
    def frame_value(cls, label: Any, prediction: Any, space: ClassSpace) -> float:
        """Return the headline metric of one frame alone; NaN: not defined."""
        return float(cls.of_frame(label, prediction, space).frame_values()[0])

    def caveats(self) -> list[str]:
        """Return warnings for readers of these metrics, a line each."""
        return []

    @classmethod
    def of_frames(cls, pairs: Iterable[tuple[Prediction, Prediction]], space: ClassSpace) -> Self:
        """Return the statistics of one or more pairs of label and prediction."""
        return cls.joined([cls.of_frame(label, prediction, space) for label, prediction in pairs])

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray], space: ClassSpace) -> Self:
        """Return the statistics that consist of `arrays`."""
        return cls(space, **arrays)

    def check(self, frames: int) -> None:
        """Raise a ValueError if a count is negative; subclasses check more.

        Args:
            frames: the expected number of frames.
        """
        for name, values in self.arrays().items():
            if values.dtype.kind == "i" and (values < 0).any():
                raise ValueError(f"'{name}' has a count below 0")

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the arrays of these statistics by name."""
        names = (field.name for field in fields(self))
        return {name: getattr(self, name) for name in names if name != "space"}

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """Return the statistics of the frames of one or more parts.

        Raises:
            InputError: the parts differ in classes.
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
    """Return the mean of the values that are not NaN, or NaN without any."""
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if defined.size else float("nan")
