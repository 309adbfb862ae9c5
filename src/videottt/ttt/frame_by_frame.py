"""Predict a video frame by frame with a fixed method, such as a published network."""

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
from videottt.runtime.device import device_label, gpu_peak, prepare_device, resident_peak
from videottt.store.frames import FrameStore
from videottt.store.journal import PredictionJob, open_journal

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class FixedJob:
    """The prediction of one video with a fixed method, as files and settings.

    Attributes:
        frames: frame store of the video.
        output: file of predictions to write.
        seed: recorded in the output; nothing is drawn at random.
        device: "auto", "cpu", "cuda" or "cuda:N".
        threads: number of CPU threads.
        state: folder of the saved state to resume from; None saves no state.
        save_every: seconds between two saved states.
    """

    frames: Path
    output: Path
    seed: int = 0
    device: str = "auto"
    threads: int = 1
    state: Path | None = None
    save_every: float = 60.0


def predict_frame_by_frame(job: FixedJob, method_for: Callable[[FrameStore], FixedMethod]) -> None:
    """Predict every frame of a video with a fixed method, and write the file of predictions.

    Args:
        job: the video, the output and the device.
        method_for: returns the fixed method for a frame store, with its network on the CPU.

    Raises:
        InputError: a file is absent or broken, the video does not suit the method, its frames
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
                logger.info("%s: another process has written it meanwhile", job.output)
                return
            with open_journal(
                job.output, prediction_job, store,
                state=job.state, save_every=job.save_every,
                background=device.type == "cuda",
            ) as journal:  # fmt: skip
                done = (journal.resume() or {"done": 0})["done"]
                if done:
                    logger.info("resuming after %d of %d frames", done, len(store))
                progress = Progress(len(store), "frames", done)
                for index in range(done, len(store)):
                    journal.add(_result(method, store, index))
                    progress.report(index + 1)
                    journal.save_if_due(functools.partial(dict, done=index + 1))
                journal.peak_memory(resident_peak(), gpu_peak(device))


def _result(method: FixedMethod, store: FrameStore, index: int) -> FrameResult:
    """Return the prediction of a frame, with the wall times of reading and predicting it."""
    nothing = float("nan")
    wall_time = dict.fromkeys(PHASES, 0.0)
    start = time.perf_counter()
    frame = store.frame(index)
    wall_time["load"] = time.perf_counter() - start
    prediction = method.predict(frame)
    wall_time["predict"] = time.perf_counter() - start - wall_time["load"]
    return FrameResult(index, prediction, nothing, nothing, 0, wall_time)
