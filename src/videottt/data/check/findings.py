"""Examine a video by its files, by its frames, or by the header of a video file."""

import contextlib
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from videottt.core.errors import InputError
from videottt.core.progress import Progress
from videottt.core.segments import VOID, ClassSpace
from videottt.data.check.files import Checked, check_files
from videottt.data.layouts.listing import FrameFiles, Listing, is_within, size_text
from videottt.data.layouts.video_file import read_video
from videottt.store.source_frame import SourceFrame

# Number of frames of a video file that are decoded to measure its rate.
DECODED = 31

# A label map, its size (H, W), and the size of its frame.
Mismatch = tuple[Path, tuple[int, int], tuple[int, int]]


@dataclass
class Findings:
    """Facts about a video on disk.

    Attributes:
        frames: number of frames.
        uncertain: largest error of that number.
        labelled: whether each frame has labels.
        sizes: (H, W) -> paths or names of the frames of that size.
        folders: folders of the images.
        stills: whether these are stills and no video.
        fps: frames a second, from the time stamps.
        duration_s: length in seconds, from the time stamps.
        problems: problems, one line each.
    """

    frames: int = 0
    uncertain: int = 0
    labelled: list[bool] = field(default_factory=list)
    sizes: dict[tuple[int, int], list[str]] = field(default_factory=dict)
    folders: set[Path] = field(default_factory=set)
    stills: bool = False
    fps: float | None = None
    duration_s: float | None = None
    problems: list[str] = field(default_factory=list)

    @property
    def size(self) -> tuple[int, int] | None:
        """Return the most frequent size (H, W) of a frame; None if no size is known."""
        return max(self.sizes, key=lambda size: len(self.sizes[size]), default=None)


def of_files(
    listing: Listing,
    span: Mapping[str, str],
    space: ClassSpace,
    sample: int,
    video: str,
) -> Findings:
    """Examine the files of a video by their headers and last bytes.

    Args:
        listing: the files.
        span: names of the ``first`` and the ``last`` frame that are used; empty for all.
        space: the classes.
        sample: number of frames to decode, evenly spread.
        video: id of the video, for the log.
    """
    findings = Findings(stills=listing.stills)
    findings.problems += [str(problem) for problem in listing.problems]
    findings.problems += [
        f"{path}: belongs to no frame; remove it, or restore its frame" for path in listing.strays
    ]
    frames = listing.frames
    if span:
        frames = [frame for frame in frames if is_within(frame.name, **span)]
    findings.frames = len(frames)
    spread = np.linspace(0, len(frames) - 1, min(sample, len(frames)))
    decoded = set(spread.round().astype(int).tolist())
    mismatches: list[Mismatch] = []
    progress = Progress(len(frames), "frames")
    for index, frame in enumerate(frames):
        checked = check_files(frame)
        differing = _mismatches(checked)
        if index in decoded and not checked.problems and not differing:
            checked.problems += _problems_of_content(frame, space)
        mismatches += differing
        findings.problems += checked.problems
        findings.labelled.append(bool(frame.maps))
        findings.folders.add(frame.image.parent)
        if checked.size is not None:
            findings.sizes.setdefault(checked.size, []).append(str(frame.image))
        progress.report(index + 1, f"video '{video}'")
    findings.problems += [
        f"{path}: is {size_text(own)}, but its frame is {size_text(size)}; restore both from the "
        "data set"
        for path, own, size in mismatches
        # A frame of a video that differs from the other frames is itself reported.
        if listing.stills or size == findings.size
    ]
    return findings


def _mismatches(checked: Checked) -> list[Mismatch]:
    """Return the label maps that differ in size from their frame."""
    size = checked.size
    if size is None:
        return []
    return [(path, own, size) for path, own in checked.map_sizes.items() if own != size]


def _problems_of_content(frame: FrameFiles, space: ClassSpace) -> list[str]:
    try:
        return _unknown_classes(frame.load(), space, str(frame.image))
    except InputError as error:
        return [str(error)]


def _unknown_classes(frame: SourceFrame, space: ClassSpace, where: str) -> list[str]:
    if frame.semantic is None:
        return []
    known = [*range(len(space.classes)), VOID]
    unknown = np.setdiff1d(np.unique(frame.semantic), known)
    if not unknown.size:
        return []
    return [
        f"{where}: its labels have class {unknown[0]}, but there are {len(space.classes)} classes; "
        "restore them from the data set, or correct 'classes' in config.yaml"
    ]


def of_frames(
    frames: Iterator[SourceFrame], span: Mapping[str, str], space: ClassSpace
) -> Findings:
    """Examine a video by decoding its frames, up to the first that cannot be read.

    Args:
        frames: the frames of the video.
        span: names of the ``first`` and the ``last`` frame that are used; empty for all.
        space: the classes.
    """
    findings = Findings()
    try:
        for frame in frames:
            if not is_within(frame.name, **span):
                continue
            findings.frames += 1
            findings.labelled.append(frame.semantic is not None)
            findings.sizes.setdefault(frame.image.shape[:2], []).append(f"frame '{frame.name}'")
            findings.problems += _unknown_classes(frame, space, f"frame '{frame.name}'")
    except InputError as error:
        findings.problems.append(str(error))
    return findings


def of_video_file(path: Path, frames: int | None) -> Findings:
    """Examine a video file by its header and its first frames.

    Args:
        path: the video file.
        frames: number of frames by its header; None if the header does not tell, and then all are
            decoded.

    Raises:
        InputError: the file cannot be read.
    """
    findings = Findings(uncertain=0 if frames is None else 1)
    with contextlib.closing(read_video(path)) as video:
        decoded = video if frames is None else itertools.islice(video, DECODED)
        timestamps = []
        for frame in decoded:
            timestamps.append(frame.timestamp)
            findings.sizes.setdefault(frame.image.shape[:2], []).append(str(path))
    findings.frames = len(timestamps) if frames is None else frames
    findings.labelled = [False] * findings.frames
    gaps = np.diff(np.array(timestamps, np.float64))
    if gaps.size:
        # Gaps of at least twice the median are pauses and do not count.
        findings.fps = float(1 / gaps[gaps < 2 * np.median(gaps)].mean())
        findings.duration_s = findings.frames / findings.fps
    return findings
