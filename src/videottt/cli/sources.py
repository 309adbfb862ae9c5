"""Verbs of rules/sources.smk: what has to exist before there are frames."""

import argparse
import logging
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from videottt.cli.arguments import add_verb, settings
from videottt.core.errors import InputError

if TYPE_CHECKING:
    from videottt.data.synthetic import RenderedFrame
    from videottt.store.frames import SourceFrame

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class RenderSettings:
    """What to render.

    Attributes:
        size: (H, W) in pixels.
        seed: of everything in the scene.
        frames: length of the video, or number of stills.
        phases: ``{"place": ..., "light": ...}`` one after the other; none for stills.
        layout: to write.
        label_every: one frame in so many is labelled, beginning with the first.
        classes: names of the classes, where the layout writes them.
        things: names of those whose objects are counted one by one.
    """

    size: tuple[int, int]
    seed: int
    frames: int
    phases: tuple[dict[str, str], ...] = ()
    layout: str = "kitti_step"
    label_every: int = 1
    classes: tuple[str, ...] = ()
    things: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.label_every < 1:
            raise InputError(f"render: label_every must be at least 1, got {self.label_every}")


def add_verbs(verbs: Any) -> None:
    """Add `render`."""
    verb = add_verb(verbs, "render", render)
    verb.add_argument("--split", required=True)
    verb.add_argument("--video", required=True)
    verb.add_argument(
        "--settings",
        required=True,
        type=settings,
        help='JSON: size, seed, frames and, for a video, phases [{"place", "light"}]; '
        "optional layout, label_every, classes, things",
    )
    verb.add_argument("--output", required=True, type=Path, help="folder to write")


def render(options: argparse.Namespace) -> None:
    """Render a video (or, without phases, training stills) of the embedded benchmark.

    Written in the layout of a real data set below the output folder.
    """
    from videottt.core.segments import ClassSpace
    from videottt.core.settings import build_settings
    from videottt.data.layouts import writer_named

    values = build_settings(RenderSettings, options.settings, "render")
    write = writer_named(values.layout)
    space = ClassSpace(values.classes, values.things)
    frames = _frames(options.video, values)
    part = options.output.with_name(options.output.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        count = write(part, options.split, options.video, frames, space)
        shutil.rmtree(options.output, ignore_errors=True)
        part.rename(options.output)
    except OSError as error:
        raise InputError(f"{options.output}: cannot be written: {error.strerror}") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    logger.info("rendered %d frames of '%s'", count, options.video)


def _frames(video: str, values: RenderSettings) -> Iterator["SourceFrame"]:
    from videottt.store.frames import SourceFrame

    for index, frame in enumerate(_rendered(video, values)):
        labels = (frame.semantic, frame.instance) if index % values.label_every == 0 else ()
        yield SourceFrame(f"{index:06d}", frame.image, *labels)


def _rendered(video: str, values: RenderSettings) -> Iterator["RenderedFrame"]:
    from videottt.core.settings import build_settings
    from videottt.data import synthetic

    if not values.phases:
        return synthetic.render_stills(values.frames, values.size, values.seed)
    phases = [build_settings(synthetic.Phase, phase, "render: phase") for phase in values.phases]
    return synthetic.render_video(video, phases, values.frames, values.size, values.seed)
