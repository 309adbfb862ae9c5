"""Verbs of rules/checkpoints.smk: joint training."""

import argparse
import contextlib
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from videottt.cli.arguments import add_verb, settings
from videottt.cli.resumable import add_saving, claimed
from videottt.core.errors import InputError
from videottt.core.files import sha256

if TYPE_CHECKING:
    from videottt.core.segments import ClassSpace
    from videottt.data.layouts.imagenet import StillFolder
    from videottt.runtime.distributed import Processes
    from videottt.runtime.saved_state import SavedState
    from videottt.store.frames import FrameStore
    from videottt.training.joint import TrainingRun
    from videottt.training.settings import TrainingSettings

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
    add_saving(verb)
    verb.add_argument("--history", required=True, type=Path, help="CSV of the losses")
    verb.add_argument("--output", required=True, type=Path)


@dataclass(frozen=True)
class _TrainSettings:
    training: dict[str, Any]
    augmentation: dict[str, Any]


def train(options: argparse.Namespace) -> None:
    """Train a Y-shaped model on still images: main task only, or jointly with reconstruction.

    `torchrun --standalone --nproc-per-node N -m videottt train ...` trains it with N processes,
    each on a GPU of its own; the numbers are the same but for the order of sums. Killed at any
    moment, the same command goes on where the last state was saved.
    """
    from videottt.runtime.distributed import joined

    with joined(options.device) as processes:
        claim = claimed(options) if processes.writes else contextlib.nullcontext(False)
        with claim as waited:
            _train(options, processes, waited)


def _train(options: argparse.Namespace, processes: "Processes", waited: bool) -> None:
    from videottt.core.settings import build_settings
    from videottt.data.transforms.recipe import Augmentation
    from videottt.runtime.device import device_label, prepare_device
    from videottt.tasks import head_of, model_classes, task_named
    from videottt.training import joint as training
    from videottt.training.cost import announcement
    from videottt.training.settings import TrainingSettings
    from videottt.training.stills import StillImages

    parts = build_settings(_TrainSettings, options.settings, "checkpoint")
    values = build_settings(TrainingSettings, parts.training, "checkpoint: training")
    recipe = build_settings(Augmentation, parts.augmentation, "checkpoint: augmentation")
    processes.share(values.parts)
    device = prepare_device(options.device, options.threads)
    made = _provenance(options, device_label(device))
    if processes.any(waited and _is_made(options, made)):
        logger.info("%s: the other process has made it", options.output)
        return
    with contextlib.ExitStack() as opened:
        stores = [opened.enter_context(_opened(path)) for path in options.frames]
        space = _common_space(stores)
        classes = list(model_classes(options.task, space))
        model = _initial_model(options, classes, head_of(options.task)).to(device)
        run = training.start_run(model, values)
        saved = _saved_state(options, made)
        if saved is not None:
            _resume(run, saved)
        stills = StillImages(stores, recipe, options.seed, values.iterations * values.batch)
        images = sum(int(store.labelled.sum()) for store in stores)
        logger.info(announcement(run, values, images, processes.count, options.state))
        task = task_named(options.task, space)
        with _Following(run, values, processes, saved, options.save_every) as following:
            training.train(
                run,
                task,
                stills,
                values,
                options.seed,
                following.after_iteration,
                processes,
                following.wants_to_stop,
            )
    skipped = sum(row["skipped"] for row in run.history)
    if skipped:
        logger.warning("%d steps were skipped: their loss or gradient was not finite", skipped)
    if processes.writes:
        made |= {"processes": processes.count, "micro_batch": run.micro_batch}
        _write(options, run, classes, space, made)
        if saved is not None:
            saved.remove()


def _provenance(options: argparse.Namespace, device: str) -> dict:
    from videottt.core.provenance import provenance

    facts = {
        "settings": options.settings,
        "model": options.model,
        "task": options.task,
        "seed": options.seed,
        "threads": options.threads,
        "frames": {path.name: _fingerprint(path) for path in options.frames},
        "initial": sha256(options.initial) if options.initial else None,
    }
    return provenance(device, **facts)


def _is_made(options: argparse.Namespace, made: dict) -> bool:
    """Return whether the checkpoint is there that this training would end with."""
    from videottt.models.checkpoint import load_checkpoint

    try:
        found = load_checkpoint(options.output).provenance
    except InputError:
        return False
    wanted = json.loads(json.dumps(made))
    return options.history.is_file() and {name: found.get(name) for name in wanted} == wanted


def _saved_state(options: argparse.Namespace, made: dict) -> "SavedState | None":
    """Return the state of exactly this training, whatever decides its numbers.

    How many processes share it decides no more than the order of sums: any number may go on.
    """
    if options.state is None:
        return None
    from videottt.runtime.saved_state import SavedState

    return SavedState(options.state, options.output, made)


def _resume(run: "TrainingRun", saved: "SavedState") -> None:
    state = saved.load()
    if state is not None:
        run.restore(state, [row for part in saved.parts() for row in part])
        logger.info("resuming after iteration %d", run.iteration)


class _Following:
    """Logs progress and cost of a training, and saves its state; a context manager around it."""

    def __init__(
        self,
        run: "TrainingRun",
        values: "TrainingSettings",
        processes: "Processes",
        saved: "SavedState | None",
        save_every: float,
    ) -> None:
        from videottt.core.progress import Progress
        from videottt.runtime.interruption import Interruption
        from videottt.training.cost import MeasuredRate

        self._progress = Progress(values.iterations, "iterations", run.iteration)
        self._rate = MeasuredRate(values, processes.count, next(run.model.parameters()).device)
        self._processes = processes
        self._saved = saved
        self._rows_saved = len(run.history)
        self._interruption = None if saved is None else Interruption(save_every)

    def __enter__(self) -> "_Following":
        if self._interruption is not None:
            self._interruption.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        if self._interruption is not None:
            self._interruption.__exit__(*error)

    def wants_to_stop(self) -> bool:
        """Return whether this process was asked to stop."""
        return self._interruption is not None and self._interruption.stop_asked()

    def after_iteration(self, run: "TrainingRun", stop: bool) -> None:
        """Report an iteration, and save if it is time; leave if any process was asked to.

        Raises:
            Stopped: one was.
        """
        if self._processes.writes:
            self._report(run)
        if self._interruption is None:
            return
        if self._processes.writes:
            self._interruption.save_if_due(lambda: self._save(run), stop)
        if stop:
            # None may leave before the state is written: leaving would end all.
            self._processes.any(False)
            raise self._interruption.stopped()

    def _report(self, run: "TrainingRun") -> None:
        row = run.history[-1]
        losses = " ".join(f"{k} {row[k]:.3f}" for k in ("main_task", "reconstruction") if k in row)
        self._progress.report(run.iteration, losses)
        cost = self._rate.after(run.iteration)
        if cost:
            logger.info(cost)

    def _save(self, run: "TrainingRun") -> None:
        if self._saved.save(run.state(), run.history[self._rows_saved :]):
            self._rows_saved = len(run.history)


def _write(
    options: argparse.Namespace,
    run: "TrainingRun",
    classes: list[str],
    space: "ClassSpace",
    made: dict,
) -> None:
    """Write the history and the checkpoint."""
    import pandas as pd

    from videottt.core.files import complete_file
    from videottt.models.checkpoint import save_checkpoint

    with complete_file(options.history) as part:
        pd.DataFrame(run.history).to_csv(part, index=False)
    decoder = any(p.requires_grad for p in run.model.decoder.parameters())
    save_checkpoint(options.output, run.model, classes, space, decoder=decoder, provenance=made)


def _opened(path: Path) -> "FrameStore | StillFolder":
    """Return the stills of a frame store or of a folder, to be closed."""
    from videottt.core.segments import ClassSpace
    from videottt.data.layouts.imagenet import StillFolder
    from videottt.store.frames import FrameStore

    return StillFolder(path, ClassSpace(())) if path.is_dir() else FrameStore(path)


def _fingerprint(path: Path) -> str:
    from videottt.data.layouts import imagenet

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
    """Return a model with new weights, or with f and h of a checkpoint.

    Its decoder g is new even where the checkpoint has a trained one, as in the paper (section 4.1):
    what goes on with a training is its state.
    """
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
        logger.info("f and h are those of %s, g is new", options.initial)
    return model
