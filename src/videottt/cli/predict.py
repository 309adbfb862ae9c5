"""Verbs of rules/predict.smk: one job per video and method."""

import argparse
import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from videottt.cli.arguments import add_verb, settings
from videottt.errors import InputError
from videottt.files import sha256

if TYPE_CHECKING:
    from videottt.frames import FrameStore
    from videottt.predictions import PredictionWriter
    from videottt.stream import Stream

logger = logging.getLogger(__name__)


def add_verbs(verbs: Any) -> None:
    """Add `predict`."""
    verb = add_verb(verbs, "predict", predict)
    verb.add_argument("--frames", required=True, type=Path, help="frame store of the video")
    verb.add_argument("--checkpoint", required=True, type=Path)
    verb.add_argument("--task", required=True)
    verb.add_argument(
        "--method", required=True, help="id of the method, for the result's attributes"
    )
    verb.add_argument("--settings", required=True, type=settings, help="JSON: of the method")
    verb.add_argument("--selection", type=Path, help="JSON of selected values that override them")
    verb.add_argument("--seed", required=True, type=int)
    verb.add_argument("--looks", type=int, default=4, help="reconstructions to keep for a figure")
    verb.add_argument("--device", default="auto")
    verb.add_argument("--threads", type=int, default=1)
    verb.add_argument("--output", required=True, type=Path)


def predict(options: argparse.Namespace) -> None:
    """Stream one video through one method and cache every frame's prediction and time."""
    from videottt.device import prepare_device
    from videottt.frames import FrameStore
    from videottt.method import method_from
    from videottt.models.checkpoint import load_checkpoint
    from videottt.objectives import objective_named
    from videottt.predictions import PredictionKey, write_predictions
    from videottt.provenance import provenance
    from videottt.settings import with_values
    from videottt.stream import Stream, StreamKey, frame_order
    from videottt.tasks import task_named

    chosen = _selected(options.selection)
    values = with_values(options.settings, chosen)
    method = method_from(values)
    task = task_named(options.task)
    checkpoint = load_checkpoint(options.checkpoint)
    if (
        objective_named(method.objective, method.options).needs_decoder
        and not checkpoint.has_decoder
    ):
        raise InputError(
            f"{options.checkpoint}: has no decoder g, which objective '{method.objective}' needs; "
            "use the 'joint' checkpoint"
        )
    with FrameStore(options.frames) as store:
        if store.classes != checkpoint.classes:
            raise InputError(
                f"{options.frames}: its classes are not those of {options.checkpoint}; "
                "predict with a checkpoint that was trained on the same classes"
            )
        device = prepare_device(options.device, options.threads)
        key = StreamKey(options.seed, store.dataset, store.video)
        order = frame_order(len(store), method.order, key)
        made = provenance(
            str(device),
            checkpoint=sha256(options.checkpoint),
            frames=sha256(options.frames),
            selected=chosen,
            threads=options.threads,
            precision=method.precision,
        )
        with write_predictions(
            options.output,
            PredictionKey(store.dataset, options.task, options.method, options.seed, store.video),
            frames=len(store),
            size=store.size,
            classes=store.classes,
            settings=values,
            provenance=made,
        ) as writer:
            _follow(
                Stream(checkpoint.model.to(device), task, method, key),
                store,
                order,
                writer,
                _look_frames(len(store), options.looks if checkpoint.has_decoder else 0),
            )


def _follow(
    stream: "Stream",
    store: "FrameStore",
    order: list[int],
    writer: "PredictionWriter",
    looks: set[int],
) -> None:
    """Hand the video to the stream frame by frame, and its results to the writer."""
    from videottt.progress import Progress
    from videottt.stream import run_stream

    progress = Progress(len(store), "frames")
    ratio = stream.method.options.get("mask_ratio", 0.8)
    skipped = 0
    frames = ((index, store.frame(index)) for index in order)
    for done, result in enumerate(run_stream(stream, frames), start=1):
        writer.add(result)
        skipped += result.skipped_steps
        if result.index in looks:
            look = stream.reconstruct(store.frame(result.index), result.index, ratio)
            writer.look(result.index, *look)
        progress.report(done, f"loss {result.loss:.3f}" if np.isfinite(result.loss) else "")
    if skipped:
        logger.warning("%d updates were skipped: their loss or gradient was not finite", skipped)


def _look_frames(length: int, count: int) -> set[int]:
    """Return up to `count` frames spread over the video, for the figure of reconstructions."""
    return {round(place) for place in np.linspace(0, length - 1, count + 2)[1:-1]}


def _selected(path: Path | None) -> dict:
    if path is None:
        return {}
    try:
        return json.loads(path.read_text())["selected"]
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{path}: not a selection of hyper-parameters ({error})") from None
