"""Verbs of rules/figures.smk: something to look at, from cached results only."""

import argparse
import logging
from pathlib import Path
from typing import Any

from videottt.cli.arguments import add_verb, names, settings
from videottt.errors import InputError

logger = logging.getLogger(__name__)


def add_verbs(verbs: Any) -> None:
    """Add `plot-curves`, `plot-bars`, `plot-reconstruction` and `render-video`."""
    verb = add_verb(verbs, "plot-curves", plot_curves)
    verb.add_argument("--scores", required=True, nargs="+", type=Path)
    _add_methods(verb)
    verb.add_argument("--baseline", help="method that the lower panel subtracts")
    _add_figure(verb)

    verb = add_verb(verbs, "plot-bars", plot_bars)
    verb.add_argument("--metrics", required=True, type=Path, help="CSV, one row a number")
    _add_methods(verb)
    _add_figure(verb)

    verb = add_verb(verbs, "plot-reconstruction", plot_reconstruction)
    _add_pair(verb)
    _add_figure(verb)

    verb = add_verb(verbs, "render-video", render_video)
    _add_pair(verb)
    verb.add_argument("--output", required=True, type=Path, help="mp4")


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


def _labels(text: str) -> dict[str, str]:
    """Read the names to show of methods."""
    return {method: str(label) for method, label in settings(text).items()}


def _add_figure(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--png", required=True, type=Path)
    verb.add_argument("--pdf", required=True, type=Path)


def plot_curves(options: argparse.Namespace) -> None:
    """Plot how well each method does over the course of one video."""
    from videottt.figures.curves import curves_figure
    from videottt.figures.style import save_figure
    from videottt.scores import read_scores

    scores = [read_scores(path) for path in options.scores]
    figure = curves_figure(scores, options.methods, options.labels, options.baseline)
    save_figure(figure, options.png, options.pdf)


def plot_bars(options: argparse.Namespace) -> None:
    """Plot the pooled mean IoU of each method on each split."""
    import pandas as pd

    from videottt.figures.bars import bars_figure
    from videottt.figures.style import save_figure

    try:
        table = pd.read_csv(options.metrics)
    except (OSError, ValueError) as error:
        raise InputError(f"{options.metrics}: not a table of metrics ({error})") from None
    save_figure(bars_figure(table, options.methods, options.labels), options.png, options.pdf)


def plot_reconstruction(options: argparse.Namespace) -> None:
    """Plot what the model saw, what it reconstructed and what it predicted, frame by frame."""
    from videottt.figures.reconstruction import reconstruction_figure
    from videottt.figures.style import save_figure
    from videottt.frames import FrameStore
    from videottt.predictions import PredictionReader

    with (
        FrameStore(options.frames) as store,
        PredictionReader(options.fixed) as fixed,
        PredictionReader(options.predictions) as predictions,
    ):
        figure = reconstruction_figure(store, fixed, predictions, options.labels)
    save_figure(figure, options.png, options.pdf)


def render_video(options: argparse.Namespace) -> None:
    """Render the predictions of the fixed model and of a method side by side, as a video."""
    from videottt.figures import video
    from videottt.frames import FrameStore
    from videottt.predictions import PredictionReader

    with (
        FrameStore(options.frames) as store,
        PredictionReader(options.fixed) as fixed,
        PredictionReader(options.predictions) as predictions,
    ):
        video.render_video(store, fixed, predictions, options.labels, options.output)
        logger.info("rendered %d frames of '%s'", len(store), store.video)
