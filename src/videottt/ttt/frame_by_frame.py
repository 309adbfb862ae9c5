"""Predict a video frame by frame with a published network that learns nothing."""

import functools
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from videottt.core.files import sha256
from videottt.core.frame_result import PHASES, FrameResult
from videottt.core.ids import JobKey
from videottt.core.progress import Progress
from videottt.core.provenance import provenance
from videottt.models.baselines.fixed import FixedMethod
from videottt.runtime.claims import claimed
from videottt.runtime.device import device_label, peak_memory, prepare_device
from videottt.store.frames import FrameStore
from videottt.store.journal import PredictionJob, open_journal

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class FixedJob:
    """One video to predict, as files.

    Attributes:
        frames: frame store of the video.
        output: file of predictions to write.
        seed: for the attributes of the result only.
        device: "auto", "cpu", "cuda" or "cuda:N".
        threads: CPU threads.
        state: folder of the state to resume from; None keeps none.
        save_every: seconds between two states.
    """

    frames: Path
    output: Path
    seed: int = 0
    device: str = "auto"
    threads: int = 1
    state: Path | None = None
    save_every: float = 60.0


def predict_frame_by_frame(job: FixedJob, method_for: Callable[[FrameStore], FixedMethod]) -> None:
    """Write what a method makes of each frame of a video, as other predictions are written.

    Args:
        job: what to predict, and where to.
        method_for: returns the method for a video, its network on the CPU.

    Raises:
        InputError: a file is not what it should be, the video does not suit the method, its frames
            differ in size, or the device does not exist.
        Stopped: the job was asked to stop, and its state is saved.
    """
    with FrameStore(job.frames) as store:
        method = method_for(store)
        device = prepare_device(job.device, job.threads)
        if method.network is not None:
            method.network.to(device)
        store.check_one_size()
        key = JobKey(store.dataset, method.task, method.method, job.seed, store.video)
        made = provenance(
            device_label(device), frames=sha256(job.frames), threads=job.threads, **method.weights
        )
        prediction_job = PredictionJob(key, method.kind, method.settings, made)
        with claimed(job.state, job.output) as waited:
            if waited and prediction_job.is_made(job.output):
                logger.info("%s: the other process has made it", job.output)
                return
            with open_journal(
                job.output, prediction_job, store, state=job.state, save_every=job.save_every
            ) as journal:
                done = (journal.resume() or {"done": 0})["done"]
                if done:
                    logger.info("resuming after %d of %d frames", done, len(store))
                progress = Progress(len(store), "frames", done)
                for index in range(done, len(store)):
                    journal.add(_result(method, store, index))
                    progress.report(index + 1)
                    journal.save_if_due(functools.partial(dict, done=index + 1))
                journal.writer.peak_memory(peak_memory(device))


def _result(method: FixedMethod, store: FrameStore, index: int) -> FrameResult:
    """Return the prediction of a frame, with what reading and predicting it took."""
    nothing = float("nan")
    wall_time = dict.fromkeys(PHASES, 0.0)
    start = time.perf_counter()
    frame = store.frame(index)
    wall_time["load"] = time.perf_counter() - start
    prediction = method.predict(frame)
    wall_time["predict"] = time.perf_counter() - start - wall_time["load"]
    return FrameResult(index, prediction, nothing, nothing, 0, wall_time)
