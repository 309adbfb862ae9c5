"""Run one method on one video, from the frame store to the file of predictions."""

import contextlib
import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from videottt.core.errors import InputError
from videottt.core.files import sha256
from videottt.core.ids import JobKey
from videottt.core.progress import Progress
from videottt.core.provenance import provenance
from videottt.core.settings import with_values
from videottt.models.checkpoint import Checkpoint, load_checkpoint
from videottt.runtime.claims import claimed
from videottt.runtime.device import device_label, gpu_peak, prepare_device, resident_peak
from videottt.settings.method import Method, method_from
from videottt.store.frames import FrameStore
from videottt.store.journal import NullJournal, PredictionJob, open_journal
from videottt.tasks import Task, task_named
from videottt.ttt.memory import WholeVideo
from videottt.ttt.objectives import objective_named
from videottt.ttt.offline import OfflineProgress, run_offline
from videottt.ttt.stream import OfflineUpdate, Stream, frame_order, run_stream

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class StreamJob:
    """One method on one video, as files and settings.

    Attributes:
        frames: frame store of the video.
        checkpoint: file of the initial model.
        task: one of `core.ids.TASKS`.
        settings: of the method; see `videottt.settings.method.Method`.
        output: file to write.
        method: id of the method, recorded in the output.
        selection: files written by `videottt select`; later files override earlier ones.
        override: dotted setting -> value; overrides every selected value.
        seed: of every random draw.
        looks: number of reconstructions to keep for a figure.
        device: "auto", "cpu", "cuda" or "cuda:N".
        threads: number of CPU threads.
        state: folder of the saved state to resume from; None saves no state.
        save_every: seconds between two saved states.
    """

    frames: Path
    checkpoint: Path
    task: str
    settings: dict[str, Any]
    output: Path
    method: str = ""
    selection: Sequence[Path] = ()
    override: dict[str, Any] = field(default_factory=dict)
    seed: int = 0
    looks: int = 4
    device: str = "auto"
    threads: int = 1
    state: Path | None = None
    save_every: float = 60.0


@dataclass(frozen=True)
class OpenJob:
    """A job with its files open and its model read.

    Attributes:
        key: identity of the job.
        store: frame store of the video.
        checkpoint: the initial model, on the CPU.
        method: with selected and overridden settings applied.
        settings: of `method`, as plain data.
        task: decodes the outputs of the head h.
        device: on which the job runs.
        provenance: everything that determines the job's numbers.
    """

    key: JobKey
    store: FrameStore
    checkpoint: Checkpoint
    method: Method
    settings: dict[str, Any]
    task: Task
    device: torch.device
    provenance: dict[str, Any]


@contextlib.contextmanager
def open_job(job: StreamJob) -> Iterator[OpenJob]:
    """Open the files of a job, and check that they fit together.

    Yields:
        the open job; its frame store is closed at the end of the block.

    Raises:
        InputError: a file is absent or broken, a setting is unknown or out of range, the
            checkpoint does not fit the method or the task, or the device does not exist.
    """
    chosen = selected_values(job.selection)
    settings = with_values(with_values(job.settings, chosen), job.override)
    method = method_from(settings)
    checkpoint = load_for(method, job.checkpoint)
    with FrameStore(job.frames) as store:
        task = _task_for(job, store, checkpoint, method)
        device = prepare_device(job.device, job.threads)
        made = provenance(
            device_label(device),
            checkpoint=sha256(job.checkpoint),
            frames=sha256(job.frames),
            selected=chosen,
            override=job.override,
            threads=job.threads,
            precision=method.precision,
        )
        key = JobKey(store.dataset, job.task, job.method, job.seed, store.video)
        yield OpenJob(key, store, checkpoint, method, settings, task, device, made)


def predict_video(job: StreamJob) -> None:
    """Predict a video with one method, and write each frame's prediction and wall times.

    A job that was killed resumes from its last saved state when it is run again.

    Raises:
        InputError: the frames differ in size, or the job cannot be opened; see `open_job`.
        Stopped: the job was asked to stop, and its state is saved.
    """
    with claimed(job.state, job.output) as waited, open_job(job) as opened:
        opened.store.check_one_size()
        made = PredictionJob(opened.key, opened.task.kind, opened.settings, opened.provenance)
        if waited and made.is_made(job.output):
            logger.info("%s: another process has written it meanwhile", job.output)
            return
        model = opened.checkpoint.model.to(opened.device)
        stream = Stream(model, opened.task, opened.method, opened.key)
        count = job.looks if opened.checkpoint.has_decoder else 0
        follow = _follow_offline if opened.method.order == "offline" else _follow
        with open_journal(
            job.output, made, opened.store,
            state=job.state, save_every=job.save_every, looks=job.looks,
            background=opened.device.type == "cuda",
        ) as journal:  # fmt: skip
            follow(stream, opened, journal, _spread_frames(len(opened.store), count))
            journal.peak_memory(resident_peak(), gpu_peak(opened.device))


def load_for(method: Method, path: Path) -> Checkpoint:
    """Read a checkpoint, and check that it fits a method.

    Raises:
        InputError: the file is no checkpoint, or as `check_fits`.
    """
    checkpoint = load_checkpoint(path)
    check_fits(checkpoint, method, path)
    return checkpoint


def check_fits(checkpoint: Checkpoint, method: Method, path: Path) -> None:
    """Check that a checkpoint has all that a method needs.

    Args:
        checkpoint: read from `path`.
        method: whose objective may need the decoder g or predicted classes.
        path: of the checkpoint, for errors.

    Raises:
        InputError: the method needs a decoder g or classes that the checkpoint does not have.
    """
    objective = objective_named(method.objective, method.options)
    if objective.needs_decoder and not checkpoint.has_decoder:
        raise InputError(
            f"{path}: has no decoder g, which objective '{method.objective}' needs; use the "
            "'joint' checkpoint"
        )
    if objective.needs_classes and not checkpoint.classes:
        raise InputError(
            f"{path}: its head predicts no classes, which objective '{method.objective}' needs; "
            "use another method for this task"
        )


def selected_values(paths: Sequence[Path]) -> dict[str, Any]:
    """Return selected hyper-parameters as dotted setting -> value.

    Args:
        paths: files written by `videottt select`; later files override earlier ones.

    Raises:
        InputError: a file is absent, or not written by `videottt select`.
    """
    chosen: dict[str, Any] = {}
    for path in paths:
        try:
            chosen |= json.loads(path.read_text())["selected"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"{path}: not a selection of hyper-parameters ({error}); write it with "
                "'videottt select'"
            ) from None
    return chosen


def _task_for(job: StreamJob, store: FrameStore, checkpoint: Checkpoint, method: Method) -> Task:
    """Return the task that decodes the checkpoint's outputs for a video.

    Raises:
        InputError: the task does not exist, or the checkpoint's classes do not fit it.
    """
    try:
        return task_named(job.task, store.space, checkpoint.classes, method.decoding)
    except InputError as error:
        raise InputError(f"{job.checkpoint} on {store.path}: {error}") from None


def _follow(stream: Stream, opened: OpenJob, journal: NullJournal, reconstructed: set[int]) -> None:
    """Run the stream over the video frame by frame, and enter its results in the journal."""
    store = opened.store
    counts = journal.resume() or {"done": 0, "skipped": 0}
    if "stream" in counts:
        stream.restore(counts.pop("stream"), store.frame)
        logger.info("resuming after %d of %d frames", counts["done"], len(store))
    progress = Progress(len(store), "frames", counts["done"])
    order = frame_order(len(store), stream.method.order, opened.key)
    frames = ((index, store.frame(index)) for index in order[counts["done"] :])

    def state() -> dict[str, Any]:
        return {**counts, "stream": stream.state()}

    for result in run_stream(stream, frames):
        journal.add(result)
        counts["done"] += 1
        counts["skipped"] += result.skipped_steps
        if result.resets:
            logger.info("frame %d: predictions have collapsed; weights are reset", result.index)
        if result.index in reconstructed:
            _keep_reconstruction(stream, store, journal, result.index)
        progress.report(
            counts["done"], f"loss {result.loss:.3f}" if np.isfinite(result.loss) else ""
        )
        journal.save_if_due(state)
    _report_skipped(counts["skipped"])


def _follow_offline(
    stream: Stream, opened: OpenJob, journal: NullJournal, reconstructed: set[int]
) -> None:
    """Train on the whole video, and enter the predictions of each rung in the journal."""
    store = opened.store
    state = journal.resume()
    offline = OfflineProgress(**state["offline"]) if state else OfflineProgress()
    if state:
        stream.restore(state["stream"], store.frame)
        logger.info(
            "resuming after %d updates, %d frames predicted", offline.updates, offline.predicted
        )
    ladder = stream.method.ladder
    progress = Progress(ladder[-1], "updates", offline.updates)

    def save_if_due() -> None:
        journal.save_if_due(lambda: {"offline": offline.state(), "stream": stream.state()})

    def after_update(update: OfflineUpdate) -> None:
        journal.update(update.loss)
        progress.report(offline.updates, f"loss {update.loss:.3f}")
        save_if_due()

    video = WholeVideo(len(store), store.frame)
    for updates, results in run_offline(stream, video, after_update, offline):
        for result in results:
            if updates != ladder[-1]:
                journal.add_to_rung(updates, result)
            else:
                journal.add(result)
                if result.index in reconstructed:
                    _keep_reconstruction(stream, store, journal, result.index)
            save_if_due()
    logger.info("predicted %d frames after each of %s updates", len(store), list(ladder))
    _report_skipped(offline.skipped)


def _report_skipped(skipped: int) -> None:
    if skipped:
        logger.warning("%d updates were skipped: their loss or gradient was not finite", skipped)


def _keep_reconstruction(
    stream: Stream, store: FrameStore, journal: NullJournal, index: int
) -> None:
    journal.look(index, *stream.reconstruct(store.frame(index), index))


def _spread_frames(length: int, count: int) -> set[int]:
    """Return the indices of up to `count` frames that are spread evenly over a video."""
    return {round(place) for place in np.linspace(0, length - 1, count + 2)[1:-1]}
