"""Draw the metric of each method over the course of one video."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from videottt.core.errors import InputError, nearest
from videottt.evaluation.metrics import Headline, headline
from videottt.evaluation.scores import Scores, read_scores
from videottt.report.figures.style import STYLE, Colour, FigureFiles, method_colours, save_figure

# Up to this number of frames, every frame has a visible point.
FEW = 60


@matplotlib.rc_context(STYLE)
def curves_figure(
    scores: Sequence[Scores],
    methods: Sequence[str],
    labels: Mapping[str, str],
    baseline: str | None = None,
) -> Figure:
    """Draw the metric of every frame over time, and its gain over the baseline.

    The metric is that of the task on the frame alone: mean IoU over the classes in the ground
    truth, AP, PQ or PSNR. Where it is not defined, there is a gap; frames without labels are
    skipped.

    Args:
        scores: of one video, with the same seeds for every method.
        methods: ids, in the order of the legend.
        labels: names to show of methods; a method without a name shows its id.
        baseline: method that the lower panel subtracts, seed by seed; None draws no lower panel.

    Raises:
        InputError: the scores differ in video or task, or a method lacks a seed or has it twice.
    """
    values = _values(scores, methods)
    if baseline is not None and baseline not in methods:
        raise InputError(f"baseline: no method '{baseline}'; {nearest(baseline, methods)}")
    first = scores[0]
    timestamps = first.index / first.fps
    seeds, count = values[methods[0]].shape
    window = max(5, count // 20) | 1
    colours = method_colours(methods)

    metric = headline(first.key.task)
    figure, panels = _panels(metric, None if baseline is None else labels.get(baseline, baseline))
    thin: dict[str, Any] = {"marker": "." if count <= FEW else None, "markersize": 3}
    for method in methods:
        raw = values[method].mean(axis=0)
        panels[0].plot(
            timestamps, raw, color=colours[method], alpha=0.22, linewidth=0.6, zorder=1, **thin
        )
        smooth = rolling_mean(values[method], window)
        _line(panels[0], timestamps, smooth, colours[method], labels.get(method, method))
        if baseline is not None:
            gain = smooth - rolling_mean(values[baseline], window)
            _line(panels[1], timestamps, gain, colours[method])
    panels[0].set_title(f"{first.key.dataset}, video {first.key.video}")
    panels[-1].set_xlim(timestamps[0], timestamps[-1] if count > 1 else None)
    title = _title(window, seeds, _all_frames(first))
    figure.legend(loc="outside lower center", ncols=min(3, len(methods)), title=title)
    return figure


def _panels(metric: Headline, baseline: str | None) -> tuple[Figure, list[Axes]]:
    """Return an empty figure with one panel, or two with a baseline of this name."""
    ratios = [1] if baseline is None else [2.4, 1]
    figure = Figure(figsize=(8, 4 if baseline is None else 5.2), layout="constrained")
    panels = figure.subplots(len(ratios), 1, sharex=True, squeeze=False, height_ratios=ratios)[:, 0]
    panels[0].set_ylabel(f"{metric.name} of the frame ({metric.unit})")
    if baseline is not None:
        panels[1].set_title(f"gain over {baseline}", loc="left", fontsize=9, pad=3)
        panels[1].set_ylabel("points" if metric.unit == "%" else metric.unit)
    panels[-1].set_xlabel("time in the video (s)")
    figure.align_ylabels()
    return figure, list(panels)


def rolling_mean(values: np.ndarray, window: int) -> np.ndarray:
    """Return centred means over `window` frames, fewer at the ends: float64 [S, N].

    Args:
        values: float64 [S, N]; NaN stays NaN and counts in no mean.
        window: frames, odd.
    """
    table = pd.DataFrame(values.T)
    means = table.rolling(window, center=True, min_periods=1).mean()
    result: np.ndarray = means.where(table.notna()).to_numpy().T
    return result


def _line(
    axes: Axes, timestamps: np.ndarray, values: np.ndarray, colour: Colour, label: str | None = None
) -> None:
    """Draw values [S, N]: mean over seeds as a line, standard deviation as a band."""
    mean = values.mean(axis=0)
    axes.plot(timestamps, mean, color=colour, linewidth=1.6, label=label)
    # A value between two gaps has no line, so it gets a dash.
    defined = np.pad(~np.isnan(mean), 1)
    alone = defined[1:-1] & ~defined[:-2] & ~defined[2:]
    axes.plot(timestamps[alone], mean[alone], "_", color=colour, markersize=4, markeredgewidth=1.6)
    if len(values) > 1:
        spread = values.std(axis=0, ddof=1)
        axes.fill_between(
            timestamps, mean - spread, mean + spread, color=colour, alpha=0.15, linewidth=0
        )
    axes.grid(axis="y", color="0.9", linewidth=0.6)


def _all_frames(scores: Scores) -> bool:
    return len(scores.index) == len(scores.resets)


def _title(window: int, seeds: int, all_frames: bool) -> str:
    frames = "frames" if all_frames else "labelled frames"
    text = f"thick: centred mean over {window} {frames}; thin: single frames"
    return text if seeds == 1 else text + f"; band: standard deviation over {seeds} seeds"


def _values(scores: Sequence[Scores], methods: Sequence[str]) -> dict[str, np.ndarray]:
    """Return method -> metric of each frame in its unit: float64 [seeds, N], seeds in order."""
    first = scores[0]
    scale = headline(first.key.task).scale
    found: dict[str, dict[int, np.ndarray]] = {method: {} for method in methods}
    for each in scores:
        ids = (each.key.dataset, each.key.task, each.key.video)
        if ids != (first.key.dataset, first.key.task, first.key.video):
            raise InputError(
                f"scores of video '{ids[2]}' ({ids[0]}, {ids[1]}) beside those of "
                f"'{first.key.video}' ({first.key.dataset}, {first.key.task}); give scores of one "
                "video"
            )
        if not np.array_equal(each.index, first.index):
            raise InputError(
                f"video '{ids[2]}': {len(each.index)} frames are scored for '{each.key.method}' "
                f"seed {each.key.seed}, but {len(first.index)} for '{first.key.method}' seed "
                f"{first.key.seed}, or other ones; score again"
            )
        if each.key.method not in found:
            raise InputError(
                f"scores of method '{each.key.method}', which is not among the methods; "
                + nearest(each.key.method, methods)
            )
        if each.key.seed in found[each.key.method]:
            raise InputError(
                f"two files of scores of method '{each.key.method}', seed {each.key.seed}; leave "
                "one of them out"
            )
        found[each.key.method][each.key.seed] = scale * each.statistics.frame_values()
    seeds = sorted(found[first.key.method])
    for method, values in found.items():
        if sorted(values) != seeds:
            raise InputError(
                f"method '{method}' has scores of seeds {sorted(values)}, but "
                f"'{first.key.method}' of {seeds}; give the same seeds of each method"
            )
    return {m: np.stack([values[seed] for seed in seeds]) for m, values in found.items()}


def plot_curves(
    scores: Sequence[Path],
    methods: Sequence[str],
    labels: Mapping[str, str],
    baseline: str | None,
    files: FigureFiles,
) -> None:
    """Plot the metric of each method over the course of one video.

    Args:
        scores: files of scores of the video.
        methods: ids, in the order shown.
        labels: method -> name to show.
        baseline: method that the lower panel subtracts; None draws no lower panel.
        files: to write.

    Raises:
        InputError: a file is absent or has another format, or a method has no scores.
    """
    read = [read_scores(path) for path in scores]
    save_figure(curves_figure(read, methods, labels, baseline), files)
