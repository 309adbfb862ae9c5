"""Keep the results of a prediction job, so that it goes on where it was killed."""

import contextlib
import dataclasses
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from videottt.core.errors import InputError
from videottt.core.frame_result import FrameResult
from videottt.core.ids import JobKey
from videottt.core.segments import Instances, Panoptic, Prediction
from videottt.runtime.interruption import Interruption
from videottt.runtime.saved_state import SavedState
from videottt.store.frames import FrameStore
from videottt.store.predictions import PredictionReader, PredictionWriter, write_predictions


@dataclass(frozen=True)
class PredictionJob:
    """One file of predictions to be made.

    Attributes:
        key: the ids of the job.
        kind: of the predictions, one of `layers.LAYERS`.
        settings: of the method.
        provenance: everything else that decides the numbers.
    """

    key: JobKey
    kind: str
    settings: dict[str, Any]
    provenance: dict[str, Any]

    def is_made(self, path: Path) -> bool:
        """Return whether a file is what this job would make."""
        try:
            with PredictionReader(path) as made:
                found = made.key, made.kind, made.settings, made.provenance
        except InputError:
            return False
        # As JSON has them: a tuple comes back as a list.
        settings, provenance = (
            json.loads(json.dumps(part)) for part in (self.settings, self.provenance)
        )
        return found == (self.key, self.kind, settings, provenance)


class NullJournal:
    """Hand results to the writer of predictions, and keep no state.

    Args:
        writer: of the file that appears when the job is done.
    """

    def __init__(self, writer: PredictionWriter) -> None:
        self.writer = writer

    def resume(self) -> dict[str, Any] | None:
        """Return the state of an earlier run of this job: there is none."""
        return None

    def add(self, result: FrameResult) -> None:
        """Write the result of one frame."""
        self.writer.add(result)

    def add_to_rung(self, updates: int, result: FrameResult) -> None:
        """Write what is predicted of one frame after some updates of offline training."""
        self.writer.add_to_rung(updates, result)

    def update(self, loss: float) -> None:
        """Write the loss of one update of offline training."""
        self.writer.update(loss)

    def look(self, index: int, visible: np.ndarray, pixels: np.ndarray) -> None:
        """Write a reconstruction to look at: bool [h, w] and uint8 [h, w, 3]."""
        self.writer.look(index, visible, pixels)

    def save_if_due(self, state: Callable[[], dict[str, Any]]) -> None:
        """Do nothing: no state is kept."""


class Journal(NullJournal):
    """Hand results to the writer of predictions, again after a job was killed.

    Args:
        writer: of the file that appears when the job is done.
        saved: where results and states are kept meanwhile.
        interruption: says when.
    """

    def __init__(
        self, writer: PredictionWriter, saved: SavedState, interruption: Interruption
    ) -> None:
        super().__init__(writer)
        self._saved = saved
        self._interruption = interruption
        self._unsaved: list[list[Any]] = []

    def resume(self) -> dict[str, Any] | None:
        """Write the results of an earlier run of this job; return its state, None without one."""
        state = self._saved.load()
        for part in self._saved.parts():
            for name, *values in part:
                _ENTRIES[name](self.writer, *values)
        return state

    def add(self, result: FrameResult) -> None:
        """Keep the result of one frame."""
        self._enter("frame", _plain_result(result))

    def add_to_rung(self, updates: int, result: FrameResult) -> None:
        """Keep what is predicted of one frame after some updates of offline training."""
        self._enter("rung", updates, _plain_result(result))

    def update(self, loss: float) -> None:
        """Keep the loss of one update of offline training."""
        self._enter("update", loss)

    def look(self, index: int, visible: np.ndarray, pixels: np.ndarray) -> None:
        """Keep a reconstruction to look at: bool [h, w] and uint8 [h, w, 3]."""
        self._enter("look", index, torch.from_numpy(visible), torch.from_numpy(pixels))

    def save_if_due(self, state: Callable[[], dict[str, Any]]) -> None:
        """Save the state between two steps, if it is time; stop if that was asked for.

        Raises:
            Stopped: it was.
        """
        self._interruption.after_step(lambda: self._save(state()))

    def _enter(self, name: str, *values: Any) -> None:
        _ENTRIES[name](self.writer, *values)
        self._unsaved.append([name, *values])

    def _save(self, state: dict[str, Any]) -> None:
        if self._saved.save(state, self._unsaved):
            self._unsaved = []


@contextlib.contextmanager
def open_journal(
    output: Path,
    job: PredictionJob,
    store: FrameStore,
    *,
    state: Path | None,
    save_every: float,
    looks: int | None = None,
) -> Iterator[NullJournal]:
    """Yield a journal of a job on one video; the file of predictions appears at the end.

    Args:
        output: the file of predictions.
        job: what it is to hold.
        store: the video.
        state: folder of the state to resume from; None keeps none.
        save_every: seconds between two states.
        looks: reconstructions that are kept for a figure; a state with others is not resumed from.
    """
    with write_predictions(
        output,
        job.key,
        kind=job.kind,
        frames=len(store),
        size=store.size,
        classes=store.classes,
        settings=job.settings,
        provenance=job.provenance,
    ) as writer:
        if state is None:
            yield NullJournal(writer)
            return
        # Where the output is being made is no part of its provenance, nor is what is only shown.
        decisive = {**dataclasses.asdict(job), "looks": looks}
        saved = SavedState(state, output, decisive)
        with Interruption(save_every) as interruption:
            yield Journal(writer, saved, interruption)
    saved.remove()


# What becomes of each kind of entry.
_ENTRIES: dict[str, Callable[..., None]] = {
    "frame": lambda writer, result: writer.add(_result(result)),
    "rung": lambda writer, updates, result: writer.add_to_rung(updates, _result(result)),
    "update": lambda writer, loss: writer.update(loss),
    "look": lambda writer, index, visible, pixels: writer.look(
        index, visible.numpy(), pixels.numpy()
    ),
}


def _plain_result(result: FrameResult) -> dict[str, Any]:
    """Return a result as tensors, numbers and texts."""
    return {**vars(result), "prediction": _plain_prediction(result.prediction)}


def _result(plain: dict[str, Any]) -> FrameResult:
    return FrameResult(**{**plain, "prediction": _prediction(plain["prediction"])})


def _plain_prediction(prediction: Prediction) -> Any:
    if isinstance(prediction, np.ndarray):
        return torch.from_numpy(np.ascontiguousarray(prediction))
    columns = {
        name: torch.from_numpy(value)
        for name, value in vars(prediction).items()
        if isinstance(value, np.ndarray)
    }
    if isinstance(prediction, Panoptic):
        return columns
    lengths = [len(mask) for mask in prediction.masks]
    joined = np.frombuffer(b"".join(prediction.masks), np.uint8).copy()
    return {
        **columns,
        "size": list(prediction.size),
        "lengths": lengths,
        "masks": torch.from_numpy(joined),
    }


def _prediction(plain: Any) -> Prediction:
    if isinstance(plain, torch.Tensor):
        return plain.numpy()
    columns = {
        name: value.numpy() for name, value in plain.items() if isinstance(value, torch.Tensor)
    }
    if "ids" in columns:
        return Panoptic(**columns)
    joined = columns.pop("masks").tobytes()
    ends = np.cumsum(plain["lengths"]).tolist()
    masks = tuple(joined[a:b] for a, b in zip([0, *ends], ends, strict=False))
    height, width = plain["size"]
    return Instances(size=(height, width), masks=masks, **columns)
