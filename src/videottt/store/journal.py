"""Record the results of a prediction job, so that it resumes after it was killed."""

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
from videottt.core.provenance import identity_of, recorded
from videottt.core.segments import Instances, Panoptic, Prediction
from videottt.runtime.interruption import Interruption
from videottt.runtime.saved_state import SavedState
from videottt.store.background import BackgroundWriter, in_background
from videottt.store.frames import FrameStore
from videottt.store.predictions import PredictionReader, PredictionWriter, write_predictions


@dataclass(frozen=True)
class PredictionJob:
    """A job that makes one file of predictions.

    Attributes:
        key: the ids of the job.
        kind: form of the predictions, one of `layers.LAYERS`.
        settings: settings of the method.
        provenance: everything else that decides the numbers, without what is only noted; see
            `core.provenance`.
    """

    key: JobKey
    kind: str
    settings: dict[str, Any]
    provenance: dict[str, Any]

    def is_made(self, path: Path) -> bool:
        """Return whether a file holds the predictions of this job."""
        try:
            with PredictionReader(path) as reader:
                identity = identity_of(reader.provenance)
                stored = reader.key, reader.kind, reader.settings, identity
        except InputError:
            return False
        # Compared after a round trip through JSON, which turns tuples into lists.
        settings, provenance = (
            json.loads(json.dumps(part)) for part in (self.settings, self.provenance)
        )
        return stored == (self.key, self.kind, settings, provenance)


# Bytes of a page.
PAGE = 2**20


class NullJournal:
    """A journal that passes results to the writer of predictions and saves no state.

    Args:
        writer: the writer of the file of predictions.
    """

    def __init__(self, writer: PredictionWriter | BackgroundWriter) -> None:
        self.writer = writer

    def resume(self) -> dict[str, Any] | None:
        """Return None: there is no saved state."""
        return None

    def add(self, result: FrameResult) -> None:
        """Write the result of one frame."""
        self.writer.add(result)

    def add_to_rung(self, updates: int, result: FrameResult) -> None:
        """Write the prediction of one frame after `updates` updates of offline training."""
        self.writer.add_to_rung(updates, result)

    def update(self, loss: float) -> None:
        """Write the loss of one update of offline training."""
        self.writer.update(loss)

    def look(self, index: int, visible: np.ndarray, pixels: np.ndarray) -> None:
        """Write the reconstruction of a frame: bool [h, w] and uint8 [h, w, 3]."""
        self.writer.look(index, visible, pixels)

    def peak_memory(self, process: int, gpu: float) -> None:
        """Write the peak memory of the job's process and of its GPU, in bytes; NaN on a CPU."""
        self.writer.peak_memory(process, gpu)

    def save_if_due(self, state: Callable[[], dict[str, Any]]) -> None:
        """Do nothing: no state is saved."""


class Journal(NullJournal):
    """A journal that also saves results and states, and replays them after the job was killed.

    Args:
        writer: the writer of the file of predictions.
        saved: the saved state of the job.
        interruption: decides when to save and when to stop.
    """

    def __init__(
        self,
        writer: PredictionWriter | BackgroundWriter,
        saved: SavedState,
        interruption: Interruption,
    ) -> None:
        super().__init__(writer)
        self._saved = saved
        self._interruption = interruption
        self._pending: list[list[Any]] = []
        self._pages = Pages()

    def resume(self) -> dict[str, Any] | None:
        """Write the saved results of an earlier run; return its state, or None without one."""
        state = self._saved.load()
        for part in self._saved.parts():
            for name, *values in part:
                _ENTRIES[name](self.writer, *values)
        return state

    def add(self, result: FrameResult) -> None:
        """Write and record the result of one frame."""
        self._record("frame", _plain_result(result))

    def add_to_rung(self, updates: int, result: FrameResult) -> None:
        """Write and record the prediction of one frame after `updates` offline updates."""
        self._record("rung", updates, _plain_result(result))

    def update(self, loss: float) -> None:
        """Write and record the loss of one update of offline training."""
        self._record("update", loss)

    def look(self, index: int, visible: np.ndarray, pixels: np.ndarray) -> None:
        """Write and record the reconstruction of a frame: bool [h, w] and uint8 [h, w, 3]."""
        self._record("look", index, torch.from_numpy(visible), torch.from_numpy(pixels))

    def save_if_due(self, state: Callable[[], dict[str, Any]]) -> None:
        """Save the state between two steps if a save is due, and end the job if asked to stop.

        Raises:
            Stopped: the job was asked to stop.
        """
        self._interruption.after_step(lambda: self._save(state()))

    def _record(self, name: str, *values: Any) -> None:
        _ENTRIES[name](self.writer, *values)
        self._pending.append([name, *self._pages.kept(values)])

    def _save(self, state: dict[str, Any]) -> None:
        if self._saved.save(state, self._pending):
            self._pending, self._pages = [], Pages()


class Pages:
    """Memory for many small tensors, page by page.

    Small blocks that stay while large ones come and go leave gaps that nothing fits into: without
    pages, the memory of a job grows with the frames between two saves.
    """

    def __init__(self) -> None:
        # Of each type its last page, and how many of its elements are taken.
        self._pages: dict[torch.dtype, tuple[torch.Tensor, int]] = {}

    def kept(self, value: Any) -> Any:
        """Return a value with its tensors copied to pages; it is a tensor, list, tuple or dict."""
        if isinstance(value, torch.Tensor):
            return self._copy(value)
        if isinstance(value, dict):
            return {name: self.kept(each) for name, each in value.items()}
        if isinstance(value, list | tuple):
            return [self.kept(each) for each in value]
        return value

    def _copy(self, tensor: torch.Tensor) -> torch.Tensor:
        length = PAGE // tensor.element_size()
        if tensor.numel() > length // 8:
            return tensor
        page, start = self._pages.get(tensor.dtype, (None, length))
        if page is None or start + tensor.numel() > length:
            page, start = torch.zeros(length, dtype=tensor.dtype), 0
        end = start + tensor.numel()
        self._pages[tensor.dtype] = page, end
        return page[start:end].view(tensor.shape).copy_(tensor)


@contextlib.contextmanager
def open_journal(
    output: Path,
    job: PredictionJob,
    store: FrameStore,
    *,
    state: Path | None,
    save_every: float,
    looks: int | None = None,
    background: bool = False,
) -> Iterator[NullJournal]:
    """Yield the journal of a job on one video; the file of predictions appears at the end.

    Args:
        output: the file of predictions.
        job: the job.
        store: the frame store of the video.
        state: folder of the saved state to resume from; None saves no state.
        save_every: seconds between two saves.
        looks: number of reconstructions to keep for a figure; a state saved with another number is
            not resumed.
        background: whether a thread of its own writes; it pays where a GPU computes meanwhile.
    """
    with contextlib.ExitStack() as opened:
        plain = opened.enter_context(
            write_predictions(
                output,
                job.key,
                kind=job.kind,
                frames=len(store),
                size=store.size,
                classes=store.classes,
                settings=job.settings,
                provenance=recorded(job.provenance),
            )
        )
        writer = opened.enter_context(in_background(plain)) if background else plain
        if state is None:
            yield NullJournal(writer)
            return
        # The number of reconstructions decides no number of the output, so the provenance lacks it.
        decisive = {**dataclasses.asdict(job), "looks": looks}
        saved = SavedState(state, output, decisive)
        with Interruption(save_every) as interruption:
            yield Journal(writer, saved, interruption)
    saved.remove()


# Kind of entry -> how it is written.
_ENTRIES: dict[str, Callable[..., None]] = {
    "frame": lambda writer, result: writer.add(_result(result)),
    "rung": lambda writer, updates, result: writer.add_to_rung(updates, _result(result)),
    "update": lambda writer, loss: writer.update(loss),
    "look": lambda writer, index, visible, pixels: writer.look(
        index, visible.numpy(), pixels.numpy()
    ),
}


def _plain_result(result: FrameResult) -> dict[str, Any]:
    """Convert a result to tensors, numbers and texts."""
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
