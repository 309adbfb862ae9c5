"""A video of one's own, from the file to predictions and a video to look at."""

import argparse
import contextlib
import json
import logging
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from videottt.cli.arguments import add_verb, settings
from videottt.core.errors import InputError

if TYPE_CHECKING:
    from videottt.models.checkpoint import Checkpoint

logger = logging.getLogger(__name__)

# Id, in files, of the predictions of the same checkpoint that nothing is learned for.
FIXED = "without_learning"
DATASET = "own"
# Folder, in that of the results, of what a killed prediction goes on from.
STATE = "state"
# Settings of a method that a model without learning has too.
PREDICTING = ("shortest_edge", "longest_edge", "decoding")


def add_verbs(verbs: Any) -> None:
    """Add `run`."""
    verb = add_verb(verbs, "run", run)
    verb.add_argument("video", type=Path, help="a video file, or a folder of images")
    verb.add_argument("--task", required=True, help="semantic, instance, panoptic or colorization")
    verb.add_argument(
        "--checkpoint", required=True, type=Path, help="of that task; joint, for TTT-MAE"
    )
    verb.add_argument(
        "--method",
        default="online_ttt_mae",
        help="of config.yaml, or a variant such as online_ttt_mae,window=4",
    )
    verb.add_argument(
        "--fps",
        type=float,
        help="frames a second that are taken at most, by default all; of a folder: their rate",
    )
    verb.add_argument("--config", default=Path("config.yaml"), type=Path)
    verb.add_argument(
        "--study",
        help="whose settings are used; by default the first in config.yaml with that model",
    )
    verb.add_argument(
        "--override", default={}, type=settings, help="JSON: {dotted setting of the method: value}"
    )
    verb.add_argument("--seed", type=int, default=0)
    verb.add_argument("--device", default="auto")
    verb.add_argument("--threads", type=int, default=1)
    verb.add_argument("--output", type=Path, help="folder; by default results/own/<name>/<task>")


def run(options: argparse.Namespace) -> None:
    """Run one method on a video of one's own; no labels are needed.

    Writes, into the output folder: frames.h5, the predictions of the method and of the same model
    without learning, side_by_side.mp4, and the film in colour where that is the task. Every step is
    the command that it says, which works by hand. Stopped or killed, the same command goes on
    inside the video.
    """
    from videottt.models.checkpoint import load_checkpoint
    from videottt.study.config import label_of, parse_method
    from videottt.study.job_settings import method_settings_in

    checkpoint = load_checkpoint(options.checkpoint)
    config, study_id = _study_for(options, checkpoint)
    base, overrides = parse_method(config, options.method)
    _check_method(config, base, options.task)
    values = method_settings_in(config, config["studies"][study_id], options.method)
    overrides |= options.override
    logger.info("settings of method '%s' in study '%s'", options.method, study_id)

    folder = options.output or Path("results/own") / options.video.stem / options.task
    folder.mkdir(parents=True, exist_ok=True)
    frames = folder / "frames.h5"
    _ingest(options, checkpoint, frames)
    fixed = _without_learning(values), _without_learning(overrides)
    _predict(options, frames, FIXED, *fixed)
    _predict(options, frames, options.method, values, overrides)
    with contextlib.suppress(OSError):  # another run in the same folder may need it
        frames.with_name(STATE).rmdir()
    shown = {"frames": frames, "predictions": folder / f"{options.method}.h5"}
    if options.video.is_file():
        shown["sound"] = options.video
    labels = {FIXED: "Without learning", options.method: label_of(config, options.method)}
    _step(
        "render-video",
        "--unscored",
        **shown,
        fixed=folder / f"{FIXED}.h5",
        labels=json.dumps(labels),
        output=folder / "side_by_side.mp4",
    )
    if options.task == "colorization":
        _step("render-prediction", **shown, output=folder / "colours.mp4")


def _without_learning(values: dict[str, Any]) -> dict[str, Any]:
    """Return those of a method's settings that decide how it predicts, not how it learns."""
    kept = {name: value for name, value in values.items() if name.partition(".")[0] in PREDICTING}
    return kept | {"objective": "none"}


def _study_for(options: argparse.Namespace, checkpoint: "Checkpoint") -> tuple[dict, str]:
    """Return the configuration, and the id of the study whose settings fit a checkpoint.

    Raises:
        InputError: there is no configuration, no such study, or none with the checkpoint's model.
    """
    import yaml

    from videottt.study.config import check_known

    try:
        config = yaml.safe_load(options.config.read_text(encoding="utf-8"))
        studies = config["studies"]
    except (OSError, ValueError, yaml.YAMLError, KeyError, TypeError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"{options.config}: not the project's configuration ({reason}); run this in the "
            "project's folder, or name the file with --config"
        ) from None
    if options.study:
        check_known(options.study, studies, "study", str(options.config))
        return config, options.study
    model = checkpoint.provenance.get("model")
    for study_id in [config["study"], *studies]:
        if studies[study_id]["model"] == model:
            return config, study_id
    raise InputError(
        f"{options.config}: no study has the model '{model}' of {options.checkpoint}; name the "
        "study whose settings are to be used with --study"
    )


def _check_method(config: dict, base: str, task: str) -> None:
    """Refuse methods that `videottt predict` cannot run on a task."""
    from videottt.study.config import TASKS, check_known

    entry = config["methods"][base]
    check_known(task, TASKS, "task", "run")
    if "checkpoint" not in entry:
        verb = "predict-segmenter" if "segmenter" in entry else f"predict-{base.replace('_', '-')}"
        raise InputError(f"run: method '{base}' has no checkpoint; see videottt {verb} --help")
    check_known(task, entry.get("tasks", TASKS), "task", f"run: method '{base}'")


def _ingest(options: argparse.Namespace, checkpoint: "Checkpoint", frames: Path) -> None:
    values = {
        "layout": "video_file",
        "fps": options.fps,
        "classes": checkpoint.space.classes,
        "things": checkpoint.space.things,
    }
    _step(
        "ingest",
        dataset=DATASET,
        split=DATASET,
        video=options.video.name,
        root=options.video.parent,
        settings=json.dumps(values),
        output=frames,
    )


def _predict(
    options: argparse.Namespace, frames: Path, method: str, values: dict, overrides: dict
) -> None:
    _step(
        "predict",
        frames=frames,
        checkpoint=options.checkpoint,
        task=options.task,
        method=method,
        settings=json.dumps(values),
        override=json.dumps(overrides),
        seed=options.seed,
        device=options.device,
        threads=options.threads,
        state=frames.with_name(STATE),
        output=frames.with_name(f"{method}.h5"),
    )


def _step(verb: str, *flags: str, **values: object) -> None:
    """Run one verb, saying which."""
    from videottt.cli import parser

    # With a "=", because a file's name may begin with a dash.
    words = [verb, *flags, *(f"--{name}={value}" for name, value in values.items())]
    logger.info("videottt %s", shlex.join(words))
    options = parser().parse_args(words)
    options.run(options)
