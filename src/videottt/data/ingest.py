"""Read one video of a data set, in any layout, into a frame store."""

import logging
from collections.abc import Iterable, Iterator
from pathlib import Path

from videottt.core.annotations import Count, Positive
from videottt.core.errors import InputError
from videottt.core.progress import Progress
from videottt.core.provenance import provenance, recorded
from videottt.core.segments import ClassSpace
from videottt.core.settings import settings
from videottt.data.layouts import layout_named
from videottt.data.layouts.listing import is_within
from videottt.store.frames import write_frames
from videottt.store.source_frame import SourceFrame

logger = logging.getLogger(__name__)

# In seconds; some containers round time stamps to a thousandth.
ROUNDING = 1e-3


@settings
class IngestSettings:
    """Settings of the frames to read and of their labels.

    Attributes:
        layout: name of the layout on disk.
        classes: names of the classes, in the order of their indices; empty for a video without
            labels that is not to be segmented.
        fps: frames a second. With time stamps, the highest rate to keep, and None keeps every
            frame; without time stamps, the rate of the frames, which must be given.
        things: names of the classes whose objects are told apart.
        canvas: (H, W) that holds stills of several sizes; None means that all frames have one size.
        first: name of the first frame to read; None reads from the beginning.
        last: name of the last frame to read; None reads to the end.
    """

    layout: str
    classes: tuple[str, ...] = ()
    fps: Positive | None = None
    things: tuple[str, ...] = ()
    canvas: tuple[Count, Count] | None = None
    first: str | None = None
    last: str | None = None


def ingest(
    *, dataset: str, split: str, video: str, root: Path, settings: IngestSettings, output: Path
) -> None:
    """Read one video of a data set into a frame store.

    Args:
        dataset: id of the data set, for the store's attributes.
        split: name of the split on disk.
        video: id of the video.
        root: folder of the data set.
        settings: the frames to read, and their labels.
        output: the frame store to write.

    Raises:
        InputError: there is no such layout, or the video is incomplete or damaged.
    """
    layout = layout_named(settings.layout)
    frames = layout.read(root, split, video, ClassSpace(settings.classes, settings.things))
    expected = layout.frames_expected and layout.frames_expected(root, split, video)
    selected = _between(_with_progress(frames, expected), settings.first, settings.last)
    identity = provenance(layout=settings.layout, split=split, fps=settings.fps)
    count = write_frames(
        output,
        sampled(selected, settings.fps),
        dataset=dataset,
        video=video,
        fps=settings.fps,
        classes=settings.classes,
        things=settings.things,
        canvas=settings.canvas,
        provenance=recorded(identity),
    )
    logger.info("%d frames of '%s'", count, video)


def sampled(frames: Iterable[SourceFrame], fps: float | None) -> Iterator[SourceFrame]:
    """Yield at most `fps` frames a second, by their time stamps.

    Each instant k / fps after the first frame takes the first frame that is not before it; no frame
    is taken twice. Frames without time stamps are all taken, and all frames are if `fps` is None.

    Raises:
        InputError: a frame has no time stamp, and `fps` is None.
    """
    start, instant = None, 0
    for frame in frames:
        if fps is None and frame.timestamp is None:
            raise InputError(
                f"frame '{frame.name}': images have no time stamps; give their frames a "
                "second: --fps of videottt run, or 'fps' of the data set"
            )
        if fps is None or frame.timestamp is None:
            yield frame
            continue
        start = frame.timestamp if start is None else start
        # In periods; the tolerance for rounding must stay well below one period at high rates.
        elapsed = (frame.timestamp - start + min(ROUNDING, 0.25 / fps)) * fps
        if elapsed >= instant:
            yield frame
            instant = int(elapsed) + 1


def _with_progress(frames: Iterable[SourceFrame], expected: int | None) -> Iterator[SourceFrame]:
    """Yield the frames, and log the progress of reading them."""
    progress = Progress(expected or 0, "frames read")
    for count, frame in enumerate(frames, start=1):
        yield frame
        # The expected number is an estimate and may be too low.
        if expected and count < expected:
            progress.report(count)


def _between(
    frames: Iterable[SourceFrame], first: str | None, last: str | None
) -> Iterator[SourceFrame]:
    for frame in frames:
        if is_within(frame.name, first, last):
            yield frame
