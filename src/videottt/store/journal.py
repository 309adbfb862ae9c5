"""The results of a prediction job so far: written at once, and kept with its next saved state."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from videottt.core.frame_result import FrameResult
from videottt.core.segments import Instances, Panoptic, Prediction
from videottt.runtime.interruption import Interruption
from videottt.runtime.saved_state import SavedState
from videottt.store.predictions import PredictionWriter


class Journal:
    """Hands results to the writer of predictions, again after a job was killed.

    Args:
        writer: of the file that appears when the job is done.
        saved: where results and states are kept meanwhile.
        interruption: says when.
    """

    def __init__(
        self, writer: PredictionWriter, saved: SavedState, interruption: Interruption
    ) -> None:
        self._writer = writer
        self._saved = saved
        self._interruption = interruption
        self._unsaved: list[list[Any]] = []

    def resume(self) -> dict[str, Any] | None:
        """Write the results of an earlier run of this job; return its state, None without one."""
        state = self._saved.load()
        for part in self._saved.parts():
            for name, *values in part:
                _ENTRIES[name](self._writer, *values)
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
        _ENTRIES[name](self._writer, *values)
        self._unsaved.append([name, *values])

    def _save(self, state: dict[str, Any]) -> None:
        if self._saved.save(state, self._unsaved):
            self._unsaved = []


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
