"""Verbs of rules/frames.smk: from a layout on disk to a frame store."""

import argparse
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from videottt.cli.arguments import add_verb, settings
from videottt.core.errors import InputError
from videottt.store.frames import SourceFrame

logger = logging.getLogger(__name__)

# Seconds: some containers round time stamps to a thousandth.
ROUNDING = 1e-3


def add_verbs(verbs: Any) -> None:
    """Add `ingest`."""
    verb = add_verb(verbs, "ingest", ingest)
    verb.add_argument("--dataset", required=True)
    verb.add_argument("--split", required=True)
    verb.add_argument("--video", required=True)
    verb.add_argument("--root", required=True, type=Path, help="folder of the data set")
    verb.add_argument(
        "--settings",
        required=True,
        type=settings,
        help="JSON: layout; optional classes, things, fps, canvas, first and last frame name",
    )
    verb.add_argument("--output", required=True, type=Path)


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
    """

    layout: str
    classes: tuple[str, ...] = ()
    fps: float | None = None
    things: tuple[str, ...] = ()
    canvas: tuple[int, int] | None = None
    first: str | None = None
    last: str | None = None

    def __post_init__(self) -> None:
        if self.fps is not None and self.fps <= 0:
            raise InputError(f"ingest: 'fps' is {self.fps}, but must be above 0; correct it")
        if self.canvas is not None and min(self.canvas) < 1:
            raise InputError(
                f"ingest: 'canvas' is {list(self.canvas)}, but must be a height and a width of at "
                "least 1; correct it"
            )


def ingest(options: argparse.Namespace) -> None:
    """Read one video of a data set into a frame store."""
    from videottt.core.provenance import provenance
    from videottt.core.segments import ClassSpace
    from videottt.core.settings import build_settings
    from videottt.data.layouts import layout_named
    from videottt.store.frames import write_frames

    values = build_settings(IngestSettings, options.settings, "ingest")
    space = ClassSpace(values.classes, values.things)
    place = options.root, options.split, options.video
    frames = layout_named(values.layout)(*place, space)
    wanted = _between(
        _reported(frames, _expected(values.layout, *place)), values.first, values.last
    )
    count = write_frames(
        options.output,
        sampled(wanted, values.fps),
        dataset=options.dataset,
        video=options.video,
        fps=values.fps,
        classes=values.classes,
        things=values.things,
        canvas=values.canvas,
        provenance=provenance(layout=values.layout, split=options.split, fps=values.fps),
    )
    logger.info("%d frames of '%s'", count, options.video)


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


def _expected(layout: str, root: Path, split: str, video: str) -> int | None:
    """Return about how many frames there will be, where the layout can say so beforehand."""
    from videottt.data.layouts import list_layouts

    says = getattr(list_layouts()[layout], "frames_expected", None)
    return says(root, split, video) if says else None


def _reported(frames: Iterable[SourceFrame], expected: int | None) -> Iterator[SourceFrame]:
    """Yield the frames and log how many have been read, how fast, and how long it will take."""
    from videottt.core.progress import Progress

    progress = Progress(expected or 0, "frames read")
    for count, frame in enumerate(frames, start=1):
        yield frame
        # The estimate may be too low.
        if expected and count < expected:
            progress.report(count)


def _between(
    frames: Iterable[SourceFrame], first: str | None, last: str | None
) -> Iterator[SourceFrame]:
    from videottt.data.layouts.listing import is_within

    for frame in frames:
        if is_within(frame.name, first, last):
            yield frame
