"""Verbs of rules/checkpoints.smk: joint training."""

import argparse
import contextlib
import hashlib
import json
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from videottt.cli.arguments import add_verb, settings
from videottt.errors import InputError
from videottt.files import sha256

if TYPE_CHECKING:
    from videottt.datasets.imagenet import StillFolder
    from videottt.frames import FrameStore
    from videottt.segments import ClassSpace

logger = logging.getLogger(__name__)


def add_verbs(verbs: Any) -> None:
    """Add `train`."""
    verb = add_verb(verbs, "train", train)
    verb.add_argument(
        "--frames",
        required=True,
        nargs="+",
        type=Path,
        help="frame stores of stills, or folders of images, which have no labels",
    )
    verb.add_argument("--task", required=True)
    verb.add_argument("--model", required=True, help="preset: tiny or swin_small")
    verb.add_argument(
        "--settings", required=True, type=settings, help="JSON: training, augmentation"
    )
    verb.add_argument("--seed", required=True, type=int)
    verb.add_argument("--initial", type=Path, help="checkpoint to start f and h from")
    verb.add_argument("--device", default="auto")
    verb.add_argument("--threads", type=int, default=1)
    verb.add_argument("--state", type=Path, help="folder for the state to resume from")
    verb.add_argument("--save-every", type=float, default=60.0, help="seconds between two states")
    verb.add_argument("--history", required=True, type=Path, help="CSV of the losses")
    verb.add_argument("--output", required=True, type=Path)


@dataclass(frozen=True)
class _TrainSettings:
    training: dict[str, Any]
    augmentation: dict[str, Any]


def train(options: argparse.Namespace) -> None:
    """Train a Y-shaped model on still images: main task only, or jointly with reconstruction."""
    import pandas as pd

    from videottt import training
    from videottt.augmentation import Augmentation, StillImages
    from videottt.device import prepare_device
    from videottt.files import complete_file
    from videottt.models.checkpoint import save_checkpoint
    from videottt.progress import Progress
    from videottt.provenance import provenance
    from videottt.settings import build_settings
    from videottt.tasks import head_of, model_classes, task_named

    parts = build_settings(_TrainSettings, options.settings, "checkpoint")
    values = build_settings(training.TrainingSettings, parts.training, "checkpoint: training")
    recipe = build_settings(Augmentation, parts.augmentation, "checkpoint: augmentation")
    device = prepare_device(options.device, options.threads)
    facts = {
        "settings": options.settings,
        "model": options.model,
        "task": options.task,
        "seed": options.seed,
        "threads": options.threads,
        "frames": {path.name: _fingerprint(path) for path in options.frames},
        "initial": sha256(options.initial) if options.initial else None,
    }
    made = provenance(str(device), **facts)
    state = _state_path(options.state, made)
    with contextlib.ExitStack() as opened:
        stores = [opened.enter_context(_opened(path)) for path in options.frames]
        space = _common_space(stores)
        classes = list(model_classes(options.task, space))
        model = _initial_model(options, classes, head_of(options.task)).to(device)
        run = training.start_run(model, values)
        if state and state.is_file():
            run.resume(state)
            logger.info("resuming after iteration %d", run.iteration)
        progress = Progress(values.iterations, "iterations", run.iteration)
        saved = time.monotonic()

        def after_iteration(run: training.TrainingRun) -> None:
            nonlocal saved
            row = run.history[-1]
            losses = " ".join(
                f"{k} {row[k]:.3f}" for k in ("main_task", "reconstruction") if k in row
            )
            progress.report(run.iteration, losses)
            if state and time.monotonic() - saved > options.save_every:
                run.save(state)
                saved = time.monotonic()

        stills = StillImages(stores, recipe, options.seed, values.iterations * values.batch)
        task = task_named(options.task, space)
        training.train(run, task, stills, values, options.seed, after_iteration)
    with complete_file(options.history) as part:
        pd.DataFrame(run.history).to_csv(part, index=False)
    save_checkpoint(
        options.output,
        run.model,
        classes,
        space,
        decoder=values.reconstruction,
        provenance=made,
    )
    if state:
        state.unlink(missing_ok=True)


def _opened(path: Path) -> "FrameStore | StillFolder":
    """Return the stills of a frame store or of a folder, to be closed."""
    from videottt.datasets.imagenet import StillFolder
    from videottt.frames import FrameStore
    from videottt.segments import ClassSpace

    return StillFolder(path, ClassSpace(())) if path.is_dir() else FrameStore(path)


def _fingerprint(path: Path) -> str:
    from videottt.datasets import imagenet

    return imagenet.fingerprint(path) if path.is_dir() else sha256(path)


def _common_space(stores: "Sequence[FrameStore | StillFolder]") -> "ClassSpace":
    """Return the classes of all frame stores.

    Raises:
        InputError: they differ.
    """
    first = stores[0]
    for store in stores[1:]:
        if store.space != first.space:
            raise InputError(
                f"{store.path}: its classes or things are not those of {first.path}; train on data "
                "of one class list, or ingest again"
            )
    return first.space


def _initial_model(options: argparse.Namespace, classes: list[str], head: str) -> Any:
    """Return a model with new weights, or with f and h of a checkpoint and a new g."""
    from videottt.models.checkpoint import load_checkpoint
    from videottt.models.presets import preset_named
    from videottt.models.y_shaped import YShapedModel

    model = YShapedModel(preset_named(options.model), len(classes), options.seed, head)
    if options.initial:
        initial = load_checkpoint(options.initial)
        found = initial.model.preset, initial.model.says, initial.classes
        if found != (model.preset, head, classes):
            raise InputError(
                f"{options.initial}: is of another model or other classes than the training asked "
                "for; start from a checkpoint of the same model, task and data set"
            )
        model.encoder.load_state_dict(initial.model.encoder.state_dict())
        model.head.load_state_dict(initial.model.head.state_dict())
    return model


def _state_path(folder: Path | None, made: dict) -> Path | None:
    """Return where the state of exactly this training lies, whatever decides its numbers."""
    if folder is None:
        return None
    name = hashlib.sha256(json.dumps(made, sort_keys=True).encode()).hexdigest()[:24]
    return folder / f"training-{name}.pt"
