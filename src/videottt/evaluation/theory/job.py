"""Measure the gradients of section 6.2's theorem on a stream, at the checkpoint."""

from videottt.core.errors import InputError
from videottt.core.progress import Progress
from videottt.core.provenance import recorded
from videottt.evaluation.theory.gradients import (
    Sampling,
    labelled_run,
    stream_gradients,
    stream_statistics,
)
from videottt.evaluation.theory.statistics import TheoryKey, write_statistics
from videottt.ttt.job import OpenJob, StreamJob, open_job
from videottt.ttt.objectives import objective_named


def measure_theory(job: StreamJob, sampling: Sampling, length: int | None = None) -> None:
    """Write the inner products of the gradients of both losses on every labelled frame of a video.

    The gradients are with respect to the encoder, at the weights of the checkpoint (theta_0).

    Args:
        job: its output is the file of statistics.
        sampling: number of draws of each loss.
        length: number of frames; None: all labelled frames.

    Raises:
        InputError: see `open_job`; or the method has no gradient, or too few frames have labels.
    """
    with open_job(job) as opened:
        _check_learns(opened)
        model = opened.checkpoint.model.to(opened.device)
        run = labelled_run(opened.store, length)
        progress = Progress(len(run), "frames")
        gradients = stream_gradients(
            model, opened.task, opened.method, opened.store, run, opened.key, sampling
        )
        statistics = stream_statistics(gradients, run, progress.report)
        key = TheoryKey(
            dataset=opened.key.dataset,
            task=opened.key.task,
            seed=opened.key.seed,
            video=opened.key.video,
            masks=sampling.masks,
            point_draws=sampling.point_draws,
            dimension=sampling.dimension,
            parameters=sum(p.numel() for p in model.encoder.parameters()),
        )
        record = recorded(opened.provenance)
        write_statistics(job.output, key, statistics, opened.settings, record)


def _check_learns(opened: OpenJob) -> None:
    """Check that a method has a gradient.

    Raises:
        InputError: the objective trains nothing.
    """
    method = opened.method
    if not objective_named(method.objective, method.options).trainable(opened.checkpoint.model):
        raise InputError(
            f"theory: objective '{method.objective}' has no gradient; give a method that learns "
            "by gradient"
        )
