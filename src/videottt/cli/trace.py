"""Verbs of rules/figures.smk that run the model: learning from single frames, to look at."""

import argparse
import copy
import logging
from pathlib import Path
from typing import Any

import numpy as np

from videottt.cli.arguments import add_verb
from videottt.cli.predict import add_method_arguments, load_for, settings_of_job, task_for
from videottt.core.errors import InputError
from videottt.core.files import sha256

logger = logging.getLogger(__name__)

FRAMES = 3  # traced where none are named


def add_verbs(verbs: Any) -> None:
    """Add `trace`."""
    verb = add_verb(verbs, "trace", trace)
    add_method_arguments(verb)
    verb.add_argument("--seed", required=True, type=int)
    verb.add_argument(
        "--frame", type=_indices, default=[], dest="indices",
        help="indices, separated by commas; by default 3 labelled frames spread over the video",
    )  # fmt: skip
    verb.add_argument("--steps", type=_count, default=20, help="gradient steps on each frame")
    verb.add_argument("--device", default="auto")
    verb.add_argument("--threads", type=int, default=1)
    verb.add_argument("--output", required=True, type=Path)


def _indices(text: str) -> list[int]:
    """Read indices of frames separated by commas, each once."""
    try:
        return list(dict.fromkeys(int(part) for part in text.split(",")))
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is not numbers separated by commas") from None


def _count(text: str) -> int:
    """Read a number of steps, at least 1."""
    if not (text.isdecimal() and int(text)):
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number, at least 1")
    return int(text)


def trace(options: argparse.Namespace) -> None:
    """Learn from single frames of a video, each from the checkpoint, and keep every step."""
    from videottt.core.ids import JobKey
    from videottt.core.provenance import provenance
    from videottt.runtime.device import prepare_device
    from videottt.store.frames import FrameStore
    from videottt.store.traces import frame_trace, write_traces
    from videottt.ttt.method import method_from
    from videottt.ttt.objectives import objective_named
    from videottt.ttt.stream import Stream

    values, chosen = settings_of_job(options)
    method = method_from(values)
    if not objective_named(method.objective, method.options).needs_decoder:
        raise InputError(
            f"trace: method '{options.method}' has objective '{method.objective}', which "
            "reconstructs nothing; trace one of objective 'mae'"
        )
    checkpoint = load_for(method, options.checkpoint)
    with FrameStore(options.frames) as store:
        task = task_for(options, store, checkpoint, method)
        device = prepare_device(options.device, options.threads)
        key = JobKey(options.seed, store.dataset, store.video)
        made = provenance(
            str(device),
            checkpoint=sha256(options.checkpoint),
            frames=sha256(options.frames),
            selected=chosen,
            override=options.override,
            threads=options.threads,
            precision=method.precision,
        )
        traces = []
        for index in _chosen_frames(options.indices, store.labelled):
            # A copy each, so that no frame starts from what was learned on another.
            stream = Stream(copy.deepcopy(checkpoint.model).to(device), task, method, key)
            found = frame_trace(index, stream.trace(store.frame(index), index, options.steps))
            logger.info("frame %d: loss %.3f to %.3f", index, found.loss[0], found.loss[-1])
            traces.append(found)
        ids = JobKey(store.dataset, options.task, options.method, options.seed, store.video)
        write_traces(
            options.output,
            ids,
            traces,
            kind=task.kind,
            size=store.size,
            classes=store.classes,
            settings=values,
            provenance=made,
        )


def _chosen_frames(indices: list[int], labelled: np.ndarray) -> list[int]:
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
        return indices
    frames = np.flatnonzero(labelled) if labelled.any() else np.arange(len(labelled))
    places = np.linspace(0, len(frames) - 1, FRAMES + 2)[1:-1].round().astype(int)
    return [int(frames[place]) for place in dict.fromkeys(places.tolist())]
