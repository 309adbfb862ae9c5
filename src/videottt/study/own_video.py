"""Run one method on a user's video, from the file to predictions and a video to look at."""

import contextlib
import json
import logging
import os
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from videottt.core.ids import TASKS, check_known
from videottt.core.paths import named_path
from videottt.data.ingest import IngestSettings, ingest
from videottt.data.layouts.video_file import is_film
from videottt.models.checkpoint import Checkpoint, load_checkpoint
from videottt.models.shipped_checkpoints import checkpoint_for, checkpoint_named
from videottt.report.figures.film import render_prediction
from videottt.report.figures.opened import PairFiles
from videottt.report.figures.video import render_pair
from videottt.runtime.claims import sole_writer
from videottt.study.own_source import (
    FRAMES,
    check_same_video,
    name_of,
    note_source,
    source_named,
    source_of,
)
from videottt.study.stream_settings import settings_for, trained_task
from videottt.ttt.job import StreamJob, predict_video

logger = logging.getLogger(__name__)

# Id, in files, of the predictions of the same checkpoint that nothing is learned for.
FIXED = "without_learning"
DATASET = "own"
DEFAULT_TASK = "semantic"
# Folder, in that of the results, of what a killed prediction goes on from.
STATE = "state"
# Settings of a method that a model without learning has too.
PREDICTING = ("shortest_edge", "longest_edge", "decoding")


@dataclass(frozen=True)
class OwnVideo:
    """A user's video, and what to do with it.

    Attributes:
        video: a video file, or a folder of images.
        checkpoint: of the model: a file, a joint one for TTT-MAE, or the id of one that ships with
            videottt; by default the one that ships for the task.
        task: one of `core.ids.TASKS`; by default the one that the checkpoint was trained for, or
            without a checkpoint DEFAULT_TASK.
        method: id of a method, or a variant such as ``online_ttt_mae,window=4``.
        fps: frames a second that are taken at most, by default all; of a folder: their rate.
        config: a user's file; by default config.yaml of this folder, if there is one.
        study: whose settings are used; by default the study for own videos with the checkpoint's
            model.
        override: dotted setting of the method -> value.
        seed: of every random draw.
        device: "auto", "cpu", "cuda" or "cuda:N".
        threads: CPU threads.
        output: folder; by default results/own/<name>/<task>.
    """

    video: Path
    checkpoint: str | Path | None = None
    task: str | None = None
    method: str = "online_ttt_mae"
    fps: float | None = None
    config: Path | None = None
    study: str | None = None
    override: dict[str, Any] = field(default_factory=dict)
    seed: int = 0
    device: str = "auto"
    threads: int = 1
    output: Path | None = None


def run_own_video(own: OwnVideo) -> None:
    """Run one method on a user's video; no labels are needed.

    Writes, into the output folder: frames.h5, the predictions of the method and of the same model
    without learning, side_by_side.mp4, the film in colour where that is the task, and source.json,
    which says of which video they are. Says of every step the command that does the same by hand.

    Raises:
        InputError: the output folder has the results of another video, the method does not exist
            for the task, no study has the checkpoint's model, or a step cannot be done.
        Stopped: it was asked to stop; the same call goes on inside the video.
    """
    path = _checkpoint_file(own)
    checkpoint = load_checkpoint(path)
    task = own.task or trained_task(checkpoint, path)
    chosen = settings_for(checkpoint, path, task, own.method, config=own.config, study=own.study)
    own = replace(own, video=source_named(named_path(own.video), own.fps))
    logger.info("settings of method '%s' in study '%s'", own.method, chosen.study)

    default = Path("results/own") / name_of(own.video) / task
    folder = default if own.output is None else named_path(own.output)
    folder.mkdir(parents=True, exist_ok=True)
    frames = folder / FRAMES
    # So that of two videos that are run at once, one is told of the other.
    with _removed_if_empty(folder / STATE), sole_writer(folder / STATE, frames):
        source = source_of(own.video)
        check_same_video(folder, own.video, source)
        _ingest(own, checkpoint, frames)
        note_source(folder, source)
    job = StreamJob(
        frames=frames,
        checkpoint=path,
        task=task,
        method=own.method,
        settings=chosen.settings,
        override={**chosen.overrides, **own.override},
        seed=own.seed,
        device=own.device,
        threads=own.threads,
        state=folder / STATE,
        output=folder / f"{own.method}.h5",
    )
    fixed = replace(
        job,
        method=FIXED,
        settings=_without_learning(job.settings),
        override=_without_learning(job.override),
        output=folder / f"{FIXED}.h5",
    )
    with _removed_if_empty(folder / STATE):
        _predict(fixed)
        _predict(job)
    _render(own, job, fixed, chosen.label)


@contextlib.contextmanager
def _removed_if_empty(folder: Path) -> Iterator[None]:
    """Remove a folder at the end of the block, if there is nothing in it."""
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # another run in the same folder may need it
            folder.rmdir()


def _checkpoint_file(own: OwnVideo) -> Path:
    """Return the file of the checkpoint, and say which one that is if none is named.

    Raises:
        InputError: there is no such checkpoint, or none ships for the task.
    """
    if own.checkpoint is not None:
        return checkpoint_named(named_path(own.checkpoint))
    task = own.task or DEFAULT_TASK
    check_known(task, TASKS, "task", "the command")
    path = checkpoint_for(task)
    logger.info(
        "checkpoint %s, which ships for the task %s (videottt list checkpoints)", path, task
    )
    return path


def _without_learning(values: dict[str, Any]) -> dict[str, Any]:
    """Return those of a method's settings that decide how it predicts, not how it learns."""
    kept = {name: value for name, value in values.items() if name.partition(".")[0] in PREDICTING}
    return kept | {"objective": "none"}


def _ingest(own: OwnVideo, checkpoint: Checkpoint, frames: Path) -> None:
    settings = IngestSettings(
        layout="video_file",
        fps=own.fps,
        classes=checkpoint.space.classes,
        things=checkpoint.space.things,
    )
    values = ("layout", "fps", "classes", "things")
    _say(
        "ingest",
        dataset=DATASET,
        split=DATASET,
        video=own.video.name,
        root=own.video.parent,
        settings=json.dumps({name: getattr(settings, name) for name in values}),
        output=frames,
    )
    ingest(
        dataset=DATASET,
        split=DATASET,
        video=own.video.name,
        root=own.video.parent,
        settings=settings,
        output=frames,
    )


def _predict(job: StreamJob) -> None:
    _say(
        "predict",
        frames=job.frames,
        checkpoint=job.checkpoint,
        task=job.task,
        method=job.method,
        settings=json.dumps(job.settings),
        override=json.dumps(job.override),
        seed=job.seed,
        device=job.device,
        threads=job.threads,
        state=job.state,
        output=job.output,
    )
    predict_video(job)


def _render(own: OwnVideo, job: StreamJob, fixed: StreamJob, label: str) -> None:
    """Render the two predictions side by side, and the film in colour where that is the task."""
    sound = own.video if is_film(own.video) else None
    shown: dict[str, object] = {"frames": job.frames, "predictions": job.output}
    if sound is not None:
        shown["sound"] = sound
    labels = {FIXED: "Without learning", job.method: label}
    beside, film = (job.frames.with_name(name) for name in ("side_by_side.mp4", "colours.mp4"))
    _say(
        "render-video",
        "--unscored",
        **shown,
        fixed=fixed.output,
        labels=json.dumps(labels),
        output=beside,
    )
    files = PairFiles(job.frames, fixed.output, job.output)
    render_pair(files, labels, scored=False, output=beside, sound=sound)
    if job.task == "colorization":
        _say("render-prediction", **shown, output=film)
        render_prediction(job.frames, job.output, film, sound)


def _say(verb: str, *flags: str, **values: object) -> None:
    """Log the command that does a step."""
    # With a "=", because a file's name may begin with a dash.
    words = [verb, *flags, *(f"--{name}={value}" for name, value in values.items())]
    logger.info("videottt %s", " ".join(map(_quoted, words)))


def _quoted(word: str) -> str:
    """Return a word as bash takes it, in characters that a screen shows."""
    if word.isprintable():
        return shlex.quote(word)
    shown = os.fsencode(word).decode("latin-1").encode("unicode_escape").decode()
    return "$'" + shown.replace("'", r"\'") + "'"
