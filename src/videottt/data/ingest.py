"""Read one video of a data set, in whatever layout, into a frame store."""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from videottt.core.errors import InputError
from videottt.core.progress import Progress
from videottt.core.provenance import provenance
from videottt.core.segments import ClassSpace
from videottt.data.layouts import layout_named
from videottt.data.layouts.listing import is_within
from videottt.store.frames import write_frames
from videottt.store.source_frame import SourceFrame

logger = logging.getLogger(__name__)

# Seconds: some containers round time stamps to a thousandth.
ROUNDING = 1e-3


@dataclass(frozen=True)
class IngestSettings:
    """What to read, and what it means.

    Attributes:
        layout: name of the layout on disk.
        classes: names of the classes, in the order of their indices; none of a video without
            labels that is not to be segmented.
        fps: frames a second. Where frames have time stamps the most that are wanted, None = every
            one; where they have none it must be given.
        things: names of those whose objects are counted one by one.
        canvas: (H, W) that holds stills of several sizes; None = all frames have one size.
        first: name of the first frame; None = from the beginning.
        last: name of the last frame; None = to the end.

    Raises:
        InputError: a number is out of its range.
    """

    layout: str
    classes: tuple[str, ...] = ()
    fps: float | None = None
    things: tuple[str, ...] = ()
    canvas: tuple[int, int] | None = None
    first: str | None = None
    last: str | None = None

    def __post_init__(self) -> None:
        """Check the ranges."""
        if self.fps is not None and self.fps <= 0:
            raise InputError(f"ingest: 'fps' is {self.fps}, but must be above 0; correct it")
        if self.canvas is not None and min(self.canvas) < 1:
            raise InputError(
                f"ingest: 'canvas' is {list(self.canvas)}, but must be a height and a width of at "
                "least 1; correct it"
            )


def ingest(
    *, dataset: str, split: str, video: str, root: Path, settings: IngestSettings, output: Path
) -> None:
    """Read one video of a data set into a frame store.

    Args:
        dataset: id of the data set, for the store's attributes.
        split: what the split is called on disk.
        video: id of the video.
        root: folder of the data set.
        settings: what to read, and what it means.
        output: frame store to write.

    Raises:
        InputError: there is no such layout, or the video is not as it should be.
    """
    layout = layout_named(settings.layout)
    frames = layout.read(root, split, video, ClassSpace(settings.classes, settings.things))
    expected = layout.frames_expected and layout.frames_expected(root, split, video)
    wanted = _between(_reported(frames, expected), settings.first, settings.last)
    count = write_frames(
        output,
        sampled(wanted, settings.fps),
        dataset=dataset,
        video=video,
        fps=settings.fps,
        classes=settings.classes,
        things=settings.things,
        canvas=settings.canvas,
        provenance=provenance(layout=settings.layout, split=split, fps=settings.fps),
    )
    logger.info("%d frames of '%s'", count, video)


def sampled(frames: Iterable[SourceFrame], fps: float | None) -> Iterator[SourceFrame]:
    """Yield those frames that make at most `fps` a second by their time stamps.

    Of the instants k / fps after the first frame, each takes the first frame that is not before it;
    none is taken twice. Frames without time stamps are all taken, and so are all if `fps` is None.

    Raises:
        InputError: a frame has no time stamp, and there is no `fps` to give it one.
    """
    start, instant = None, 0
    for frame in frames:
        if fps is None and frame.timestamp is None:
            raise InputError(
                f"frame '{frame.name}': this layout has no time stamps; say how many frames a "
                "second there are, as 'fps' of the data set in config.yaml"
            )
        if fps is None or frame.timestamp is None:
            yield frame
            continue
        start = frame.timestamp if start is None else start
        # In periods; at high rates the rounding must stay well below one.
        elapsed = (frame.timestamp - start + min(ROUNDING, 0.25 / fps)) * fps
        if elapsed >= instant:
            yield frame
            instant = int(elapsed) + 1


def _reported(frames: Iterable[SourceFrame], expected: int | None) -> Iterator[SourceFrame]:
    """Yield the frames and log how many have been read, how fast, and how long it will take."""
    progress = Progress(expected or 0, "frames read")
    for count, frame in enumerate(frames, start=1):
        yield frame
        # The estimate may be too low.
        if expected and count < expected:
            progress.report(count)


def _between(
    frames: Iterable[SourceFrame], first: str | None, last: str | None
) -> Iterator[SourceFrame]:
    for frame in frames:
        if is_within(frame.name, first, last):
            yield frame
