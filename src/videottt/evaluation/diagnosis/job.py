"""Diagnose one checkpoint on one video, from the frame store to the file of numbers."""

import hashlib
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from torch import Tensor

from videottt.core.errors import InputError
from videottt.core.progress import Progress
from videottt.core.provenance import recorded
from videottt.core.segments import Prediction
from videottt.evaluation.diagnosis.gradients import GradientProducts, gradient_products
from videottt.evaluation.diagnosis.labelled import chosen_frames, labelled_frames, spread_evenly
from videottt.evaluation.diagnosis.reconstruction import reconstruction_errors
from videottt.evaluation.diagnosis.record import Diagnosis, write_diagnosis
from videottt.evaluation.diagnosis.sampling import Sampling
from videottt.evaluation.diagnosis.steps import MeasuredStep, measured_step, places, single_step
from videottt.evaluation.metrics import headline, statistics_of
from videottt.training.stills import opened_stills
from videottt.ttt.job import OpenJob, StreamJob, open_job
from videottt.ttt.objectives import objective_named
from videottt.ttt.objectives.mae import MaskedAutoencoding
from videottt.ttt.observation import observe

logger = logging.getLogger(__name__)


def diagnose_video(job: StreamJob, sampling: Sampling, stills: Sequence[Path] = ()) -> None:
    """Write whether adaptation can work with a checkpoint on a video; all is measured at θ₀.

    Four things: whether g reconstructs better than inpainting, how the gradients of ℓ_m and ℓ_s lie
    to each other, what one step of the stream loop does to the metric beside the same step
    backwards and steps at random, and what it does to the losses.

    Args:
        job: its output is the file of numbers; every frame starts from its checkpoint.
        sampling: number of frames and of draws.
        stills: frame stores and image folders of the training images, on which g is measured, too.

    Raises:
        InputError: the method's objective does not reconstruct, no frame is labelled, frames or
            stills cannot be read, or the job cannot be opened; see `open_job`.
    """
    with open_job(job) as opened:
        objective = _objective_of(opened)
        opened.store.check_one_size()
        indices = chosen_frames(opened.store, opened.key.task, sampling.frames_used)
        opened.checkpoint.model.to(opened.device).eval()
        images = chosen_stills(stills, sampling.frames_used)
        diagnosis = _diagnosed(opened, objective, indices, sampling, images)
        counts = {
            name: getattr(sampling, name) for name in ("masks", "point_draws", "random_steps")
        }
        provenance = recorded({**opened.provenance, "stills": _fingerprint(images)})
        write_diagnosis(job.output, opened.key, diagnosis, counts, opened.settings, provenance)


def _objective_of(opened: OpenJob) -> MaskedAutoencoding:
    """Return the method's objective.

    Raises:
        InputError: it is not masked autoencoding.
    """
    method = opened.method
    objective = objective_named(method.objective, method.options)
    if not isinstance(objective, MaskedAutoencoding):
        raise InputError(
            f"diagnose: method '{opened.key.method}' has objective '{method.objective}', which "
            "reconstructs nothing; diagnose a method with objective 'mae'"
        )
    if method.order == "offline":
        raise InputError(
            f"diagnose: method '{opened.key.method}' has order 'offline', but a step is taken on "
            "one frame; diagnose a method with order 'stream'"
        )
    return objective


def _diagnosed(
    opened: OpenJob,
    objective: MaskedAutoencoding,
    indices: Sequence[int],
    sampling: Sampling,
    stills: Sequence[np.ndarray],
) -> Diagnosis:
    model, task, key = opened.checkpoint.model, opened.task, opened.key
    method = single_step(opened.method)
    main_task_loss = task.main_task_loss(model)
    progress = Progress(len(indices), "frames")
    errors, products, steps, truths = [], [], [], []
    frames = labelled_frames(opened.store, indices, task, key.task, method, opened.device)
    for done, frame in enumerate(frames, start=1):
        seen = [(frame.observation.index, frame.observation.images)]
        errors.append(reconstruction_errors(model, objective, seen, sampling, key, "video"))
        products.append(gradient_products(model, main_task_loss, objective, frame, sampling, key))
        steps.append(
            measured_step(model, task, method, objective, main_task_loss, frame, sampling, key)
        )
        truths.append(frame.truth)
        progress.report(done)
    skipped = np.array([step.skipped for step in steps])
    if skipped.any():
        logger.warning("%d steps were skipped: loss or gradient was not finite", skipped.sum())
    images = _as_seen(opened, stills)
    return Diagnosis(
        frames=np.array(indices),
        video_errors=np.concatenate(errors),
        still_errors=reconstruction_errors(model, objective, images, sampling, key, "stills"),
        gradients=GradientProducts.joined(products),
        metrics=_metrics(opened, steps, truths, len(places(sampling))),
        main_task_loss=np.stack([step.main_task_loss for step in steps]),
        own_loss=np.stack([step.own_loss for step in steps]),
        step_loss=np.stack([step.step_loss for step in steps]),
        length=np.array([step.length for step in steps]),
        skipped=skipped,
    )


def _metrics(
    opened: OpenJob, steps: Sequence[MeasuredStep], truths: Sequence[Prediction], count: int
) -> np.ndarray:
    """Return the headline metric over all frames, pooled and by frame: float64 [places, 2]."""
    statistics, line = statistics_of(opened.key.task), headline(opened.key.task)
    rows = []
    for place in range(count):
        predictions = [step.predictions[place] for step in steps]
        pairs = zip(truths, predictions, strict=True)
        found = statistics.of_frames(pairs, opened.store.space).metrics()
        rows.append([found[line.pooled], found[line.frames]])
    return np.array(rows)


def chosen_stills(paths: Sequence[Path], count: int) -> list[np.ndarray]:
    """Read up to `count` training images, spread evenly over all labelled ones.

    Args:
        paths: frame stores and image folders.
        count: number of images, at least 1.

    Returns:
        RGB, uint8 [H, W, 3] each.

    Raises:
        InputError: a path is no frame store or folder with images, or an image cannot be read.
    """
    with opened_stills(paths) as stores:
        listed = [(store, int(i)) for store in stores for i in np.flatnonzero(store.labelled)]
        chosen = [listed[place] for place in spread_evenly(len(listed), count)]
        return [store.frame(index) for store, index in chosen]


def _fingerprint(images: Sequence[np.ndarray]) -> str:
    """Return a hash of images, in hexadecimal; that of a whole training set would take hours."""
    digest = hashlib.sha256()
    for image in images:
        digest.update(f"{image.shape}".encode())
        digest.update(image.data)
    return digest.hexdigest()


def _as_seen(opened: OpenJob, stills: Sequence[np.ndarray]) -> Iterator[tuple[int, Tensor]]:
    """Yield the number and the model's input, float [1, 3, H, W], of each still."""
    for number, image in enumerate(stills):
        seen = observe(image, number, opened.task, opened.method, opened.device)
        yield number, seen.images
