"""Tabulate the data sets, as the paper's table 2: length, frames, rate and classes."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from videottt.core.errors import InputError, absent
from videottt.data.check.reports import COLUMNS
from videottt.report.tables.caption import MORE, listed
from videottt.report.tables.sheets import ABSENT, Sheet, number

TITLE = "Table 2: video data sets"
COCO_VIDEOS = "coco_videos"

# Column, in ours and in the paper's table -> heading, number format.
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
        # As numbers, ids of videos would lose leading zeros, or 1e6 become a million.
        table = pd.read_csv(file, dtype={"dataset": str, "split": str, "video": str})
    except ValueError as error:
        raise InputError(f"{file}: not a {what} ({error}); make it again") from None
    missing = [name for name in columns if name not in table]
    if missing:
        raise InputError(f"{file}: not a {what}: no column '{missing[0]}'; make it again")
    return table


def data_table(reports: pd.DataFrame, paper: pd.DataFrame) -> pd.DataFrame:
    """Return every number of the data sets: those of the paper in its order, then the others.

    Args:
        reports: of `read_reports`.
        paper: of `read_paper`.

    Returns:
        dataset, label, videos, the columns of `COMPARED`, labelled (frames with labels), problems,
        and ``paper_<name>`` for each of `COMPARED`. ``mean_length_s``: seconds of all videos by
        their number; ``fps``: frames of all videos by their seconds. None: no such number.

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
    # dtype=object keeps None.
    return pd.DataFrame(rows, dtype=object)


def _ours(rows: pd.DataFrame) -> dict[str, Any]:
    frames = int(rows.frames.sum())
    # Stills have no duration.
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
    columns["", "videos"] = [number(value, ".0f") for value in table.videos]
    for name, (heading, form) in COMPARED.items():
        columns[heading, "ours"] = [number(value, form) for value in table[name]]
        columns[heading, "paper"] = [number(value, form) for value in table[f"paper_{name}"]]
    columns["", "labelled"] = [number(value, ",.0f") for value in table.labelled]
    rows = [list(row) for row in zip(*columns.values(), strict=True)]
    groups = ["paper" if videos is None else "ours" for videos in table.videos]
    return Sheet(list(columns), rows, groups)


def data_caption(table: pd.DataFrame) -> str:
    """Return how to read table 2, and why ours and the paper's numbers may differ."""
    checked = table[table.videos.notna()]
    rows = checked.to_dict("records")
    sentences = [
        "length: mean over videos. frames: of all videos. labelled: frames with labels. ours: "
        f"counted in the copy used here. {ABSENT}: not used here, or not published."
    ]
    rounded = [_rounded(row) for row in rows if _is_rounded(row)]
    if rounded:
        sentences.append(f"The paper's frames and rate give another length: {'; '.join(rounded)}.")
    if COCO_VIDEOS in set(checked.dataset):
        sentences.append("COCO Videos: the paper reports on three of the ten released videos.")
    problems = [f"{row['label']} ({row['problems']})" for row in rows if row["problems"]]
    if problems:
        sentences.append(
            f"Not the published data, because check-data reports problems: {listed(problems)}."
        )
    return " ".join([*sentences, MORE])


def _is_rounded(row: dict[str, Any]) -> bool:
    """Return whether the paper's own frames give another length than the paper states."""
    same = row["frames"] == row["paper_frames"] and row["fps"] is not None
    return same and row["mean_length_s"] != row["paper_mean_length_s"]


def _rounded(row: dict[str, Any]) -> str:
    return f"{row['label']} {row['mean_length_s']:.1f} s, not {row['paper_mean_length_s']:g}"
