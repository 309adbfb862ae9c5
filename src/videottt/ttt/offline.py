"""Train offline: on all frames of a video, before predicting any of them (paper section 6.1)."""

import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from videottt.core.frame_result import PHASES, FrameResult
from videottt.ttt.memory import WholeVideo
from videottt.ttt.stream import OfflineUpdate, Stream


@dataclass
class OfflineProgress:
    """The progress of offline TTT on one video.

    Attributes:
        updates: number of updates so far.
        predicted: number of frames predicted after these updates.
        skipped: number of updates skipped because their loss or gradient was not finite.
        spent: wall time of all updates by phase, in seconds.
    """

    updates: int = 0
    predicted: int = 0
    skipped: int = 0
    spent: dict[str, float] = field(default_factory=lambda: dict.fromkeys(PHASES, 0.0))

    def state(self) -> dict[str, Any]:
        """Return the progress as plain data, for `OfflineProgress(**state)`."""
        return asdict(self)

    def count(self, update: OfflineUpdate) -> None:
        """Count an update, its wall time, and whether it was skipped."""
        self.updates += 1
        self.predicted = 0
        self.skipped += not np.isfinite([update.loss, update.gradient_norm]).all()
        for phase, seconds in update.wall_time.items():
            self.spent[phase] += seconds


def run_offline(
    stream: Stream,
    video: WholeVideo,
    after_update: Callable[[OfflineUpdate], None],
    progress: OfflineProgress | None = None,
) -> Iterator[tuple[int, Iterator[FrameResult]]]:
    """Train on a whole video, and predict the video at each rung of the method's ladder.

    Args:
        stream: model and method; the model is trained in place.
        video: all frames.
        after_update: called after every update.
        progress: of a saved state to resume from, together with the restored stream; kept up to
            date.

    Yields:
        the number of updates at a rung, and an iterator over the results of all frames, to be
        exhausted before the next rung. The wall time of all updates so far is spread evenly over
        the frames.
    """
    progress = progress or OfflineProgress()
    for first, last in itertools.pairwise([0, *stream.method.ladder]):
        if last < progress.updates:
            continue
        for update in stream.train_offline(video, max(first, progress.updates), last):
            progress.count(update)
            after_update(update)
        yield last, _predicted(stream, video, progress)


def _predicted(
    stream: Stream, video: WholeVideo, progress: OfflineProgress
) -> Iterator[FrameResult]:
    for index in range(progress.predicted, len(video)):
        start = time.perf_counter()
        frame = video.frame(index)
        loaded = time.perf_counter() - start
        result = stream.predict_only(frame, index)
        # Updates of offline TTT belong to no frame: the first frame reports all skipped ones.
        result.skipped_steps = progress.skipped if index == 0 else 0
        for phase, seconds in progress.spent.items():
            result.wall_time[phase] += seconds / len(video)
        result.wall_time["load"] += loaded
        progress.predicted = index + 1
        yield result
