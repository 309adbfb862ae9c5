"""Table 2: how long the videos of each data set are, and the paper's numbers beside ours."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from videottt.core.errors import InputError, absent
from videottt.data.check.reports import COLUMNS
from videottt.report.tables.sheets import ABSENT, Sheet, number

TITLE = "Table 2: video data sets"
COCO_VIDEOS = "coco_videos"

# Column -> how it is headed, and the form in which it is written. The paper has the same ones.
COMPARED = {
    "mean_length_s": ("length (s)", ".1f"),
    "frames": ("frames", ",.0f"),
    "fps": ("frames a second", ".4g"),
    "classes": ("classes", ".0f"),
}


def read_reports(files: Sequence[Path]) -> pd.DataFrame:
    """Read reports of `videottt check-data`, one row a video.

    Raises:
        InputError: a file is absent or no such report.
    """
    reports = [_read(file, COLUMNS, "report of 'videottt check-data'") for file in files]
    return pd.concat(reports, ignore_index=True) if reports else pd.DataFrame(columns=COLUMNS)


def read_paper(file: Path) -> pd.DataFrame:
    """Read the paper's table 2: dataset, label, and the columns of `COMPARED`.

    Raises:
        InputError: the file is absent or no such table.
    """
    return _read(file, ("dataset", "label", *COMPARED), "table of the paper's data sets")


def _read(file: Path, columns: Sequence[str], what: str) -> pd.DataFrame:
    if not file.is_file():
        raise absent(file)
    try:
        # Ids of videos are numbers with leading zeros, or look like 1e6.
        table = pd.read_csv(file, dtype={"dataset": str, "split": str, "video": str})
    except ValueError as error:
        raise InputError(f"{file}: not a {what} ({error}); make it again") from None
    missing = [name for name in columns if name not in table]
    if missing:
        raise InputError(f"{file}: not a {what}: no column '{missing[0]}'; make it again")
    return table


def data_table(reports: pd.DataFrame, paper: pd.DataFrame) -> pd.DataFrame:
    """Return every number of the data sets: the paper's in its order, then the others.

    Args:
        reports: of `read_reports`.
        paper: of `read_paper`.

    Returns:
        dataset, label, videos, the columns of `COMPARED`, labelled (frames with labels), problems,
        and ``paper_<name>`` for each of `COMPARED`. ``mean_length_s``: seconds of all videos by
        their number; ``fps``: frames of all videos by their seconds. None: there is no such number.

    Raises:
        InputError: there is neither a report nor a row of the paper.
    """
    ours = {dataset: _ours(rows) for dataset, rows in reports.groupby("dataset", sort=False)}
    theirs = {row["dataset"]: row for row in paper.to_dict("records")}
    nothing = dict.fromkeys(("videos", *COMPARED, "labelled", "problems"))
    rows = []
    for dataset in dict.fromkeys([*theirs, *ours]):
        stated = theirs.get(dataset, {})
        row = {"dataset": dataset, "label": stated.get("label", dataset)}
        row |= ours.get(dataset, nothing)
        rows.append(row | {f"paper_{name}": _known(stated.get(name)) for name in COMPARED})
    if not rows:
        raise InputError("table 2: no data set; check one first, with 'videottt check-data'")
    # Objects, because of None.
    return pd.DataFrame(rows, dtype=object)


def _ours(rows: pd.DataFrame) -> dict[str, Any]:
    frames = int(rows.frames.sum())
    # Not of stills, of which there are none.
    duration_s = float(rows.duration_s.sum()) if rows.duration_s.notna().all() else None
    return {
        "videos": len(rows),
        "mean_length_s": duration_s / len(rows) if duration_s is not None else None,
        "frames": frames,
        "fps": frames / duration_s if duration_s else None,
        "classes": int(rows.classes.max()) or None,
        "labelled": int(rows.labelled.sum()),
        "problems": int(rows.problems.sum()),
    }


def _known(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else value


def data_sheet(table: pd.DataFrame) -> Sheet:
    """Return table 2 as text: ours beside the paper's, column by column."""
    columns = {("", "Data"): list(table.label)}
    columns["", "videos"] = [number(each, ".0f") for each in table.videos]
    for name, (heading, form) in COMPARED.items():
        columns[heading, "ours"] = [number(each, form) for each in table[name]]
        columns[heading, "paper"] = [number(each, form) for each in table[f"paper_{name}"]]
    columns["", "labelled"] = [number(each, ",.0f") for each in table.labelled]
    rows = [list(row) for row in zip(*columns.values(), strict=True)]
    groups = ["paper" if each is None else "ours" for each in table.videos]
    return Sheet(list(columns), rows, groups)


def data_caption(table: pd.DataFrame) -> str:
    """Return what the numbers of table 2 are, and why ours and the paper's may differ."""
    checked = table[table.videos.notna()]
    sentences = [
        "length: mean over videos. frames: of all videos. labelled: how many of them have labels. "
        f"ours: counted in the copy that is used here. {ABSENT}: not used here, not published, or "
        "no such number.",
        *(_rounded(row) for row in checked.to_dict("records") if _is_rounded(row)),
    ]
    if COCO_VIDEOS in set(checked.dataset):
        sentences.append(
            "COCO Videos: ten are released, the paper reports on three and does not say on which; "
            "its 134 classes are those of COCO panoptic and void."
        )
    sentences += [
        f"{row['label']}: {row['problems']} problems were found, so that these are not the "
        "published data."
        for row in checked.to_dict("records")
        if row["problems"]
    ]
    return " ".join(sentences)


def _is_rounded(row: dict[str, Any]) -> bool:
    """Return whether the paper's own frames make another length than the paper's."""
    same = row["frames"] == row["paper_frames"] and row["fps"] is not None
    return same and row["mean_length_s"] != row["paper_mean_length_s"]


def _rounded(row: dict[str, Any]) -> str:
    return (
        f"{row['label']}: the paper's {row['frames']:,} frames at {row['fps']:.4g} a second are "
        f"{row['mean_length_s']:.1f} s a video, where it says {row['paper_mean_length_s']:g}."
    )
