"""Render a video or stills into a folder with the layout of a real data set."""

import logging
import shutil
from collections.abc import Iterator
from pathlib import Path

from videottt.core.annotations import Count, Whole
from videottt.core.errors import InputError
from videottt.core.segments import ClassSpace
from videottt.core.settings import settings
from videottt.data.layouts import writer_named
from videottt.data.synthetic import RenderedFrame, render_stills, render_video
from videottt.settings.dataset import Phase
from videottt.store.source_frame import SourceFrame

logger = logging.getLogger(__name__)


@settings
class RenderSettings:
    """Settings of a rendered video, or of stills.

    Attributes:
        size: (H, W) in pixels.
        seed: seed of everything in the scene.
        frames: number of frames of the video, or of stills.
        phases: phases of the video in their order, ``{"place": ..., "light": ...}``; none for
            stills.
        layout: name of the layout to write.
        label_every: one frame in so many gets labels, beginning with the first.
        classes: names of the classes, if the layout writes them.
        things: names of the classes whose objects are told apart.
    """

    size: tuple[Count, Count]
    seed: Whole
    frames: Count
    phases: tuple[Phase, ...] = ()
    layout: str = "kitti_step"
    label_every: Count = 1
    classes: tuple[str, ...] = ()
    things: tuple[str, ...] = ()


def write_rendered(*, split: str, video: str, settings: RenderSettings, output: Path) -> None:
    """Render a video or, without phases, training stills; write all frames or none.

    Args:
        split: name of the split on disk.
        video: id of the video.
        settings: settings of the video or the stills.
        output: folder to write; its old content is replaced.

    Raises:
        InputError: the layout cannot be written, a setting is out of its range, or the folder
            cannot be written.
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
        raise InputError(
            f"{output}: cannot be written: {error.strerror}; free space or choose another folder"
        ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    logger.info("rendered %d frames of '%s'", count, video)


def _rendered(video: str, settings: RenderSettings) -> Iterator[RenderedFrame]:
    if not settings.phases:
        return render_stills(settings.frames, settings.size, settings.seed)
    return render_video(video, settings.phases, settings.frames, settings.size, settings.seed)


def _labelled(frames: Iterator[RenderedFrame], every: int) -> Iterator[SourceFrame]:
    """Yield the frames, named by their numbers, with labels for one frame in `every`."""
    for index, frame in enumerate(frames):
        labels = (frame.semantic, frame.instance) if index % every == 0 else (None, None)
        yield SourceFrame(f"{index:06d}", frame.image, *labels)
