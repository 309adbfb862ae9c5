"""Tabulate colorization, the paper's table 3: our numbers, and below them the paper's."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from videottt.core.errors import InputError
from videottt.evaluation.metrics import headline
from videottt.evaluation.metrics.colour import ENOUGH, SPLITS
from videottt.report.tables.caption import MORE, listed, other_than_paper, spread_text
from videottt.report.tables.numbers import ByMethod, Row, by_seed, check_metrics, spread
from videottt.report.tables.sheets import ABSENT, Sheet, bold_best, firsts, number, spread_cell

TASK = "colorization"
TITLE = "Table 3: colorization"
FEW = "‡"
COUNT = ",.0f"
PAPER = "paper: COCO Videos"
PAPER_DATASET = "coco_videos"


@dataclass(frozen=True)
class Column:
    """A metric of table 3.

    Attributes:
        heading: as in the paper.
        metric: id in `scores.aggregate`.
        paper: name among the paper's numbers.
        form: number format.
        sign: 1 if more is better, -1 if less is, 0 where either may be.
    """

    heading: str
    metric: str
    paper: str
    form: str
    sign: int


FID = Column("FID ↓", "fid_pooled", "fid", ".2f", -1)
IS = Column("IS ↑ (± splits)", "inception_score_pooled", "is", ".2f", 1)
LPIPS = Column("LPIPS ↑", "lpips_frames", "lpips", ".3f", 0)
PSNR = Column("PSNR ↑ (dB)", "psnr_frames", "psnr", ".2f", 1)
SSIM = Column("SSIM ↑", "ssim_frames", "ssim", ".3f", 1)
IS_SPREAD = "inception_score_std_pooled"

# Network that metrics need -> their names, and the metrics that are NaN without it.
NETWORKS = {
    "inception": ("FID and IS", (FID.metric, IS.metric, IS_SPREAD)),
    "alexnet": ("LPIPS", (LPIPS.metric,)),
}


def colour_table(
    metrics: pd.DataFrame,
    methods: Sequence[str],
    paper: Mapping[str, Mapping[str, float]],
    notes: Mapping[str, str],
) -> pd.DataFrame:
    """Return every number of colorization: over the videos of a split, and of every video.

    Args:
        metrics: as `scores.aggregate` returns it; other tasks are left out.
        methods: ids, in the order of rows; a method without metrics has no row.
        paper: method id -> name -> the paper's number.
        notes: id of `NETWORKS` or of a method -> why it is absent. Metrics that are undefined
            because their network is absent become None.

    Returns:
        dataset, split, aggregation, video, method, seeds, and ``<metric>_mean``, ``<metric>_std``
        over seeds of every metric, costs included; where the aggregation is "pooled" also
        ``paper_<name>``, whatever the data set. None: no such number, for example a deviation of
        one seed. NaN: not defined.

    Raises:
        InputError: `metrics` lacks a column, or has no colorization by any of the methods.
    """
    check_metrics(metrics)
    chosen = metrics[metrics.task == TASK]
    names = list(dict.fromkeys(chosen.metric))
    without = {metric for network, (_, of) in NETWORKS.items() if network in notes for metric in of}
    stated = list(dict.fromkeys(name for numbers in paper.values() for name in numbers))
    rows: list[Row] = []
    for (aggregation, video), part in chosen.groupby(["aggregation", "video"], sort=False):
        for (dataset, _, split), ours in by_seed(part).items():
            place = {"dataset": dataset, "split": split, "aggregation": aggregation, "video": video}
            for method in methods:
                if (method, headline(TASK).pooled) not in ours:
                    continue
                row = {**place, "method": method, **_numbers(ours, method, names, without)}
                published = paper.get(method, {}) if aggregation == "pooled" else {}
                rows.append(row | {f"paper_{name}": published.get(name) for name in stated})
    if not rows:
        raise InputError("metrics: no colorization by any of the methods; score one first")
    order = ["pooled", "frame_weighted", "as_released", "video"]
    rows.sort(key=lambda row: order.index(row["aggregation"]))
    # dtype=object keeps None and NaN apart.
    return pd.DataFrame(rows, dtype=object)


def _numbers(ours: ByMethod, method: str, names: Sequence[str], without: set[str]) -> Row:
    row: Row = {"seeds": len(ours[method, headline(TASK).pooled])}
    for name in names:
        mean, deviation = spread(list(ours.get((method, name), {}).values()))
        if name in without and mean is not None and math.isnan(mean):
            mean = deviation = None
        row[f"{name}_mean"], row[f"{name}_std"] = mean, deviation
    return row


def colour_sheet(
    table: pd.DataFrame,
    paper: Mapping[str, Mapping[str, float]],
    labels: Mapping[str, str],
) -> Sheet:
    """Return table 3 as text: our rows for each data set and split, and below them the paper's.

    Args:
        table: of `colour_table`.
        paper: method id -> name -> the paper's number, in the order of its rows; may be empty.
        labels: names to show of methods; a method without a name shows its id.
    """
    ours = pooled_rows(table)
    groups = [f"{row.dataset} {row.split}" for row in ours.itertuples()] + [PAPER] * len(paper)
    methods = [*ours.method, *paper]
    columns = {"Data": firsts(groups), "Method": [labels.get(method, method) for method in methods]}
    columns[FID.heading] = _fid_cells(ours) + _published(paper, FID.paper, FID.form)
    columns["frames"] = [number(frames, COUNT) for frames in ours.frames_mean]
    columns["frames"] += _published(paper, "frames", COUNT)
    columns[IS.heading] = _inception_cells(ours) + [
        spread_cell(numbers.get(IS.paper), numbers.get(f"{IS.paper}_std"), IS.form)
        for numbers in paper.values()
    ]
    if max(ours.seeds) > 1:
        seeds = [number(value, IS.form) for value in ours[f"{IS.metric}_std"]]
        columns["IS ± seeds"] = seeds + [ABSENT] * len(paper)
    for column in (LPIPS, PSNR, SSIM):
        columns[column.heading] = _bold(ours, column, _cells(ours, column))
        columns[column.heading] += _published(paper, column.paper, column.form)
    rows = [list(row) for row in zip(*columns.values(), strict=True)]
    return Sheet([("", heading) for heading in columns], rows, groups)


def pooled_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of a colour table that pool all videos of a split."""
    return table[table.aggregation == "pooled"].reset_index(drop=True)


def _fid_cells(ours: pd.DataFrame) -> list[str]:
    marks = [FEW * (frames < ENOUGH) for frames in ours.frames_mean]
    cells = [
        cell + mark * (cell not in (ABSENT, "NaN"))
        for cell, mark in zip(_cells(ours, FID), marks, strict=True)
    ]
    return _bold(ours, FID, cells)


def _inception_cells(ours: pd.DataFrame) -> list[str]:
    """Return the inception score with its deviation over splits of the frames, mean over seeds."""
    pairs = zip(ours[f"{IS.metric}_mean"], ours[f"{IS_SPREAD}_mean"], strict=True)
    return _bold(ours, IS, [spread_cell(mean, deviation, IS.form) for mean, deviation in pairs])


def _cells(ours: pd.DataFrame, column: Column) -> list[str]:
    pairs = zip(ours[f"{column.metric}_mean"], ours[f"{column.metric}_std"], strict=True)
    return [spread_cell(mean, deviation, column.form) for mean, deviation in pairs]


def _bold(ours: pd.DataFrame, column: Column, cells: list[str]) -> list[str]:
    if not column.sign:
        return cells
    return bold_best(ours, column.metric, cells, by=["dataset", "split"], sign=column.sign)


def _published(paper: Mapping[str, Mapping[str, float]], name: str, form: str) -> list[str]:
    return [number(numbers.get(name), form) for numbers in paper.values()]


def colour_caption(
    table: pd.DataFrame,
    paper: Mapping[str, Mapping[str, float]],
    labels: Mapping[str, str],
    model: str,
    notes: Mapping[str, str],
    without: Sequence[str],
) -> str:
    """Return how to read table 3, and what not to read into it.

    Args:
        table: of `colour_table`.
        paper: as for `colour_sheet`.
        labels: likewise.
        model: preset of the study.
        notes: id of `NETWORKS` or of a method -> why it is absent.
        without: ids of the methods without metrics.
    """
    ours = pooled_rows(table)
    others = [labels.get(method, method) for method in without if method not in notes]
    sentences = [
        _spreads(ours),
        *_few(ours),
        "FID and IS compare only between equal numbers of frames. LPIPS is a distance; the paper's "
        "arrow rewards vividness.",
    ]
    if paper:
        datasets = dict.fromkeys(ours.dataset)
        other = [PAPER_DATASET] if set(datasets) - {PAPER_DATASET} else []
        difference = other_than_paper(other, model)
        sentences += [f"The paper's rows are {difference}."] if difference else []
    if _absent(ours, labels, notes, without):
        sentences.append(f"{ABSENT} or no row: its network is absent; table3.md lists why.")
    if others:
        sentences.append(f"Not run: {listed(others)}.")
    return " ".join([*sentences, MORE])


def absent_sheets(
    table: pd.DataFrame,
    labels: Mapping[str, str],
    notes: Mapping[str, str],
    without: Sequence[str],
) -> list[Sheet]:
    """Return a sheet of the metrics and methods that lack their network, and why, if any do.

    Args:
        table: of `colour_table`.
        labels: names to show of methods.
        notes: id of `NETWORKS` or of a method -> why it is absent.
        without: ids of the methods without metrics.
    """
    rows = [list(pair) for pair in _absent(pooled_rows(table), labels, notes, without)]
    return [Sheet([("", "Absent"), ("", "Why")], rows, [""] * len(rows))] if rows else []


def _absent(
    ours: pd.DataFrame,
    labels: Mapping[str, str],
    notes: Mapping[str, str],
    without: Sequence[str],
) -> list[tuple[str, str]]:
    """Return the metrics and methods that lack their network, and why."""
    metrics = [
        (needed, notes[network].strip())
        for network, (needed, (metric, *_)) in NETWORKS.items()
        if network in notes and ours[f"{metric}_mean"].isna().any()
    ]
    return metrics + [
        (labels.get(method, method), notes[method].strip()) for method in without if method in notes
    ]


def _spreads(ours: pd.DataFrame) -> str:
    splits = f"± of IS: over {SPLITS} splits"
    if max(ours.seeds) == 1:
        return f"One seed. {splits}."
    return (
        f"{spread_text(ours.seeds).capitalize()}; {splits}. Bold: ahead of all others by more than "
        "a deviation; not in LPIPS."
    )


def _few(ours: pd.DataFrame) -> list[str]:
    """Return the flaws of numbers of too few frames, or of frames without errors."""
    sentences = []
    if ((ours.frames_mean < ENOUGH) & ours[f"{FID.metric}_mean"].notna()).any():
        sentences.append(f"{FEW} FID is biased below {ENOUGH:,} frames: do not compare it.")
    if (ours.frames_undefined_mean > 0).any():
        sentences.append("PSNR: frames with an error only.")
    return sentences
