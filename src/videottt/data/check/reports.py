"""Format the reports on the videos of a data set, as a table and as CSV."""

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
    """The report on one video, or on the stills of one folder.

    Attributes:
        dataset: id of the data set.
        split: id of the split.
        video: id of the video.
        frames: number of frames.
        published: published number of frames; None if it is not published.
        labelled: number of frames with labels.
        published_labelled: published number of frames with labels; None if it is not published.
        size: most frequent (H, W) of a frame; None if no frame can be read.
        fps: frames a second; None for stills.
        duration_s: length in seconds; None for stills.
        classes: number of classes of the data set.
        problems: one line each: the file, what is wrong and how to mend it.
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
    """Return the problems of all videos, one line each."""
    return [problem for report in reports for problem in report.problems]


def report_csv(reports: Sequence[VideoReport]) -> str:
    """Format reports as CSV with `COLUMNS`; unknown values are empty, problems are counted."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for report in reports:
        height, width = report.size or (None, None)
        values = {"height": height, "width": width, "problems": len(report.problems)}
        row = (values.get(name, getattr(report, name, None)) for name in COLUMNS)
        writer.writerow([f"{cell:.6g}" if isinstance(cell, float) else cell for cell in row])
    return text.getvalue()


def report_text(reports: Sequence[VideoReport]) -> str:
    """Format reports as a text table, with a last row for all videos."""
    rows = [
        [
            report.split,
            report.video,
            report.frames,
            _text(report.published),
            report.labelled,
            "–" if report.size is None else size_text(report.size),
            _text(report.fps),
            _text(report.duration_s),
            len(report.problems),
        ]
        for report in reports
    ]
    rows.append(
        [
            "all",
            len(reports),
            sum(report.frames for report in reports),
            _text(_sum([report.published for report in reports])),
            sum(report.labelled for report in reports),
            "",
            "",
            _text(_sum([report.duration_s for report in reports])),
            sum(len(report.problems) for report in reports),
        ]
    )
    headings = ("split", "video", "frames", "published", "labelled", "size", "fps", "duration_s",
                "problems")  # fmt: skip
    left = ("split", "video", "size")
    alignment = ["left" if heading in left else "right" for heading in headings]
    # Numbers are not parsed, so that the video 0002 is not shown as 2.
    return tabulate(rows, headings, disable_numparse=True, colalign=alignment)


def _sum(values: Sequence[float | None]) -> float | None:
    """Return the sum of numbers, or None if any is unknown."""
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None


def _text(value: float | None) -> str:
    return "–" if value is None else f"{round(value, 2):g}"
