"""Offline test-time training: all frames of a video, before predicting any (paper section 6.1)."""

import itertools
import time
from collections.abc import Callable, Iterator

import numpy as np

from videottt.frame_result import PHASES, FrameResult
from videottt.memory import WholeVideo
from videottt.stream import OfflineUpdate, Stream


def run_offline(
    stream: Stream, video: WholeVideo, after_update: Callable[[OfflineUpdate], None]
) -> Iterator[tuple[int, Iterator[FrameResult]]]:
    """Train on a whole video, and predict it at each rung of the method's ladder.

    Yields:
        a number of updates, and the results of all frames predicted after them; the results have
        to be used up before the next rung. The time of all updates so far is spread evenly over
        the frames.
    """
    spent = dict.fromkeys(PHASES, 0.0)
    skipped = 0
    for first, last in itertools.pairwise([0, *stream.method.ladder]):
        for update in stream.train_offline(video, first, last):
            for phase, seconds in update.seconds.items():
                spent[phase] += seconds
            skipped += not np.isfinite([update.loss, update.gradient_norm]).all()
            after_update(update)
        yield last, _predicted(stream, video, spent, skipped)


def _predicted(
    stream: Stream, video: WholeVideo, spent: dict[str, float], skipped: int
) -> Iterator[FrameResult]:
    for index in range(len(video)):
        start = time.perf_counter()
        frame = video.batch([index])[0]
        loaded = time.perf_counter() - start
        result = stream.predict(frame, index)
        # No update belongs to a frame: those left out are counted with the first.
        result.skipped_steps = skipped if index == 0 else 0
        for phase, seconds in spent.items():
            result.seconds[phase] += seconds / len(video)
        result.seconds["load"] += loaded
        yield result
