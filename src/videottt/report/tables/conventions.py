"""Score the same predictions in every form of a metric, and compare the forms."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from videottt.core.errors import InputError
from videottt.evaluation.metrics import headline
from videottt.report.tables.caption import MORE, spread_text
from videottt.report.tables.layout import REFERENCE
from videottt.report.tables.numbers import (
    PERCENT,
    ByMethod,
    by_seed,
    check_metrics,
    differences,
    spread,
    streams_of,
)
from videottt.report.tables.sheets import ABSENT, Sheet, number, spreads_of

TITLE = "Conventions: one metric in three forms, for the same predictions"

# Form of a headline metric -> its name in the readable table.
FORMS = {
    "pooled": "pooled",
    "videos": "by video",
    "frames": "by frame",
    "released": "by frame, as released",
}
# Column -> heading, and two forms: that of the method, less that of the same method in BETWEEN, of
# `REFERENCE` in GAINS.
BETWEEN = {
    "frames_minus_pooled": ("by frame - pooled", "frames", "pooled"),
    "frames_minus_videos": ("by frame - by video", "frames", "videos"),
}
GAINS = {
    "gain_pooled": ("pooled", "pooled", "pooled"),
    "gain_videos": ("by video", "videos", "videos"),
    "gain_frames": ("by frame", "frames", "frames"),
    "gain_mixed": ("mixed", "frames", "videos"),
}


def convention_table(metrics: pd.DataFrame, methods: Sequence[str]) -> pd.DataFrame:
    """Return every form of the headline metric of every method: one row a stream, split, method.

    Args:
        metrics: as `scores.aggregate` returns it.
        methods: ids, in the order of rows; a method without a task has no row for it.

    Returns:
        dataset, task, split, metric, method, seeds and ``<name>_mean``, ``<name>_std`` over seeds,
        in percent or points, of

        * pooled: all frames of the split at once; videos: all frames of a video at once, mean over
          videos weighted by their scored frames; frames: each frame alone, mean over frames;
          released: as frames, weighted by the lengths of videos in the released code;
        * frames_minus_pooled, frames_minus_videos: the effect of the form alone;
        * gain_pooled, gain_videos, gain_frames: over `REFERENCE` in one form; gain_mixed: frames of
          the method less videos of `REFERENCE`, as the authors' released code compares them.

        Differences are taken seed by seed. None: no such number. NaN: not defined.

    Raises:
        InputError: `metrics` lacks a column, or has none of the methods.
    """
    check_metrics(metrics)
    pooled = by_seed(metrics[metrics.aggregation == "pooled"])
    weighted = by_seed(metrics[metrics.aggregation == "frame_weighted"])
    released = by_seed(metrics[metrics.aggregation == "as_released"])
    rows = []
    for dataset, task in streams_of(metrics):
        for ids, of_split in pooled.items():
            if ids[:2] == (dataset, task):
                forms = _forms(of_split, weighted.get(ids, {}), released.get(ids, {}), task)
                row = {"dataset": dataset, "task": task, "split": ids[2]}
                row["metric"] = headline(task).name
                rows += [
                    row | _of_method(forms, each) for each in methods if (each, "pooled") in forms
                ]
    if not rows:
        raise InputError("metrics: none of the methods has a pooled metric; score them first")
    # dtype=object keeps None and NaN apart.
    return pd.DataFrame(rows, dtype=object)


def _forms(pooled: ByMethod, weighted: ByMethod, released: ByMethod, task: str) -> ByMethod:
    """Return (method, form) -> seed -> the headline metric, a fraction."""
    line = headline(task)
    form = {line.pooled: "pooled", line.frames: "frames"}
    headlines = {(m, form[name]): values for (m, name), values in pooled.items() if name in form}
    videos = {(m, "videos"): v for (m, metric), v in weighted.items() if metric == line.pooled}
    lengths = {(m, "released"): v for (m, metric), v in released.items() if metric == line.frames}
    return headlines | videos | lengths


def _of_method(forms: ByMethod, method: str) -> dict[str, Any]:
    numbers = {
        form: [PERCENT * v for v in forms.get((method, form), {}).values()] for form in FORMS
    }
    for name, (_, one, other) in BETWEEN.items():
        numbers[name] = differences(forms, (method, one), (method, other))
    for name, (_, one, other) in GAINS.items():
        # Over itself, the reference gains only by the change of form.
        itself = method == REFERENCE and one == other
        numbers[name] = [] if itself else differences(forms, (method, one), (REFERENCE, other))
    row: dict[str, Any] = {"method": method, "seeds": len(numbers["pooled"])}
    for name, values in numbers.items():
        row[f"{name}_mean"], row[f"{name}_std"] = spread(values)
    return row


def convention_sheets(table: pd.DataFrame, labels: Mapping[str, str]) -> list[Sheet]:
    """Return a sheet for each data set, task and split of a table of conventions, and a summary.

    Args:
        table: of `convention_table`.
        labels: names to show of methods; a method without a name shows its id.
    """
    sheets, summary = [], []
    for ids, rows in table.groupby(["dataset", "task", "split"], sort=False):
        columns = {("", "Method"): [labels.get(method, method) for method in rows.method]}
        metric = rows.metric.iloc[0]
        for name, heading in FORMS.items():
            columns[metric, heading] = spreads_of(rows, name, ".1f")
        for name, (heading, *_) in BETWEEN.items():
            columns["difference", heading] = spreads_of(rows, name, "+.1f")
        for name, (heading, *_) in GAINS.items():
            columns["gain", heading] = spreads_of(rows, name, "+.1f")
        kept = {heading: cells for heading, cells in columns.items() if set(cells) != {ABSENT}}
        cells = [list(row) for row in zip(*kept.values(), strict=True)]
        sheets.append(Sheet(list(kept), cells, [""] * len(cells), ", ".join(ids)))
        summary.append([", ".join(ids), *_summary(rows)])
    headings = [
        ("", "Data"),
        ("", "Main Task Only, form alone"),
        ("", "gains"),
        ("other sign than pooled", "by frame"),
        ("other sign than pooled", "mixed"),
    ]
    return [*sheets, Sheet(headings, summary, [""] * len(summary), "Effect of the form")]


def _summary(rows: pd.DataFrame) -> list[str]:
    """Return the effect of the form on `REFERENCE`, and how many mean gains it turns."""
    reference = rows[rows.method == REFERENCE]
    shift = reference.gain_mixed_mean.iloc[0] if len(reference) else None
    learned = rows[rows.method != REFERENCE]
    gains = learned[["gain_pooled_mean", "gain_frames_mean", "gain_mixed_mean"]].dropna()
    pooled, *forms = (gains[name].astype(float) for name in gains)
    turned = [int(((pooled > 0) != (form > 0)).sum()) for form in forms]
    return [number(shift, "+.1f"), *map(str, (len(gains), *turned))]


def convention_caption(table: pd.DataFrame) -> str:
    """Return how to read a table of conventions."""
    sentences = [
        f"Percent and points, {spread_text(table.seeds)}, of the same predictions. "
        "pooled: all frames of the split at once. by video: all frames of a video at once, mean "
        "weighted by scored frames. by frame: each frame alone, averaged.",
        "gain: over Main Task Only, however long it was trained. mixed: by frame, less Main Task "
        "Only by video, "
        "as the released code compares on COCO Videos.",
    ]
    if table.released_mean.notna().any():
        sentences.append(
            "as released: weighted as in the released code, where KITTI-STEP 0015 has 476 frames, "
            "not 376."
        )
    return " ".join([*sentences, MORE])
