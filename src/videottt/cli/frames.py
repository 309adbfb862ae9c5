"""Verbs of rules/frames.smk: from a layout on disk to a frame store."""

import argparse
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from videottt.cli.arguments import add_verb, settings
from videottt.frames import SourceFrame

logger = logging.getLogger(__name__)


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
        help="JSON: layout, classes, fps; optional things, canvas, first and last frame name",
    )
    verb.add_argument("--output", required=True, type=Path)


@dataclass(frozen=True)
class IngestSettings:
    """What to read, and what it means.

    Attributes:
        layout: name of the layout on disk.
        fps: frames a second.
        classes: names of the classes, in the order of their indices.
        things: names of those whose objects are counted one by one.
        canvas: (H, W) that holds stills of several sizes; None = all frames have one size.
        first: name of the first frame; None = from the beginning.
        last: name of the last frame; None = to the end.
    """

    layout: str
    fps: float
    classes: tuple[str, ...]
    things: tuple[str, ...] = ()
    canvas: tuple[int, int] | None = None
    first: str | None = None
    last: str | None = None


def ingest(options: argparse.Namespace) -> None:
    """Read one video of a data set into a frame store."""
    from videottt.datasets import layout_named
    from videottt.frames import write_frames
    from videottt.provenance import provenance
    from videottt.segments import ClassSpace
    from videottt.settings import build_settings

    values = build_settings(IngestSettings, options.settings, "ingest")
    space = ClassSpace(values.classes, values.things)
    frames = layout_named(values.layout)(options.root, options.split, options.video, space)
    count = write_frames(
        options.output,
        _between(frames, values.first, values.last),
        dataset=options.dataset,
        video=options.video,
        fps=values.fps,
        classes=values.classes,
        things=values.things,
        canvas=values.canvas,
        provenance=provenance(layout=values.layout, split=options.split),
    )
    logger.info("%d frames of '%s'", count, options.video)


def _between(
    frames: Iterator[SourceFrame], first: str | None, last: str | None
) -> Iterator[SourceFrame]:
    for frame in frames:
        if (first is None or frame.name >= first) and (last is None or frame.name <= last):
            yield frame
