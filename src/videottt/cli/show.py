"""Verbs of rules/figures.smk: something to look at, from cached results only."""

import argparse
import contextlib
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from videottt.cli.arguments import add_verb, names, settings
from videottt.core.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

    from videottt.report.figures.view import TaskView
    from videottt.store.frames import FrameStore

logger = logging.getLogger(__name__)


def add_verbs(verbs: Any) -> None:
    """Add the verbs `plot-...`, one a figure, and `render-...`, one a kind of video."""
    verb = add_verb(verbs, "plot-curves", plot_curves)
    verb.add_argument("--scores", required=True, nargs="+", type=Path)
    _add_methods(verb)
    verb.add_argument("--baseline", help="method that the lower panel subtracts")
    _add_figure(verb)

    verb = add_verb(verbs, "plot-bars", plot_bars)
    _add_metrics(verb)
    _add_methods(verb)
    verb.add_argument("--baseline", help="method whose mean is a line across all bars")
    _add_figure(verb)

    verb = add_verb(verbs, "plot-sweep", plot_sweep)
    _add_metrics(verb)
    verb.add_argument("--method", required=True, help="id of the method that was varied")
    verb.add_argument("--setting", required=True, help="for example window")
    verb.add_argument("--base-value", help="of the method itself: a number or all")
    verb.add_argument("--fixed", default=[], type=names, help="ids that are horizontal lines")
    _add_labels(verb)
    _add_figure(verb)

    verb = add_verb(verbs, "plot-selection", plot_selection)
    verb.add_argument("--grids", required=True, nargs="+", type=Path, help="CSV of `select`")
    verb.add_argument("--methods", required=True, type=names, help="ids, one a grid")
    verb.add_argument("--task", required=True, help="whose metric was maximised")
    _add_labels(verb)
    _add_figure(verb)

    verb = add_verb(verbs, "plot-reconstruction", plot_reconstruction)
    _add_pair(verb)
    _add_unscored(verb)
    _add_figure(verb)

    verb = add_verb(verbs, "plot-strips", plot_strips)
    _add_pair(verb)
    _add_figure(verb)

    verb = add_verb(verbs, "plot-steps", plot_steps)
    verb.add_argument("--frames", required=True, type=Path, help="frame store of the video")
    verb.add_argument("--traces", required=True, type=Path, help="of `trace`")
    _add_unscored(verb)
    _add_figure(verb)

    verb = add_verb(verbs, "plot-colours", plot_colours)
    verb.add_argument("--frames", required=True, type=Path, help="frame store of the video")
    verb.add_argument(
        "--predictions", required=True, nargs="+", type=Path, help="images, a row each"
    )
    _add_labels(verb)
    _add_unscored(verb)
    _add_figure(verb)

    verb = add_verb(verbs, "render-video", render_video)
    _add_pair(verb)
    _add_unscored(verb)
    _add_film(verb)

    verb = add_verb(verbs, "render-prediction", render_prediction)
    verb.add_argument("--frames", required=True, type=Path, help="frame store of the video")
    verb.add_argument("--predictions", required=True, type=Path, help="images")
    _add_film(verb)


def _add_metrics(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--metrics", required=True, type=Path, help="CSV, one row a number")


def _add_methods(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--methods", required=True, type=names, help="ids, in the order shown")
    _add_labels(verb)


def _add_pair(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--frames", required=True, type=Path, help="frame store of the video")
    verb.add_argument("--fixed", required=True, type=Path, help="predictions without learning")
    verb.add_argument("--predictions", required=True, type=Path, help="... of the method")
    _add_labels(verb)


def _add_labels(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--labels", default={}, type=_labels, help="JSON: {method: name to show}")


def _add_unscored(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--unscored", action="store_true", help="the video has no ground truth: show none"
    )


def _add_film(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--sound", type=Path, help="the source video, for its sound if it has any; "
                      "with or without its suffix")  # fmt: skip
    verb.add_argument("--output", required=True, type=Path, help="mp4")


def _labels(text: str) -> dict[str, str]:
    """Read the names to show of methods."""
    return {method: str(label) for method, label in settings(text).items()}


def _add_figure(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--png", required=True, type=Path)
    verb.add_argument("--pdf", required=True, type=Path)


def plot_curves(options: argparse.Namespace) -> None:
    """Plot how well each method does over the course of one video."""
    from videottt.evaluation.scores import read_scores
    from videottt.report.figures.curves import curves_figure
    from videottt.report.figures.style import save_figure

    scores = [read_scores(path) for path in options.scores]
    figure = curves_figure(scores, options.methods, options.labels, options.baseline)
    save_figure(figure, options.png, options.pdf)


def plot_bars(options: argparse.Namespace) -> None:
    """Plot the pooled mIoU, AP, PQ or PSNR of each method on each data set, task and split."""
    from videottt.report.figures.bars import bars_figure
    from videottt.report.figures.style import save_figure
    from videottt.report.tables.reading import read_metrics

    table = read_metrics(options.metrics)
    figure = bars_figure(table, options.methods, options.labels, options.baseline)
    save_figure(figure, options.png, options.pdf)


def plot_sweep(options: argparse.Namespace) -> None:
    """Plot how well a method does against one of its settings, such as the window size."""
    from videottt.report.figures.style import save_figure
    from videottt.report.figures.sweep import Sweep, sweep_figure
    from videottt.report.tables.reading import read_metrics

    table = read_metrics(options.metrics)
    sweep = Sweep(options.method, options.setting, options.base_value)
    figure = sweep_figure(table, sweep, options.fixed, options.labels)
    save_figure(figure, options.png, options.pdf)


def plot_selection(options: argparse.Namespace) -> None:
    """Plot how the hyper-parameters of each method were selected, trial by trial."""
    from videottt.report.figures.selection import selection_figure
    from videottt.report.figures.style import save_figure

    if len(options.grids) != len(options.methods):
        raise InputError(
            f"plot-selection: {len(options.grids)} grids for {len(options.methods)} methods; "
            "give one a method, in the same order"
        )
    grids = {
        method: _grid(path) for method, path in zip(options.methods, options.grids, strict=True)
    }
    figure = selection_figure(grids, options.task, options.labels)
    save_figure(figure, options.png, options.pdf)


def _grid(path: Path) -> "pd.DataFrame":
    """Read a CSV of `select`."""
    import pandas as pd

    try:
        return pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path}: not a grid of trials ({error}); make it again with 'select'"
        ) from None


def _view(options: argparse.Namespace, store: "FrameStore", task: str) -> "TaskView":
    """Return a video as a task sees it, with ground truth unless `--unscored` is given."""
    from videottt.report.figures.view import scored_view, unscored_view

    return (unscored_view if options.unscored else scored_view)(store, task)


def plot_reconstruction(options: argparse.Namespace) -> None:
    """Plot what the model saw, what it reconstructed and what it predicted, frame by frame."""
    from videottt.report.figures.reconstruction import reconstruction_figure
    from videottt.report.figures.style import save_figure
    from videottt.store.frames import FrameStore
    from videottt.store.predictions import PredictionReader

    with (
        FrameStore(options.frames) as store,
        PredictionReader(options.fixed) as fixed,
        PredictionReader(options.predictions) as predictions,
    ):
        view = _view(options, store, predictions.key.task)
        figure = reconstruction_figure(view, fixed, predictions, options.labels)
    save_figure(figure, options.png, options.pdf)


def plot_strips(options: argparse.Namespace) -> None:
    """Plot adjacent frames on which a method gains most over the fixed model, and loses most."""
    from videottt.report.figures.strips import strips_figure
    from videottt.report.figures.style import save_figure
    from videottt.store.frames import FrameStore
    from videottt.store.predictions import PredictionReader

    with (
        FrameStore(options.frames) as store,
        PredictionReader(options.fixed) as fixed,
        PredictionReader(options.predictions) as predictions,
    ):
        figure = strips_figure(store, fixed, predictions, options.labels)
    save_figure(figure, options.png, options.pdf)


def plot_steps(options: argparse.Namespace) -> None:
    """Plot reconstruction, loss and the task's metric through gradient steps on single frames."""
    from videottt.report.figures.steps import steps_figure
    from videottt.report.figures.style import save_figure
    from videottt.store.frames import FrameStore
    from videottt.store.traces import read_traces

    traces = read_traces(options.traces)
    with FrameStore(options.frames) as store:
        figure = steps_figure(_view(options, store, traces.key.task), traces)
    save_figure(figure, options.png, options.pdf)


def plot_colours(options: argparse.Namespace) -> None:
    """Plot frames of a video in the colours that each of several methods gives it."""
    from videottt.report.figures.colours import colours_figure
    from videottt.report.figures.style import save_figure
    from videottt.store.frames import FrameStore
    from videottt.store.predictions import PredictionReader

    with contextlib.ExitStack() as opened:
        store = opened.enter_context(FrameStore(options.frames))
        predictions = [opened.enter_context(PredictionReader(p)) for p in options.predictions]
        view = _view(options, store, predictions[0].key.task)
        figure = colours_figure(view, predictions, options.labels)
    save_figure(figure, options.png, options.pdf)


def render_video(options: argparse.Namespace) -> None:
    """Render the predictions of the fixed model and of a method side by side, as a video."""
    from videottt.report.figures import video
    from videottt.store.frames import FrameStore
    from videottt.store.predictions import PredictionReader

    with (
        FrameStore(options.frames) as store,
        PredictionReader(options.fixed) as fixed,
        PredictionReader(options.predictions) as predictions,
    ):
        view = _view(options, store, predictions.key.task)
        video.render_video(
            view, fixed, predictions, options.labels, options.output, _sound(options)
        )
        logger.info("rendered %d frames of '%s'", len(store), store.video)


def render_prediction(options: argparse.Namespace) -> None:
    """Render predicted images as a film by themselves, such as an old one in colour."""
    from videottt.report.figures.film import render_film
    from videottt.store.frames import FrameStore
    from videottt.store.predictions import PredictionReader

    with (
        FrameStore(options.frames) as store,
        PredictionReader(options.predictions) as predictions,
    ):
        render_film(store, predictions, options.output, _sound(options))
        logger.info("rendered %d frames of '%s'", len(store), store.video)


def _sound(options: argparse.Namespace) -> Path | None:
    """Return the video file that the sound is from; a folder of images has none."""
    from videottt.data.layouts.video_file import find_source

    if options.sound is None or options.sound.is_file():
        return options.sound
    found = find_source(options.sound.parent, options.sound.name)
    return found if found.is_file() else None
