"""How far the forms of a metric differ for the same predictions, and what mixing them does."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from videottt.core.errors import InputError
from videottt.evaluation.metrics import headline
from videottt.report.tables.caption import forms_of, spread_text
from videottt.report.tables.numbers import (
    PERCENT,
    REFERENCE,
    ByMethod,
    by_seed,
    check_metrics,
    differences,
    spread,
    streams_of,
)
from videottt.report.tables.sheets import ABSENT, Sheet, number, spread_cell

TITLE = "Conventions: one metric in three forms, for the same predictions"

# Forms of a headline metric, and what they are called where people read.
FORMS = {
    "pooled": "pooled",
    "videos": "by video",
    "frames": "by frame",
    "released": "by frame, as released",
}
# Differences: column -> heading, and the form of a method less that of the method or `REFERENCE`.
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
        methods: ids, in the order of rows; one that does not exist for a task has no row there.

    Returns:
        dataset, task, split, metric, method, seeds and ``<name>_mean``, ``<name>_std`` over seeds,
        in percent or points, of

        * pooled: all frames of the split at once; videos: all frames of a video at once, mean over
          videos weighted by their scored frames; frames: every frame by itself, mean over frames;
          released: likewise, with the lengths of videos that the released code has;
        * frames_minus_pooled, frames_minus_videos: what the form alone changes;
        * gain_pooled, gain_videos, gain_frames: over `REFERENCE` in one form; gain_mixed: frames of
          the method less videos of `REFERENCE`, as the authors' released code has them.

        Differences are taken seed by seed. None: there is no such number; NaN: not defined.

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
    # Objects, because None and NaN are different things here.
    return pd.DataFrame(rows, dtype=object)


def _forms(pooled: ByMethod, weighted: ByMethod, released: ByMethod, task: str) -> ByMethod:
    """Return (method, form) -> seed -> the headline metric, a fraction."""
    line = headline(task)
    form = {line.pooled: "pooled", line.frames: "frames"}
    found = {(m, form[metric]): values for (m, metric), values in pooled.items() if metric in form}
    videos = {(m, "videos"): v for (m, metric), v in weighted.items() if metric == line.pooled}
    lengths = {(m, "released"): v for (m, metric), v in released.items() if metric == line.frames}
    return found | videos | lengths


def _of_method(forms: ByMethod, method: str) -> dict[str, Any]:
    numbers = {
        form: [PERCENT * v for v in forms.get((method, form), {}).values()] for form in FORMS
    }
    for name, (_, one, other) in BETWEEN.items():
        numbers[name] = differences(forms, (method, one), (method, other))
    for name, (_, one, other) in GAINS.items():
        # The reference gains nothing over itself, but for the change of form.
        itself = method == REFERENCE and one == other
        numbers[name] = [] if itself else differences(forms, (method, one), (REFERENCE, other))
    row: dict[str, Any] = {"method": method, "seeds": len(numbers["pooled"])}
    for name, values in numbers.items():
        row[f"{name}_mean"], row[f"{name}_std"] = spread(values)
    return row


def convention_sheets(table: pd.DataFrame, labels: Mapping[str, str]) -> list[Sheet]:
    """Return a table of conventions as text, a sheet for each data set, task and split.

    Args:
        table: of `convention_table`.
        labels: names to show of methods; one without a name shows its id.
    """
    sheets = []
    for (dataset, task, split), rows in table.groupby(["dataset", "task", "split"], sort=False):
        columns = {("", "Method"): [labels.get(method, method) for method in rows.method]}
        metric = rows.metric.iloc[0]
        for name, heading in FORMS.items():
            columns[metric, heading] = _cells(rows, name, ".1f")
        for name, (heading, *_) in BETWEEN.items():
            columns["difference", heading] = _cells(rows, name, "+.1f")
        for name, (heading, *_) in GAINS.items():
            columns["gain", heading] = _cells(rows, name, "+.1f")
        kept = {heading: cells for heading, cells in columns.items() if set(cells) != {ABSENT}}
        cells = [list(row) for row in zip(*kept.values(), strict=True)]
        sheets.append(Sheet(list(kept), cells, [""] * len(cells), f"{dataset}, {task}, {split}"))
    return sheets


def _cells(rows: pd.DataFrame, name: str, form: str) -> list[str]:
    pairs = zip(rows[f"{name}_mean"], rows[f"{name}_std"], strict=True)
    return [spread_cell(mean, deviation, form) for mean, deviation in pairs]


def convention_caption(table: pd.DataFrame) -> str:
    """Return what a table of conventions shows, and what its numbers say."""
    tasks = list(dict.fromkeys(table.task))
    sentences = [
        f"In percent and points, {spread_text(max(table.seeds))}, of the same predictions "
        "throughout.",
        *forms_of(tasks),
        "pooled: all frames of the split at once. by video: all frames of a video at once, mean "
        "over videos weighted by their scored frames. by frame: every frame by itself, mean over "
        "frames. gain: over Main Task Only, seed by seed. gain, mixed: by frame, less Main Task "
        "Only by video, as the released code has them on COCO Videos; it is the gain by frame plus "
        "what the form alone changes for Main Task Only, which is its own mixed gain.",
    ]
    if table.released_mean.notna().any():
        sentences.append(
            "by frame, as released: the mean over videos weighted as the released code does, whose "
            "length of KITTI-STEP's 0015 is 476 frames, not 376."
        )
    groups = table.groupby(["dataset", "task", "split"], sort=False)
    return " ".join([*sentences, *(_says(ids, rows) for ids, rows in groups)])


def _says(ids: tuple[str, str, str], rows: pd.DataFrame) -> str:
    """Return what the numbers of one split say: sizes and counts, no judgement."""
    dataset, task, split = ids
    parts = []
    reference = rows[rows.method == REFERENCE]
    if len(reference):
        shift = reference.gain_mixed_mean.iloc[0]
        parts.append(f"the form alone changes Main Task Only by {number(shift, '+.1f')} points")
    learned = rows[rows.method != REFERENCE]
    gains = learned[["gain_pooled_mean", "gain_frames_mean", "gain_mixed_mean"]].dropna()
    if len(gains):
        pooled, frames, mixed = (gains[name].astype(float) for name in gains)
        count = len(gains)
        for name, form in (("by frame", frames), ("mixed", mixed)):
            turned = int(((pooled > 0) != (form > 0)).sum())
            parts.append(f"{turned} of {count} mean gains have another sign {name} than pooled")
    return f"{dataset}, {task}, {split}: {'; '.join(parts)}." if parts else ""
