"""Verbs of rules/theory.smk: the theorem of the paper's section 6.2, measured on a stream."""

import argparse
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from videottt.cli.arguments import add_verb, settings
from videottt.cli.predict import task_for
from videottt.core.errors import InputError
from videottt.core.files import complete_file, sha256, write_text

if TYPE_CHECKING:
    import pandas as pd

    from videottt.models.checkpoint import Checkpoint
    from videottt.store.frames import FrameStore
    from videottt.ttt.method import Method

logger = logging.getLogger(__name__)


def add_verbs(verbs: Any) -> None:
    """Add `theory` and `plot-theory`."""
    verb = add_verb(verbs, "theory", theory)
    verb.add_argument("--frames", required=True, type=Path, help="frame store of the video")
    verb.add_argument("--checkpoint", required=True, type=Path, help="joint checkpoint")
    verb.add_argument("--task", required=True)
    verb.add_argument("--settings", required=True, type=settings, help="JSON: of the method")
    verb.add_argument("--seed", required=True, type=int)
    verb.add_argument("--length", type=int, help="frames to use; by default all that are labelled")
    verb.add_argument("--masks", type=int, default=8, help="masks of a frame for the objective")
    verb.add_argument("--point-draws", type=int, default=4, help="draws of the main task's points")
    verb.add_argument("--dimension", type=int, default=16384, help="length of a gradient's sketch")
    verb.add_argument("--device", default="auto")
    verb.add_argument("--threads", type=int, default=1)
    verb.add_argument("--output", required=True, type=Path)

    verb = add_verb(verbs, "plot-theory", plot_theory)
    verb.add_argument("--theory", required=True, nargs="+", type=Path, help="videos and seeds")
    verb.add_argument("--sweep", required=True, type=Path, help="CSV of the sweep of the window")
    verb.add_argument("--split", required=True, help="split of the sweep that the videos are in")
    verb.add_argument("--method", required=True, help="id of the method whose window is swept")
    verb.add_argument("--base-value", required=True, help="of the method itself: a number or all")
    verb.add_argument("--fixed", required=True, help="id of the method that does not learn")
    verb.add_argument("--labels", default={}, type=settings, help="JSON: {method: name to show}")
    for kind in ("png", "pdf", "csv", "markdown"):
        verb.add_argument(f"--{kind}", required=True, type=Path)


def theory(options: argparse.Namespace) -> None:
    """Measure the gradients of both losses on every labelled frame of a video.

    At the weights of the checkpoint (theta_0), with respect to the encoder. Writes the inner
    products of the gradients, from which `plot-theory` makes every estimate in seconds.
    """
    from videottt.core.ids import JobKey
    from videottt.core.progress import Progress
    from videottt.core.provenance import provenance
    from videottt.evaluation.theory.gradients import (
        Sampling,
        labelled_run,
        stream_gradients,
        stream_statistics,
    )
    from videottt.evaluation.theory.statistics import TheoryKey, write_statistics
    from videottt.models.checkpoint import load_checkpoint
    from videottt.runtime.device import prepare_device
    from videottt.store.frames import FrameStore
    from videottt.ttt.method import method_from

    method = method_from(options.settings)
    sampling = Sampling(options.masks, options.point_draws, options.dimension)
    checkpoint = load_checkpoint(options.checkpoint)
    with FrameStore(options.frames) as store:
        _check(options, store, checkpoint, method)
        device = prepare_device(options.device, options.threads)
        checkpoint.model.to(device)
        run = labelled_run(store, options.length)
        progress = Progress(len(run), "frames")
        key = JobKey(options.seed, store.dataset, store.video)
        task = task_for(options, store, checkpoint, method)
        found = stream_gradients(checkpoint.model, task, method, store, run, key, sampling)
        statistics = stream_statistics(found, run, progress.report)
        made = provenance(
            str(device),
            checkpoint=sha256(options.checkpoint),
            frames=sha256(options.frames),
            threads=options.threads,
        )
        ids = TheoryKey(
            dataset=store.dataset,
            task=options.task,
            seed=options.seed,
            video=store.video,
            masks=sampling.masks,
            point_draws=sampling.point_draws,
            dimension=sampling.dimension,
            parameters=sum(p.numel() for p in checkpoint.model.encoder.parameters()),
        )
    write_statistics(options.output, ids, statistics, options.settings, made)


def _check(
    options: argparse.Namespace, store: "FrameStore", checkpoint: "Checkpoint", method: "Method"
) -> None:
    """Refuse what has no gradient of both losses."""
    from videottt.ttt.objectives import objective_named

    objective = objective_named(method.objective, method.options)
    if not objective.trainable(checkpoint.model):
        raise InputError(
            f"theory: objective '{method.objective}' has no gradient; give a method that learns "
            "by gradient"
        )
    if objective.needs_decoder and not checkpoint.has_decoder:
        raise InputError(
            f"{options.checkpoint}: has no decoder g, which objective '{method.objective}' needs; "
            "use the 'joint' checkpoint"
        )


def plot_theory(options: argparse.Namespace) -> None:
    """Plot the theorem's bias and variance as measured, and its best windows beside figure 4."""
    from videottt.evaluation.theory.summary import constants_table, readable, stream_estimates
    from videottt.report.figures.style import save_figure
    from videottt.report.figures.theory import WindowSweep, theory_figure
    from videottt.report.tables.reading import read_metrics

    streams = stream_estimates(options.theory)
    sweep = read_metrics(options.sweep)
    shown = WindowSweep(options.method, options.base_value, options.split, options.fixed)
    figure = theory_figure(streams, sweep, shown, options.labels)
    table = constants_table(streams)
    save_figure(figure, options.png, options.pdf)
    _write_table(options, table, readable(table))


def _write_table(options: argparse.Namespace, table: "pd.DataFrame", text: "pd.DataFrame") -> None:
    with complete_file(options.csv) as part:
        table.to_csv(part, index=False, na_rep="NaN", float_format="%.6g")
    write_text(options.markdown, text.to_markdown(index=False, disable_numparse=True) + "\n")
