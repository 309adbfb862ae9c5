"""Verbs of rules/predict.smk: one job per video and method."""

import argparse
import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from videottt.cli.arguments import add_verb, settings
from videottt.errors import InputError
from videottt.files import sha256

if TYPE_CHECKING:
    from videottt.frames import FrameStore
    from videottt.method import Method
    from videottt.models.checkpoint import Checkpoint
    from videottt.predictions import PredictionWriter
    from videottt.stream import Stream, StreamKey
    from videottt.tasks import Task

logger = logging.getLogger(__name__)


def add_verbs(verbs: Any) -> None:
    """Add `predict`."""
    verb = add_verb(verbs, "predict", predict)
    add_method_arguments(verb)
    verb.add_argument("--seed", required=True, type=int)
    verb.add_argument("--looks", type=int, default=4, help="reconstructions to keep for a figure")
    verb.add_argument("--device", default="auto")
    verb.add_argument("--threads", type=int, default=1)
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
    """Stream one video through one method and cache every frame's prediction and time."""
    from videottt.device import peak_memory, prepare_device
    from videottt.frames import FrameStore
    from videottt.method import method_from
    from videottt.predictions import PredictionKey, write_predictions
    from videottt.provenance import provenance
    from videottt.stream import Stream, StreamKey

    values, chosen = settings_of_job(options)
    method = method_from(values)
    checkpoint = load_for(method, options.checkpoint)
    with FrameStore(options.frames) as store:
        task = task_for(options, store, checkpoint, method)
        check_one_size(store)
        device = prepare_device(options.device, options.threads)
        made = provenance(
            str(device),
            checkpoint=sha256(options.checkpoint),
            frames=sha256(options.frames),
            selected=chosen,
            override=options.override,
            threads=options.threads,
            precision=method.precision,
        )
        key = StreamKey(options.seed, store.dataset, store.video)
        stream = Stream(checkpoint.model.to(device), task, method, key)
        looks = _look_frames(len(store), options.looks if checkpoint.has_decoder else 0)
        follow = _follow_offline if method.order == "offline" else _follow
        with write_predictions(
            options.output,
            PredictionKey(store.dataset, options.task, options.method, options.seed, store.video),
            kind=task.kind,
            frames=len(store),
            size=store.size,
            classes=store.classes,
            settings=values,
            provenance=made,
        ) as writer:
            follow(stream, store, key, writer, looks)
            writer.peak_memory(peak_memory(device))


def load_for(method: "Method", path: Path) -> "Checkpoint":
    """Return a checkpoint that has all that a method needs.

    Raises:
        InputError: it is no checkpoint, lacks the decoder g, or names no classes.
    """
    from videottt.models.checkpoint import load_checkpoint
    from videottt.objectives import objective_named

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
    from videottt.settings import with_values

    chosen = selected_values(options.selection)
    return with_values(with_values(options.settings, chosen), options.override), chosen


def _follow(
    stream: "Stream",
    store: "FrameStore",
    key: "StreamKey",
    writer: "PredictionWriter",
    looks: set[int],
) -> None:
    """Hand the video to the stream frame by frame, and its results to the writer."""
    from videottt.progress import Progress
    from videottt.stream import frame_order, run_stream

    progress = Progress(len(store), "frames")
    skipped = 0
    order = frame_order(len(store), stream.method.order, key)
    frames = ((index, store.frame(index)) for index in order)
    for done, result in enumerate(run_stream(stream, frames), start=1):
        writer.add(result)
        skipped += result.skipped_steps
        if result.resets:
            logger.info("frame %d: predictions have collapsed; weights reset", result.index)
        if result.index in looks:
            writer.look(result.index, *stream.reconstruct(store.frame(result.index), result.index))
        progress.report(done, f"loss {result.loss:.3f}" if np.isfinite(result.loss) else "")
    if skipped:
        logger.warning("%d updates were skipped: their loss or gradient was not finite", skipped)


def _follow_offline(
    stream: "Stream",
    store: "FrameStore",
    key: "StreamKey",
    writer: "PredictionWriter",
    looks: set[int],
) -> None:
    """Train on the whole video, and write what is predicted at each rung of the ladder."""
    from videottt.memory import WholeVideo
    from videottt.offline import run_offline
    from videottt.progress import Progress
    from videottt.stream import OfflineUpdate

    ladder = stream.method.ladder
    progress = Progress(ladder[-1], "updates")
    losses: list[float] = []

    def after_update(update: OfflineUpdate) -> None:
        losses.append(update.loss)
        writer.update(update.loss)
        progress.report(len(losses), f"loss {update.loss:.3f}")

    video = WholeVideo(len(store), store.frame)
    for updates, results in run_offline(stream, video, after_update):
        if updates != ladder[-1]:
            writer.rung(updates, results)
            continue
        for result in results:
            writer.add(result)
            if result.index in looks:
                _keep_look(stream, store, writer, result.index)
        logger.info("predicted %d frames at each of %s updates", len(store), list(ladder))


def _keep_look(
    stream: "Stream", store: "FrameStore", writer: "PredictionWriter", index: int
) -> None:
    writer.look(index, *stream.reconstruct(store.frame(index), index))


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
