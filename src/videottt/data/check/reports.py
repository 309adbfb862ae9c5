"""What was found of the videos of a data set, as a table and as CSV."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

from tabulate import tabulate

from videottt.data.layouts.listing import size_text

COLUMNS = (
    "dataset", "split", "video", "frames", "published", "labelled", "published_labelled", "height",
    "width", "fps", "duration_s", "classes", "problems",
)  # fmt: skip


@dataclass(frozen=True)
class VideoReport:
    """What was found of one video, or of the stills of one folder.

    Attributes:
        dataset: id of the data set.
        split: id of its split.
        video: its id.
        frames: how many there are.
        published: how many are published; None if that is not.
        labelled: how many have labels.
        published_labelled: how many of them are published, where not all have labels.
        size: (H, W) of most frames; None if none can be read.
        fps: frames a second; None of stills.
        duration_s: its length; None of stills.
        classes: of the data set.
        problems: one line each: file, what is wrong with it, how to mend it.
    """

    dataset: str
    split: str
    video: str
    frames: int
    published: int | None
    labelled: int
    published_labelled: int | None
    size: tuple[int, int] | None
    fps: float | None
    duration_s: float | None
    classes: int
    problems: tuple[str, ...]


def problems_in(reports: Sequence[VideoReport]) -> list[str]:
    """Return every problem of some videos, one line each."""
    return [problem for report in reports for problem in report.problems]


def report_csv(reports: Sequence[VideoReport]) -> str:
    """Return reports as CSV with `COLUMNS`; what is not known is empty, problems are counted."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for each in reports:
        height, width = each.size or (None, None)
        found = {"height": height, "width": width, "problems": len(each.problems)}
        row = (found.get(name, getattr(each, name, None)) for name in COLUMNS)
        writer.writerow([f"{cell:.6g}" if isinstance(cell, float) else cell for cell in row])
    return text.getvalue()


def report_text(reports: Sequence[VideoReport]) -> str:
    """Return reports as a table to read, with a row for all videos."""
    rows = [
        [
            each.split,
            each.video,
            each.frames,
            _text(each.published),
            each.labelled,
            "–" if each.size is None else size_text(each.size),
            _text(each.fps),
            _text(each.duration_s),
            len(each.problems),
        ]
        for each in reports
    ]
    rows.append(
        [
            "all",
            len(reports),
            sum(each.frames for each in reports),
            _text(_sum([each.published for each in reports])),
            sum(each.labelled for each in reports),
            "",
            "",
            _text(_sum([each.duration_s for each in reports])),
            sum(len(each.problems) for each in reports),
        ]
    )
    headings = ("split", "video", "frames", "published", "labelled", "size", "fps", "duration_s",
                "problems")  # fmt: skip
    left = ("split", "video", "size")
    alignment = ["left" if each in left else "right" for each in headings]
    # Text as it is: 0002 stays 0002.
    return tabulate(rows, headings, disable_numparse=True, colalign=alignment)


def _sum(values: Sequence[float | None]) -> float | None:
    """Return the sum of some numbers, None unless all are known."""
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None


def _text(value: float | None) -> str:
    return "–" if value is None else f"{round(value, 2):g}"
