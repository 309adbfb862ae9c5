"""Learn from single frames of a video, each from the checkpoint, and keep every step (figure 3)."""

import copy
import logging
from collections.abc import Sequence

import numpy as np

from videottt.core.errors import InputError
from videottt.store.traces import FrameTrace, frame_trace, write_traces
from videottt.ttt.job import OpenJob, StreamJob, open_job
from videottt.ttt.objectives import objective_named
from videottt.ttt.stream import Stream

logger = logging.getLogger(__name__)

FRAMES = 3  # traced where none are named


def trace_video(job: StreamJob, indices: Sequence[int] = (), steps: int = 20) -> None:
    """Trace single frames of a video, and write the traces.

    Args:
        job: its output is the file of traces.
        indices: of the frames; by default 3 labelled ones, spread over the video.
        steps: gradient steps on each frame.

    Raises:
        InputError: see `open_job`; or the method reconstructs nothing, or there is no such frame.
    """
    with open_job(job) as opened:
        _check_reconstructs(opened)
        store = opened.store
        chosen = _chosen_frames(indices, store.labelled)
        write_traces(
            job.output,
            opened.key,
            [_traced(opened, index, steps) for index in chosen],
            kind=opened.task.kind,
            size=store.size,
            classes=store.classes,
            settings=opened.settings,
            provenance=opened.provenance,
        )


def _check_reconstructs(opened: OpenJob) -> None:
    """Refuse a method of which a trace would have no reconstruction.

    Raises:
        InputError: its objective does not use g.
    """
    method = opened.method
    if not objective_named(method.objective, method.options).needs_decoder:
        raise InputError(
            f"trace: method '{opened.key.method}' has objective '{method.objective}', which "
            "reconstructs nothing; trace one of objective 'mae'"
        )


def _traced(opened: OpenJob, index: int, steps: int) -> FrameTrace:
    # A copy each, so that no frame starts from what was learned on another.
    model = copy.deepcopy(opened.checkpoint.model).to(opened.device)
    stream = Stream(model, opened.task, opened.method, opened.key)
    trace = frame_trace(index, stream.trace(opened.store.frame(index), index, steps))
    logger.info("frame %d: loss %.3f to %.3f", index, trace.loss[0], trace.loss[-1])
    return trace


def _chosen_frames(indices: Sequence[int], labelled: np.ndarray) -> list[int]:
    """Return the frames that were asked for, or up to `FRAMES` that are spread over the video.

    Labelled ones, where there are any.

    Raises:
        InputError: the video has no such frame.
    """
    for index in indices:
        if not 0 <= index < len(labelled):
            raise InputError(
                f"trace: no frame {index}; the video has frames 0 to {len(labelled) - 1}"
            )
    if indices:
        return list(indices)
    frames = np.flatnonzero(labelled) if labelled.any() else np.arange(len(labelled))
    places = np.linspace(0, len(frames) - 1, FRAMES + 2)[1:-1].round().astype(int)
    return [int(frames[place]) for place in dict.fromkeys(places.tolist())]
