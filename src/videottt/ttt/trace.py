"""Trace test-time training on single frames, step by step from the checkpoint (figure 3)."""

import copy
import logging
from collections.abc import Sequence

import numpy as np

from videottt.core.errors import InputError
from videottt.core.provenance import recorded
from videottt.store.traces import FrameTrace, frame_trace, write_traces
from videottt.ttt.job import OpenJob, StreamJob, open_job
from videottt.ttt.objectives import objective_named
from videottt.ttt.stream import Stream

logger = logging.getLogger(__name__)

FRAMES = 3  # default number of traced frames


def trace_video(job: StreamJob, indices: Sequence[int] = (), steps: int = 20) -> None:
    """Trace single frames of a video, and write the traces.

    Each frame starts from the checkpoint's weights, like TTT-MAE No Memory (section 4.2).

    Args:
        job: video, checkpoint and method; its output is the file of traces.
        indices: of the frames, from 0; by default 3 labelled frames, spread over the video.
        steps: number of gradient steps on each frame; 20 as in Gandelsman et al., 2022.

    Raises:
        InputError: the method's objective does not reconstruct, the video has no such frame, or the
            job cannot be opened; see `open_job`.
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
            provenance=recorded(opened.provenance),
        )


def _check_reconstructs(opened: OpenJob) -> None:
    """Check that the method's objective uses the decoder g.

    Raises:
        InputError: it does not.
    """
    method = opened.method
    if not objective_named(method.objective, method.options).needs_decoder:
        raise InputError(
            f"trace: method '{opened.key.method}' has objective '{method.objective}', which "
            "reconstructs nothing; trace a method with objective 'mae'"
        )


def _traced(opened: OpenJob, index: int, steps: int) -> FrameTrace:
    # Copy the model, so that every frame starts from the checkpoint's weights.
    model = copy.deepcopy(opened.checkpoint.model).to(opened.device)
    stream = Stream(model, opened.task, opened.method, opened.key)
    trace = frame_trace(index, stream.trace(opened.store.frame(index), index, steps))
    logger.info("frame %d: loss %.3f to %.3f", index, trace.loss[0], trace.loss[-1])
    return trace


def _chosen_frames(indices: Sequence[int], labelled: np.ndarray) -> list[int]:
    """Return the requested frames, or by default up to `FRAMES` frames spread over the video.

    The default frames are labelled ones if the video has labels.

    Raises:
        InputError: the video has no such frame.
    """
    for index in indices:
        if not 0 <= index < len(labelled):
            raise InputError(
                f"trace: no frame {index}; the video has frames 0 to {len(labelled) - 1}; choose "
                "one of these"
            )
    if indices:
        return list(indices)
    frames = np.flatnonzero(labelled) if labelled.any() else np.arange(len(labelled))
    places = np.linspace(0, len(frames) - 1, FRAMES + 2)[1:-1].round().astype(int)
    return [int(frames[place]) for place in dict.fromkeys(places.tolist())]
