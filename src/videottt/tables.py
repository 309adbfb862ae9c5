"""The tables of a study: ours with its spread over seeds, and the paper's beside it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from videottt.errors import InputError

PERCENT = 100.0
# Columns of the main table: metric of `scores.aggregate`, heading, unit factor, digits.
COLUMNS = (
    ("miou_pooled", "mIoU", PERCENT, 1),
    ("miou_pooled_gt_or_predicted", "mIoU (GT or pred.)", PERCENT, 1),
    ("miou_frames", "frame mIoU", PERCENT, 1),
    ("miou_frames_gt_or_predicted", "frame mIoU (GT or pred.)", PERCENT, 1),
    ("seconds_per_frame", "s/frame", 1.0, 3),
)


@dataclass(frozen=True)
class PaperColumn:
    """Published numbers to print beside ours.

    Attributes:
        heading: of the column.
        split: beside which of our splits it stands.
        values: method id -> value; a method may be absent.
    """

    heading: str
    split: str
    values: dict[str, float]


def paper_columns(files: Sequence[Path], dataset: str, splits: Sequence[str]) -> list[PaperColumn]:
    """Return the paper's mean IoU on one of its data sets, for the splits that it has.

    Args:
        files: CSV files with a column `method` and columns ``<dataset>_<split>_miou``.
        dataset: of the paper, for example "kitti_step".
        splits: of our study.

    Raises:
        InputError: a file is absent or has no column `method`.
    """
    values: dict[str, dict[str, float]] = {split: {} for split in splits}
    for file in files:
        try:
            table = pd.read_csv(file).set_index("method")
        except (OSError, KeyError, pd.errors.ParserError) as error:
            raise InputError(f"{file}: not a table of the paper's numbers ({error})") from None
        for split in splits:
            if (column := f"{dataset}_{split}_miou") in table:
                values[split] |= table[column].dropna().to_dict()
    return [
        PaperColumn(f"paper: mIoU, {dataset} {split}", split, numbers)
        for split, numbers in values.items()
        if numbers
    ]


def main_table(
    metrics: pd.DataFrame, methods: Sequence[str], paper: Sequence[PaperColumn]
) -> pd.DataFrame:
    """Return one row for each data set, task, split and method of a study.

    Args:
        metrics: as `scores.aggregate` returns it.
        methods: ids in the order of the rows.
        paper: published numbers; a row whose split has none shows none.

    Returns:
        dataset, task, split, method, seeds, and for each of `COLUMNS` its mean and standard
        deviation over seeds (``<metric>_mean``, ``<metric>_std``, in the table's unit; the
        deviation is NaN for one seed), and ``paper_miou``.
    """
    # Counts are summed over a split's videos; per-frame means are the mean over all its frames.
    pooled = metrics[metrics.aggregation == "pooled"]
    published = {(c.split, m): v for c in paper for m, v in c.values.items()}
    rows = []
    for (dataset, task, split), part in pooled.groupby(["dataset", "task", "split"], sort=False):
        for method in methods:
            ours = part[part.method == method]
            row = {"dataset": dataset, "task": task, "split": split, "method": method}
            row["seeds"] = ours.seed.nunique()
            for metric, _, factor, _ in COLUMNS:
                values = ours[ours.metric == metric].value.to_numpy() * factor
                row[f"{metric}_mean"] = values.mean() if values.size else np.nan
                row[f"{metric}_std"] = values.std(ddof=1) if values.size > 1 else np.nan
            row["paper_miou"] = published.get((split, method), np.nan)
            rows.append(row)
    return pd.DataFrame(rows)


def class_table(metrics: pd.DataFrame, methods: Sequence[str]) -> pd.DataFrame:
    """Return the pooled IoU of each class in percent, mean over seeds: one column a method.

    A class that occurs neither in the ground truth nor in a prediction stays NaN.
    """
    pooled = metrics[
        (metrics.aggregation == "pooled") & metrics.metric.str.startswith("iou:")
    ].assign(iou=lambda t: t.value * PERCENT, label=lambda t: t.metric.str.removeprefix("iou:"))
    order = list(dict.fromkeys(pooled.label))
    ids = ["dataset", "task", "split", "label"]
    # groupby.mean leaves NaN out; a class that is NaN for one seed must stay NaN.
    means = pooled.groupby([*ids, "method"], sort=False).iou.agg(lambda v: v.mean(skipna=False))
    table = means.unstack("method")[list(methods)].reset_index()
    table["label"] = pd.Categorical(table.label, order)
    return table.sort_values(ids).rename(columns={"label": "class"}).reset_index(drop=True)


def readable(
    table: pd.DataFrame, labels: dict[str, str], paper: Sequence[PaperColumn]
) -> pd.DataFrame:
    """Return the main table as text, for people: labels, mean ± deviation, the paper's numbers."""
    result = pd.DataFrame({"Data": table.dataset + " " + table.split})
    result["Method"] = [labels.get(method, method) for method in table.method]
    for metric, heading, _, digits in COLUMNS:
        means, deviations = table[f"{metric}_mean"], table[f"{metric}_std"]
        result[heading] = [
            _number(mean, deviation, digits)
            for mean, deviation in zip(means, deviations, strict=True)
        ]
    if paper:
        heading = paper[0].heading.rsplit(" ", 1)[0]
        result[heading] = [
            "" if np.isnan(value) else f"{value:.1f} ({split})"
            for value, split in zip(table.paper_miou, table.split, strict=True)
        ]
    return result


def _number(mean: float, deviation: float, digits: int) -> str:
    if np.isnan(mean):
        return "NaN"
    text = f"{mean:.{digits}f}"
    return text if np.isnan(deviation) else f"{text} ± {deviation:.{digits}f}"


def caption(table: pd.DataFrame, paper: Sequence[PaperColumn]) -> str:
    """Return what has to be said below the table."""
    seeds = int(table.seeds.max())
    text = (
        f"Mean{' ± standard deviation' if seeds > 1 else ''} over {seeds} seed"
        f"{'s' if seeds > 1 else ''}, in percent. mIoU: counts pooled over all frames of a split, "
        "averaged over the classes in the ground truth. frame mIoU: one value a frame, averaged "
        "over frames. (GT or pred.): a class predicted but absent counts as 0, as in the authors' "
        "evaluator. s/frame: learning plus prediction, on the machine of this run."
    )
    if paper:
        text += (
            " The paper's numbers are of its own data and model; which of the four conventions "
            "they follow is not stated there (the released code averages over frames, GT or pred.)."
        )
    return text
