"""Read videos without labels: ``<video>.<any suffix>``, or a folder of images ``<video>/``.

A file may have any format that ffmpeg reads; its frames have time stamps. Images are read in the
natural order of their names, 2 before 10, and have no time stamps.
"""

import contextlib
import logging
from collections.abc import Generator, Iterator
from pathlib import Path

from videottt.core.errors import InputError, nearest
from videottt.core.segments import ClassSpace
from videottt.data.layouts.containers import declared_size
from videottt.data.layouts.ffmpeg_decoder import damaged, decode, estimated_frames, re_encoding
from videottt.data.layouts.images import STILLS, list_images, natural_order, read_upright
from videottt.store.source_frame import SourceFrame

logger = logging.getLogger(__name__)


def read(root: Path, split: str, video: str, space: ClassSpace) -> Iterator[SourceFrame]:
    """Read every frame of one video in order.

    Args:
        root: the folder that holds the videos.
        split: unused, since this layout has no splits.
        video: name of the file without its suffix, or of the folder of images.
        space: unused, since there are no labels.

    Raises:
        InputError: as `find_source` and `read_video`.
    """
    return read_video(find_source(root, video))


def frames_expected(root: Path, split: str, video: str) -> int | None:
    """Return the approximate number of frames of a video; None if only reading tells."""
    source = find_source(root, video)
    if source.is_dir():
        return len(list_images(source, STILLS))
    _check_file(source)
    return estimated_frames(source)


def find_source(root: Path, video: str) -> Path:
    """Return the file or the folder of a video.

    Raises:
        InputError: there is no such video, or more than one.
    """
    beside = sorted(root.iterdir()) if root.is_dir() else []
    sources = [p for p in beside if p.name == video] or [
        p for p in beside if p.stem == video and not p.is_dir()
    ]
    if not sources:
        named = {p.name if p.is_dir() else p.stem for p in beside if not p.name.startswith(".")}
        hint = nearest(video, named) if named else f"put it there, as {video}.mp4 for example"
        raise InputError(f"{root / video}: no such video, of any suffix; {hint}")
    if len(sources) > 1:
        names = ", ".join(p.name for p in sources)
        raise InputError(
            f"{root / video}: which of {names} is the video? Keep one, or rename the others"
        )
    return sources[0]


def read_video(path: Path) -> Generator[SourceFrame, None, None]:
    """Read every frame of a video file or a folder of images, one by one.

    Frames are named by their number from 0, images by their files. The memory needed does not grow
    with the length.

    Raises:
        InputError: `path` does not exist; the file cannot be decoded, see `decode`; its time
            stamps do not ascend; or two images differ by their suffix alone.
    """
    return _images(path) if path.is_dir() else _frames(path)


def _frames(path: Path) -> Generator[SourceFrame, None, None]:
    _check_file(path)
    before = None
    with contextlib.closing(decode(path)) as pictures:
        for index, picture in enumerate(pictures):
            if index == 0 and picture.aspect not in (None, 1):
                height, width = picture.pixels.shape[:2]
                logger.info(
                    "%s: its pixels are not square (%d:%d); frames stay %dx%d as they are stored",
                    path, *picture.aspect.as_integer_ratio(), width, height,
                )  # fmt: skip
            if before is not None and picture.timestamp <= before:
                raise InputError(
                    f"{path}: time stands still or goes back at frame {index} ({before:.10g} s, "
                    f"then {picture.timestamp:.10g} s); re-encode it with new time stamps: "
                    + re_encoding(path, "-fps_mode cfr")
                )
            before = picture.timestamp
            yield SourceFrame(f"{index:06d}", picture.pixels, timestamp=before)


def _check_file(path: Path) -> None:
    """Check that a video file exists and is not truncated, before it is decoded."""
    if not path.is_file():
        what = "not a file" if path.exists() else "no such file"
        raise InputError(f"{path}: {what}; give a video file or a folder of images")
    size = path.stat().st_size
    if size == 0:
        raise InputError(f"{path}: is empty; get a whole copy")
    declared = declared_size(path)
    if declared is not None and declared > size:
        raise InputError(damaged(path, f"{size} of {declared} bytes are there"))


def _images(folder: Path) -> Generator[SourceFrame, None, None]:
    names: dict[str, Path] = {}
    for path in sorted(list_images(folder, STILLS), key=lambda image: natural_order(image.name)):
        if path.stem in names:
            raise InputError(
                f"{path}: has the same name as {names[path.stem].name}; keep one of them"
            )
        names[path.stem] = path
        yield SourceFrame(path.stem, read_upright(path))
