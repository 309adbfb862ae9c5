"""Verbs of rules/predict.smk: one job per video and method."""

import argparse
import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from videottt.cli.arguments import add_verb, settings
from videottt.cli.resumable import (
    PredictionJob,
    Unsaved,
    add_saving,
    claimed,
    resumable_predictions,
)
from videottt.core.errors import InputError
from videottt.core.files import sha256

if TYPE_CHECKING:
    from videottt.core.ids import JobKey
    from videottt.models.checkpoint import Checkpoint
    from videottt.store.frames import FrameStore
    from videottt.store.journal import Journal
    from videottt.tasks import Task
    from videottt.ttt.method import Method
    from videottt.ttt.stream import Stream

logger = logging.getLogger(__name__)


def add_verbs(verbs: Any) -> None:
    """Add `predict`."""
    verb = add_verb(verbs, "predict", predict)
    add_method_arguments(verb)
    verb.add_argument("--seed", required=True, type=int)
    verb.add_argument("--looks", type=int, default=4, help="reconstructions to keep for a figure")
    verb.add_argument("--device", default="auto")
    verb.add_argument("--threads", type=int, default=1)
    add_saving(verb)
    verb.add_argument("--output", required=True, type=Path)


def add_method_arguments(verb: argparse.ArgumentParser) -> None:
    """Add what says which video a method learns from, and what the method is."""
    verb.add_argument("--frames", required=True, type=Path, help="frame store of the video")
    verb.add_argument("--checkpoint", required=True, type=Path)
    verb.add_argument("--task", required=True)
    verb.add_argument(
        "--method", required=True, help="id of the method, for the result's attributes"
    )
    verb.add_argument("--settings", required=True, type=settings, help="JSON: of the method")
    verb.add_argument("--selection", nargs="*", default=[], type=Path,
                      help="JSON of selected values, the later the stronger")  # fmt: skip
    verb.add_argument("--override", default={}, type=settings,
                      help="JSON: {dotted setting: value} that overrides everything")  # fmt: skip


def predict(options: argparse.Namespace) -> None:
    """Stream one video through one method and cache every frame's prediction and time.

    Killed at any moment, the same command goes on where the last state was saved.
    """
    with claimed(options) as waited:
        _predict(options, waited)


def _predict(options: argparse.Namespace, waited: bool) -> None:
    from videottt.core.ids import JobKey
    from videottt.core.provenance import provenance
    from videottt.runtime.device import device_label, peak_memory, prepare_device
    from videottt.store.frames import FrameStore
    from videottt.ttt.method import method_from
    from videottt.ttt.stream import Stream

    values, chosen = settings_of_job(options)
    method = method_from(values)
    checkpoint = load_for(method, options.checkpoint)
    with FrameStore(options.frames) as store:
        task = task_for(options, store, checkpoint, method)
        check_one_size(store)
        device = prepare_device(options.device, options.threads)
        made = provenance(
            device_label(device),
            checkpoint=sha256(options.checkpoint),
            frames=sha256(options.frames),
            selected=chosen,
            override=options.override,
            threads=options.threads,
            precision=method.precision,
        )
        ids = JobKey(store.dataset, options.task, options.method, options.seed, store.video)
        job = PredictionJob(ids, task.kind, values, made)
        if waited and job.is_made(options.output):
            logger.info("%s: the other process has made it", options.output)
            return
        key = JobKey(options.seed, store.dataset, store.video)
        stream = Stream(checkpoint.model.to(device), task, method, key)
        looks = _look_frames(len(store), options.looks if checkpoint.has_decoder else 0)
        follow = _follow_offline if method.order == "offline" else _follow
        with resumable_predictions(options, job, store) as (journal, writer):
            follow(stream, store, key, journal, looks)
            writer.peak_memory(peak_memory(device))


def load_for(method: "Method", path: Path) -> "Checkpoint":
    """Return a checkpoint that has all that a method needs.

    Raises:
        InputError: it is no checkpoint, lacks the decoder g, or names no classes.
    """
    from videottt.models.checkpoint import load_checkpoint
    from videottt.ttt.objectives import objective_named

    checkpoint = load_checkpoint(path)
    objective = objective_named(method.objective, method.options)
    if objective.needs_decoder and not checkpoint.has_decoder:
        raise InputError(
            f"{path}: has no decoder g, which objective '{method.objective}' needs; "
            "use the 'joint' checkpoint"
        )
    if objective.needs_classes and not checkpoint.classes:
        raise InputError(
            f"{path}: names no classes, which objective '{method.objective}' needs; use another "
            "method for this task"
        )
    return checkpoint


def task_for(
    options: argparse.Namespace, store: "FrameStore", checkpoint: "Checkpoint", method: "Method"
) -> "Task":
    """Return the task that turns what a checkpoint says into predictions of a video.

    Raises:
        InputError: there is no such task, or the checkpoint does not name its classes.
    """
    from videottt.tasks import task_named

    try:
        return task_named(options.task, store.space, checkpoint.classes, method.decoding)
    except InputError as error:
        raise InputError(f"{options.checkpoint} on {store.path}: {error}") from None


def check_one_size(store: "FrameStore") -> None:
    """Refuse stills of several sizes on one canvas: they are to train on, not a video.

    Raises:
        InputError: the frames differ in size.
    """
    if (store.sizes != store.size).any():
        raise InputError(
            f"{store.path}: frames of several sizes are stills to train on, not a video; predict "
            "a video whose frames have one size"
        )


def settings_of_job(options: argparse.Namespace) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the settings of a method with what was selected and overridden, and the selected.

    Raises:
        InputError: a file is not what `videottt select` writes.
    """
    from videottt.core.settings import with_values

    chosen = selected_values(options.selection)
    return with_values(with_values(options.settings, chosen), options.override), chosen


def _follow(
    stream: "Stream",
    store: "FrameStore",
    key: "JobKey",
    journal: "Journal | Unsaved",
    looks: set[int],
) -> None:
    """Hand the video to the stream frame by frame, and its results to the journal."""
    from videottt.core.progress import Progress
    from videottt.ttt.stream import frame_order, run_stream

    state = journal.resume() or {"done": 0, "skipped": 0}
    done, skipped = state["done"], state["skipped"]
    if "stream" in state:
        stream.restore(state["stream"], store.frame)
        logger.info("resuming after %d of %d frames", done, len(store))
    progress = Progress(len(store), "frames", done)
    order = frame_order(len(store), stream.method.order, key)
    frames = ((index, store.frame(index)) for index in order[done:])
    for result in run_stream(stream, frames):
        journal.add(result)
        done += 1
        skipped += result.skipped_steps
        if result.resets:
            logger.info("frame %d: predictions have collapsed; weights reset", result.index)
        if result.index in looks:
            _keep_look(stream, store, journal, result.index)
        progress.report(done, f"loss {result.loss:.3f}" if np.isfinite(result.loss) else "")
        now = {"done": done, "skipped": skipped}
        journal.save_if_due(lambda now=now: {**now, "stream": stream.state()})
    _report_skipped(skipped)


def _follow_offline(
    stream: "Stream",
    store: "FrameStore",
    key: "JobKey",
    journal: "Journal | Unsaved",
    looks: set[int],
) -> None:
    """Train on the whole video, and keep what is predicted at each rung of the ladder."""
    from videottt.core.progress import Progress
    from videottt.ttt.memory import WholeVideo
    from videottt.ttt.offline import OfflineProgress, run_offline
    from videottt.ttt.stream import OfflineUpdate

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
                if result.index in looks:
                    _keep_look(stream, store, journal, result.index)
            save_if_due()
    logger.info("predicted %d frames at each of %s updates", len(store), list(ladder))
    _report_skipped(offline.skipped)


def _report_skipped(skipped: int) -> None:
    if skipped:
        logger.warning("%d updates were skipped: their loss or gradient was not finite", skipped)


def _keep_look(
    stream: "Stream", store: "FrameStore", journal: "Journal | Unsaved", index: int
) -> None:
    journal.look(index, *stream.reconstruct(store.frame(index), index))


def _look_frames(length: int, count: int) -> set[int]:
    """Return up to `count` frames spread over the video, for the figure of reconstructions."""
    return {round(place) for place in np.linspace(0, length - 1, count + 2)[1:-1]}


def selected_values(paths: Sequence[Path]) -> dict[str, Any]:
    """Return the dotted settings that selections chose; later files override earlier ones.

    Raises:
        InputError: a file is not what `videottt select` writes.
    """
    chosen: dict[str, Any] = {}
    for path in paths:
        try:
            chosen |= json.loads(path.read_text())["selected"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path}: not a selection of hyper-parameters ({error})") from None
    return chosen
