"""Open the files that figures of one video are drawn from."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from videottt.report.figures.view import TaskView, scored_view, unscored_view
from videottt.store.frames import FrameStore
from videottt.store.predictions import PredictionReader


@dataclass(frozen=True)
class PairFiles:
    """The files of a method and of the fixed model on a video.

    Attributes:
        frames: frame store of the video.
        fixed: predictions without learning.
        predictions: the method's.
    """

    frames: Path
    fixed: Path
    predictions: Path


@dataclass(frozen=True)
class Pair:
    """The predictions of a method and of the fixed model on a video.

    Attributes:
        store: the video.
        fixed: predictions without learning.
        predictions: the method's.
    """

    store: FrameStore
    fixed: PredictionReader
    predictions: PredictionReader

    def view(self, scored: bool) -> TaskView:
        """Return the view of the task on the video, with the ground truth if it is scored."""
        return view_of(self.store, self.predictions.key.task, scored)


@contextlib.contextmanager
def open_pair(files: PairFiles) -> Iterator[Pair]:
    """Open a video and its predictions by two methods.

    Raises:
        InputError: a file is absent or has another format.
    """
    with (
        FrameStore(files.frames) as store,
        PredictionReader(files.fixed) as without_learning,
        PredictionReader(files.predictions) as learned,
    ):
        yield Pair(store, without_learning, learned)


@contextlib.contextmanager
def open_predictions(
    frames: Path, predictions: Sequence[Path]
) -> Iterator[tuple[FrameStore, list[PredictionReader]]]:
    """Open a video and its predictions by any number of methods.

    Raises:
        InputError: a file is absent or has another format.
    """
    with contextlib.ExitStack() as opened:
        store = opened.enter_context(FrameStore(frames))
        yield store, [opened.enter_context(PredictionReader(path)) for path in predictions]


def view_of(store: FrameStore, task: str, scored: bool) -> TaskView:
    """Return the view of a task on a video, with the ground truth if it is scored."""
    return scored_view(store, task) if scored else unscored_view(store, task)
