"""Train one checkpoint, from frame stores and settings to the file of weights."""

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from videottt.core.errors import InputError
from videottt.core.files import complete_file, sha256
from videottt.core.progress import Progress
from videottt.core.provenance import provenance, recorded
from videottt.core.randomness import DrawKey
from videottt.core.segments import ClassSpace
from videottt.core.settings import build_settings
from videottt.models.checkpoint import load_checkpoint, save_checkpoint
from videottt.models.pretrained_weights import weights_file
from videottt.models.y_shaped import YShapedModel
from videottt.runtime.claims import claimed
from videottt.runtime.device import device_label, prepare_device
from videottt.runtime.distributed import Processes, joined
from videottt.runtime.saved_state import SavedState
from videottt.settings.augmentation import Augmentation
from videottt.settings.presets import Preset, preset_named, sizes_of, without_weights
from videottt.settings.training import TrainingSettings
from videottt.tasks import head_of, model_classes, task_named
from videottt.training.cost import MeasuredRate, announcement
from videottt.training.joint import TrainingRun, start_run, train
from videottt.training.saving import NullSaving, Saving
from videottt.training.stills import StillImages, common_space, fingerprint, opened_stills

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingJob:
    """The training of one checkpoint, as files and settings.

    Attributes:
        frames: frame stores of still images, or folders of images without labels.
        task: one of `core.ids.TASKS`.
        model: name of the preset, or of the model that the settings describe.
        settings: ``{"training": ..., "augmentation": ...}``; see TrainingSettings, Augmentation.
            With ``"model": ...``, the sizes of a model that is no preset; see Preset.
        seed: of every random draw.
        history: CSV file of the losses to write.
        output: checkpoint to write.
        initial: checkpoint that f and h start from; None starts from new weights.
        device: "auto", "cpu", "cuda" or "cuda:N".
        threads: number of CPU threads.
        state: folder of the saved state to resume from; None saves no state.
        save_every: seconds between two saved states.
        stage: id of the checkpoint, the first key of every random draw but that of new weights:
            two stages with one seed start alike, and see other samples and masks.
    """

    frames: Sequence[Path]
    task: str
    model: str
    settings: dict[str, Any]
    seed: int
    history: Path
    output: Path
    initial: Path | None = None
    device: str = "auto"
    threads: int = 1
    state: Path | None = None
    save_every: float = 60.0
    stage: str = "training"

    @property
    def draws(self) -> DrawKey:
        """Return the key of the training's random draws: stage, task and seed."""
        return self.stage, self.task, self.seed


@dataclass(frozen=True)
class _Parts:
    """The sections of a job's settings."""

    training: dict[str, Any]
    augmentation: dict[str, Any]
    model: dict[str, Any] | None = None

    def preset(self, job: TrainingJob) -> Preset:
        """Return the sizes of the model that is trained.

        Without the source of pre-trained weights where the encoder has those of a checkpoint.
        """
        preset = (
            preset_named(job.model)
            if self.model is None
            else build_settings(Preset, self.model, "checkpoint: model")
        )
        return without_weights(preset) if job.initial else preset


def train_checkpoint(job: TrainingJob) -> None:
    """Train a Y-shaped model on still images: main task only, or jointly with reconstruction.

    Under torchrun the processes share the training, one GPU each; the numbers differ only by the
    order of sums. A job that was killed resumes from its last saved state when it is run again.

    Raises:
        InputError: a file is absent or broken, a setting is unknown or out of range, the device
            does not exist, or the training cannot continue; see `joint.train`.
        Stopped: the job was asked to stop, and its state is saved.
    """
    with (
        joined(job.device) as processes,
        claimed(job.state if processes.writes else None, job.output) as waited,
    ):
        _train(job, processes, waited)


def _train(job: TrainingJob, processes: Processes, waited: bool) -> None:
    parts = build_settings(_Parts, job.settings, "checkpoint")
    settings = build_settings(TrainingSettings, parts.training, "checkpoint: training")
    recipe = build_settings(Augmentation, parts.augmentation, "checkpoint: augmentation")
    processes.share(settings.parts)
    device = prepare_device(job.device, job.threads)
    preset = parts.preset(job)
    made = _provenance(job, preset, device_label(device))
    if processes.any(waited and _is_made(job, made)):
        logger.info("%s: another process has written it meanwhile", job.output)
        return
    saving = _saving(job, made, processes)
    with opened_stills(job.frames) as stores:
        space = common_space(stores)
        run = start_run(_initial_model(job, preset, space).to(device), settings)
        saving.resume(run)
        samples = settings.iterations * settings.batch
        stills = StillImages(stores, recipe, job.draws, samples)
        images = sum(int(store.labelled.sum()) for store in stores)
        logger.info(announcement(run, settings, images, processes.count, job.state))
        _follow(run, job, settings, stills, processes, saving, space)
    _report_skipped(run)
    if processes.writes:
        made |= {"processes": processes.count, "micro_batch": run.micro_batch}
        _write(job, run, space, made)
        saving.remove()


def _follow(
    run: TrainingRun,
    job: TrainingJob,
    settings: TrainingSettings,
    stills: StillImages,
    processes: Processes,
    saving: NullSaving,
    space: ClassSpace,
) -> None:
    """Train to the end, report progress and cost, and save the state."""
    progress = Progress(settings.iterations, "iterations", run.iteration)
    rate = MeasuredRate(settings, processes.count, next(run.model.parameters()).device)

    def after_iteration(run: TrainingRun, stop: bool) -> None:
        if processes.writes:
            _report(run, progress, rate)
        saving.after_iteration(run, stop)

    task = task_named(job.task, space)
    with saving:
        train(
            run, task, stills, settings, job.draws, after_iteration, processes, saving.wants_to_stop
        )


def _report(run: TrainingRun, progress: Progress, rate: MeasuredRate) -> None:
    row = run.history[-1]
    losses = " ".join(f"{k} {row[k]:.3f}" for k in ("main_task", "reconstruction") if k in row)
    progress.report(run.iteration, losses)
    cost = rate.after(run.iteration)
    if cost:
        logger.info(cost)


def _report_skipped(run: TrainingRun) -> None:
    skipped = sum(row["skipped"] for row in run.history)
    if skipped:
        logger.warning("%d steps were skipped: their loss or gradient was not finite", skipped)


def _provenance(job: TrainingJob, preset: Preset, device: str) -> dict[str, Any]:
    pretrained = weights_file(preset.encoder)
    return provenance(
        device,
        settings=job.settings,
        model=job.model,
        task=job.task,
        seed=job.seed,
        stage=job.stage,
        threads=job.threads,
        frames={path.name: fingerprint(path) for path in job.frames},
        initial=sha256(job.initial) if job.initial else None,
        pretrained=sha256(pretrained) if pretrained else None,
    )


def _is_made(job: TrainingJob, made: dict[str, Any]) -> bool:
    """Return whether the output exists already, with the provenance of this training."""
    try:
        stored = load_checkpoint(job.output).provenance
    except InputError:
        return False
    # Stored provenance went through JSON, which turns tuples into lists.
    expected: dict[str, Any] = json.loads(json.dumps(made))
    return job.history.is_file() and {name: stored.get(name) for name in expected} == expected


def _saving(job: TrainingJob, made: dict[str, Any], processes: Processes) -> NullSaving:
    """Return the saving of a state that only a training with the same provenance resumes.

    The number of processes is not part of the provenance, as it changes only the order of sums: any
    number of processes may resume.
    """
    if job.state is None:
        return NullSaving()
    return Saving(SavedState(job.state, job.output, made), job.save_every, processes)


def _initial_model(job: TrainingJob, preset: Preset, space: ClassSpace) -> YShapedModel:
    """Return a model with new weights, or with f and h of the initial checkpoint.

    The decoder g always has new weights, as in the paper ("only g is initialized from scratch",
    section 4.3). A resumed training restores g from its saved state.
    """
    classes, head = list(model_classes(job.task, space)), head_of(job.task)
    model = YShapedModel(preset, len(classes), job.seed, head)
    if job.initial:
        initial = load_checkpoint(job.initial)
        found = sizes_of(initial.model.preset), initial.model.head_kind, initial.classes
        if found != (sizes_of(preset), head, classes):
            raise InputError(
                f"{job.initial}: has another model or other classes than this training; start from "
                "a checkpoint of the same model, task and data set"
            )
        model.encoder.load_state_dict(initial.model.encoder.state_dict())
        model.head.load_state_dict(initial.model.head.state_dict())
        logger.info("f and h start from %s, g from new weights", job.initial)
    return model


def _write(job: TrainingJob, run: TrainingRun, space: ClassSpace, made: dict[str, Any]) -> None:
    """Write the history and the checkpoint."""
    import pandas as pd

    with complete_file(job.history) as part:
        pd.DataFrame(run.history).to_csv(part, index=False)
    decoder = any(p.requires_grad for p in run.model.decoder.parameters())
    classes = list(model_classes(job.task, space))
    record = recorded(made)
    save_checkpoint(job.output, run.model, classes, space, decoder=decoder, provenance=record)
