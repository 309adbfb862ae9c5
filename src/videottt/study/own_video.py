"""Run one method on a video of one's own, from the file to predictions and a video to look at."""

import contextlib
import json
import logging
import shlex
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from videottt.core.errors import InputError
from videottt.core.ids import TASKS, MethodId, check_known
from videottt.data.ingest import IngestSettings, ingest
from videottt.models.checkpoint import Checkpoint, load_checkpoint
from videottt.report.figures.film import render_prediction
from videottt.report.figures.opened import PairFiles
from videottt.report.figures.video import render_pair
from videottt.study.config import Config, label_of, method_of, tasks_of
from videottt.study.config_file import read_config
from videottt.study.job_settings import method_settings_in
from videottt.ttt.job import StreamJob, predict_video

logger = logging.getLogger(__name__)

# Id, in files, of the predictions of the same checkpoint that nothing is learned for.
FIXED = "without_learning"
DATASET = "own"
# Folder, in that of the results, of what a killed prediction goes on from.
STATE = "state"
# Settings of a method that a model without learning has too.
PREDICTING = ("shortest_edge", "longest_edge", "decoding")


@dataclass(frozen=True)
class OwnVideo:
    """A video of one's own, and what is to be done with it.

    Attributes:
        video: a video file, or a folder of images.
        task: one of `core.ids.TASKS`.
        checkpoint: of that task; joint, for TTT-MAE.
        method: of config.yaml, or a variant such as ``online_ttt_mae,window=4``.
        fps: frames a second that are taken at most, by default all; of a folder: their rate.
        config: config.yaml.
        study: whose settings are used; by default the first in config.yaml with that model.
        override: dotted setting of the method -> value.
        seed: of every random draw.
        device: "auto", "cpu", "cuda" or "cuda:N".
        threads: CPU threads.
        output: folder; by default results/own/<name>/<task>.
    """

    video: Path
    task: str
    checkpoint: Path
    method: str = "online_ttt_mae"
    fps: float | None = None
    config: Path = Path("config.yaml")
    study: str | None = None
    override: dict[str, Any] = field(default_factory=dict)
    seed: int = 0
    device: str = "auto"
    threads: int = 1
    output: Path | None = None


def run_own_video(own: OwnVideo) -> None:
    """Run one method on a video of one's own; no labels are needed.

    Writes, into the output folder: frames.h5, the predictions of the method and of the same model
    without learning, side_by_side.mp4, and the film in colour where that is the task. Says of every
    step the command that does the same by hand.

    Raises:
        InputError: the method does not exist for the task, no study has the checkpoint's model, or
            a step cannot be done.
        Stopped: it was asked to stop; the same call goes on inside the video.
    """
    checkpoint = load_checkpoint(own.checkpoint)
    config, study_id = _study_for(own, checkpoint)
    method = method_of(config, own.method)
    _check_method(config, method, own.task)
    settings = method_settings_in(config, config["studies"][study_id], method)
    logger.info("settings of method '%s' in study '%s'", own.method, study_id)

    folder = own.output or Path("results/own") / own.video.stem / own.task
    folder.mkdir(parents=True, exist_ok=True)
    frames = folder / "frames.h5"
    _ingest(own, checkpoint, frames)
    job = StreamJob(
        frames=frames,
        checkpoint=own.checkpoint,
        task=own.task,
        method=own.method,
        settings=settings,
        override={**method.overrides, **own.override},
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
    _predict(fixed)
    _predict(job)
    with contextlib.suppress(OSError):  # another run in the same folder may need it
        (folder / STATE).rmdir()
    _render(own, job, fixed, label_of(config, method))


def _study_for(own: OwnVideo, checkpoint: Checkpoint) -> tuple[Config, str]:
    """Return the configuration, and the id of the study whose settings fit a checkpoint.

    Raises:
        InputError: there is no configuration, no such study, or none with the checkpoint's model.
    """
    config = read_config(own.config, "studies", "study", "methods")
    studies = config["studies"]
    if own.study:
        check_known(own.study, studies, "study", str(own.config))
        return config, own.study
    model = checkpoint.provenance.get("model")
    for study_id in [config["study"], *studies]:
        if studies[study_id]["model"] == model:
            return config, study_id
    raise InputError(
        f"{own.config}: no study has the model '{model}' of {own.checkpoint}; name the "
        "study whose settings are to be used with --study"
    )


def _check_method(config: Config, method: MethodId, task: str) -> None:
    """Refuse methods that `videottt predict` cannot run on a task."""
    base = method.base
    entry = config["methods"][base]
    check_known(task, TASKS, "task", "run")
    if "checkpoint" not in entry:
        verb = "predict-segmenter" if "segmenter" in entry else f"predict-{base.replace('_', '-')}"
        raise InputError(f"run: method '{base}' has no checkpoint; see videottt {verb} --help")
    check_known(task, tasks_of(config, method), "task", f"run: method '{base}'")


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
    sound = own.video if own.video.is_file() else None
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
    logger.info("videottt %s", shlex.join(words))
