"""Look at a video by its files, by its frames, or by the header of a film."""

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

# Frames of a film that are decoded to know its rate.
DECODED = 31

# A label map, its size (H, W), and that of its frame.
Unlike = tuple[Path, tuple[int, int], tuple[int, int]]


@dataclass
class Findings:
    """What was found of a video.

    Attributes:
        frames: how many there are.
        uncertain: by how many that may be wrong.
        labelled: of each frame whether it has labels.
        sizes: (H, W) -> what has that size.
        folders: that its images lie in.
        stills: whether these are single images.
        fps: frames a second, by time timestamps.
        duration_s: its length, likewise.
        problems: one line each.
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
        """Return the size (H, W) of most frames; None if none is known."""
        return max(self.sizes, key=lambda size: len(self.sizes[size]), default=None)


def of_files(
    listing: Listing,
    span: Mapping[str, str],
    space: ClassSpace,
    sample: int,
    video: str,
) -> Findings:
    """Return what is found of the files of a video: of each its header and its end.

    Args:
        listing: the files.
        span: ``first`` and ``last`` name of the part that is used, if it is not all.
        space: the classes.
        sample: how many frames to read whole, evenly spread.
        video: its id, for the log.
    """
    found = Findings(stills=listing.stills)
    found.problems += [str(problem) for problem in listing.problems]
    found.problems += [
        f"{path}: belongs to no frame; remove it, or restore what it belongs to"
        for path in listing.strays
    ]
    frames = listing.frames
    if span:
        frames = [each for each in frames if is_within(each.name, **span)]
    found.frames = len(frames)
    spread = np.linspace(0, len(frames) - 1, min(sample, len(frames)))
    chosen = set(spread.round().astype(int).tolist())
    unlike: list[Unlike] = []
    progress = Progress(len(frames), "frames")
    for index, frame in enumerate(frames):
        checked = check_files(frame)
        differing = _differing(checked)
        if index in chosen and not checked.problems and not differing:
            checked.problems += _read_whole(frame, space)
        unlike += differing
        found.problems += checked.problems
        found.labelled.append(bool(frame.maps))
        found.folders.add(frame.image.parent)
        if checked.size is not None:
            found.sizes.setdefault(checked.size, []).append(str(frame.image))
        progress.report(index + 1, f"video '{video}'")
    found.problems += [
        f"{path}: is {size_text(own)}, but its frame is {size_text(size)}; restore both from the "
        "data set"
        for path, own, size in unlike
        # In a video, that the frame itself is unlike the others is said of the frame.
        if listing.stills or size == found.size
    ]
    return found


def _differing(checked: Checked) -> list[Unlike]:
    """Return the label maps of a frame that are not as large as it."""
    size = checked.size
    if size is None:
        return []
    return [(path, own, size) for path, own in checked.map_sizes.items() if own != size]


def _read_whole(frame: FrameFiles, space: ClassSpace) -> list[str]:
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
    """Return what is found of a video by reading every frame, up to the first that cannot be read.

    Args:
        frames: of the video.
        span: ``first`` and ``last`` name of the part that is used, if it is not all.
        space: the classes.
    """
    found = Findings()
    try:
        for frame in frames:
            if not is_within(frame.name, **span):
                continue
            found.frames += 1
            found.labelled.append(frame.semantic is not None)
            found.sizes.setdefault(frame.image.shape[:2], []).append(f"frame '{frame.name}'")
            found.problems += _unknown_classes(frame, space, f"frame '{frame.name}'")
    except InputError as error:
        found.problems.append(str(error))
    return found


def of_film(path: Path, frames: int | None) -> Findings:
    """Return what is found of a video file by its header and its first frames.

    Args:
        path: of the file.
        frames: how many there are by its header; None = it does not say, all are decoded.

    Raises:
        InputError: it cannot be read.
    """
    found = Findings(uncertain=0 if frames is None else 1)
    with contextlib.closing(read_video(path)) as decoded:
        some = decoded if frames is None else itertools.islice(decoded, DECODED)
        timestamps = []
        for frame in some:
            timestamps.append(frame.timestamp)
            found.sizes.setdefault(frame.image.shape[:2], []).append(str(path))
    found.frames = len(timestamps) if frames is None else frames
    found.labelled = [False] * found.frames
    gaps = np.diff(np.array(timestamps, np.float64))
    if gaps.size:
        # A pause is no slower rate.
        found.fps = float(1 / gaps[gaps < 2 * np.median(gaps)].mean())
        found.duration_s = found.frames / found.fps
    return found
