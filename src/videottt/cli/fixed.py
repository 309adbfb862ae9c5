"""What the verbs share that predict frame by frame with a network that learns nothing."""

import argparse
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from videottt.cli.resumable import PredictionJob, add_saving, claimed, resumable_predictions
from videottt.core.files import sha256

if TYPE_CHECKING:
    import numpy as np
    import torch

    from videottt.core.frame_result import FrameResult
    from videottt.store.frames import FrameStore

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class FixedMethod:
    """What predicts each frame by itself.

    Attributes:
        task: that it solves.
        method: its id.
        kind: of its predictions, one of `layers.LAYERS`.
        predict: from a frame, uint8 [H, W, 3], to its prediction.
        settings: that decide its predictions.
        facts: sha256 of each file of weights, by name.
    """

    task: str
    method: str
    kind: str
    predict: Callable[["np.ndarray"], "np.ndarray"]
    settings: dict[str, Any] = field(default_factory=dict)
    facts: dict[str, str] = field(default_factory=dict)


def add_job(verb: argparse.ArgumentParser) -> None:
    """Add what every such verb is told: the video, the device, and where the result goes."""
    verb.add_argument("--frames", required=True, type=Path, help="frame store of the video")
    verb.add_argument("--seed", required=True, type=int, help="for the result's attributes only")
    verb.add_argument("--device", default="auto")
    verb.add_argument("--threads", type=int, default=1)
    add_saving(verb)
    verb.add_argument("--output", required=True, type=Path)


def predict_video(
    options: argparse.Namespace, store: "FrameStore", fixed: FixedMethod, device: "torch.device"
) -> None:
    """Write what a method makes of each frame of a video, as other predictions are written.

    Raises:
        InputError: the frames differ in size.
    """
    from videottt.cli.predict import check_one_size
    from videottt.core.ids import JobKey
    from videottt.core.progress import Progress
    from videottt.core.provenance import provenance
    from videottt.runtime.device import device_label, peak_memory

    check_one_size(store)
    key = JobKey(store.dataset, fixed.task, fixed.method, options.seed, store.video)
    made = provenance(
        device_label(device), frames=sha256(options.frames), threads=options.threads, **fixed.facts
    )
    job = PredictionJob(key, fixed.kind, fixed.settings, made)
    with claimed(options) as waited:
        if waited and job.is_made(options.output):
            logger.info("%s: the other process has made it", options.output)
            return
        with resumable_predictions(options, job, store) as (journal, writer):
            done = (journal.resume() or {"done": 0})["done"]
            if done:
                logger.info("resuming after %d of %d frames", done, len(store))
            progress = Progress(len(store), "frames", done)
            for index in range(done, len(store)):
                journal.add(_result(fixed, store, index))
                progress.report(index + 1)
                journal.save_if_due(lambda index=index: {"done": index + 1})
            writer.peak_memory(peak_memory(device))


def _result(fixed: FixedMethod, store: "FrameStore", index: int) -> "FrameResult":
    """Return the prediction of a frame, with what reading and predicting it took."""
    from videottt.core.frame_result import PHASES, FrameResult

    nothing = float("nan")
    wall_time = dict.fromkeys(PHASES, 0.0)
    start = time.perf_counter()
    frame = store.frame(index)
    wall_time["load"] = time.perf_counter() - start
    prediction = fixed.predict(frame)
    wall_time["predict"] = time.perf_counter() - start - wall_time["load"]
    return FrameResult(index, prediction, nothing, nothing, 0, wall_time)
