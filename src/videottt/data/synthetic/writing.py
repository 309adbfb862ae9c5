"""Render a video, or stills, into a folder that looks like a real data set's."""

import logging
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from videottt.core.errors import InputError
from videottt.core.segments import ClassSpace
from videottt.core.settings import build_settings
from videottt.data.layouts import writer_named
from videottt.data.synthetic import Phase, RenderedFrame, render_stills, render_video
from videottt.store.source_frame import SourceFrame

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

    Raises:
        InputError: `label_every` is below 1.
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
        """Check the range of `label_every`."""
        if self.label_every < 1:
            raise InputError(f"render: label_every must be at least 1, got {self.label_every}")


def write_rendered(*, split: str, video: str, settings: RenderSettings, output: Path) -> None:
    """Render a video (or, without phases, training stills), whole or not at all.

    Args:
        split: what the split is called on disk.
        video: id of the video.
        settings: what to render.
        output: folder to write; what it held is replaced.

    Raises:
        InputError: the layout is not one that is written, a setting is out of its range, or the
            folder cannot be written.
    """
    write = writer_named(settings.layout)
    space = ClassSpace(settings.classes, settings.things)
    frames = _labelled(_rendered(video, settings), settings.label_every)
    part = output.with_name(output.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        count = write(part, split, video, frames, space)
        shutil.rmtree(output, ignore_errors=True)
        part.rename(output)
    except OSError as error:
        raise InputError(f"{output}: cannot be written: {error.strerror}") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    logger.info("rendered %d frames of '%s'", count, video)


def _rendered(video: str, settings: RenderSettings) -> Iterator[RenderedFrame]:
    if not settings.phases:
        return render_stills(settings.frames, settings.size, settings.seed)
    phases = [build_settings(Phase, phase, "render: phase") for phase in settings.phases]
    return render_video(video, phases, settings.frames, settings.size, settings.seed)


def _labelled(frames: Iterator[RenderedFrame], every: int) -> Iterator[SourceFrame]:
    """Yield the frames by their numbers, one in `every` with its labels."""
    for index, frame in enumerate(frames):
        labels = (frame.semantic, frame.instance) if index % every == 0 else (None, None)
        yield SourceFrame(f"{index:06d}", frame.image, *labels)
