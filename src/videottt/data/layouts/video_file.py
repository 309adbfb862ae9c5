"""Read videos without labels: ``<video>.<any suffix>``, or a folder of images ``<video>/``.

A file may have any format that ffmpeg reads; its frames have time stamps. Images are read in the
natural order of their names, 2 before 10, and have no time stamps. Each page of an image file, and
each moment of an animation, is a frame.
"""

import contextlib
import logging
from collections.abc import Generator, Iterator
from fractions import Fraction
from pathlib import Path

from videottt.core.errors import InputError, nearest
from videottt.core.segments import ClassSpace
from videottt.data.beside import FILMS, SIDECARS, is_hidden
from videottt.data.films.containers import declared_size, needed_size
from videottt.data.films.ffmpeg_decoder import Picture, damaged, decode, estimated_frames
from videottt.data.films.times import timed
from videottt.data.pictures.images import (
    STILLS,
    count_pages,
    is_still,
    list_stills,
    named_pages,
    natural_order,
    read_pages,
)
from videottt.store.source_frame import SourceFrame, is_plausible_aspect

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
        return sum(map(count_pages, list_stills(source)))
    if is_still(source):
        return count_pages(source)
    _check_file(source)
    return estimated_frames(source)


def find_source(root: Path, video: str) -> Path:
    """Return the file or the folder of a video.

    Of several files whose names differ by their suffixes alone, a film is the video, or else a file
    of no known kind, or else a picture; the others belong to it.

    Raises:
        InputError: there is no such video, or more than one.
    """
    beside = sorted(root.iterdir()) if root.is_dir() else []
    named = [path for path in beside if path.name == video]
    alike = [path for path in beside if path.stem == video and not path.is_dir()]
    kinds = named, *_by_kind(alike), alike if len(alike) == 1 else []
    sources: list[Path] = next(filter(None, kinds), [])
    if not sources:
        others = {p.name if p.is_dir() else p.stem for p in beside if not is_hidden(p.name)}
        whole = video if Path(video).suffix.lower() in FILMS else f"{video}.mp4"
        hint = nearest(video, others) if others else f"put it there, as {whole} for example"
        raise InputError(f"{root / video}: no such video, of any suffix; {hint}")
    if len(sources) > 1:
        names = ", ".join(p.name for p in sources)
        raise InputError(
            f"{root / video}: which of {names} is the video? Keep one, or rename the others"
        )
    return sources[0]


def _by_kind(files: list[Path]) -> tuple[list[Path], list[Path], list[Path]]:
    """Return the films, the files of no known kind, and the pictures."""
    known = FILMS + STILLS + SIDECARS
    return (
        [path for path in files if path.suffix.lower() in FILMS],
        [path for path in files if path.suffix.lower() not in known],
        [path for path in files if path.suffix.lower() in STILLS],
    )


def read_video(path: Path) -> Generator[SourceFrame, None, None]:
    """Read every frame of a video file or a folder of images, one by one.

    Frames are named by their number from 0, images by their files; several pages of a file have
    numbers behind its name. The memory needed does not grow with the length.

    Raises:
        InputError: `path` does not exist; the file cannot be decoded, see `decode`; most of its
            time stamps are wrong; or two images differ by their suffix alone.
    """
    if path.is_dir():
        return _images(path)
    return _still(path) if is_still(path) else _frames(path)


def is_film(path: Path) -> bool:
    """Return whether a video is a file whose frames have time stamps."""
    return path.is_file() and not is_still(path)


def _frames(path: Path) -> Generator[SourceFrame, None, None]:
    _check_file(path)
    aspects: list[Fraction | None] = []
    with contextlib.closing(decode(path)) as pictures:
        for index, (time, picture) in enumerate(timed(path, pictures)):
            if not index:
                pixel_aspect = float(_pixel_aspect(path, picture))
            if picture.aspect not in aspects:
                aspects.append(picture.aspect)
                if len(aspects) == 2:
                    logger.warning(
                        "%s: its pixels have another shape from frame %d on; that of the first "
                        "frame is kept", path, index,
                    )  # fmt: skip
            yield SourceFrame(
                f"{index:06d}", picture.pixels, timestamp=time, pixel_aspect=pixel_aspect
            )
    declared, size = declared_size(path), path.stat().st_size
    if declared is not None and declared > size:
        logger.warning(
            "%s: is said in its header to have %d bytes, and has %d; no frame is missing",
            path, declared, size,
        )  # fmt: skip


def _pixel_aspect(path: Path, picture: Picture) -> Fraction:
    """Return the width of a pixel divided by its height, 1 where the file's makes no sense."""
    aspect = picture.aspect or Fraction(1)
    if not is_plausible_aspect(aspect):
        logger.warning(
            "%s: its pixels are said to be %d:%d, which cannot be; they are taken to be square",
            path, *aspect.as_integer_ratio(),
        )  # fmt: skip
        return Fraction(1)
    if aspect != 1:
        height, width = picture.pixels.shape[:2]
        logger.info(
            "%s: its pixels are not square (%d:%d); frames stay %dx%d as they are stored, and "
            "films of them are shown in their true shape",
            path, *aspect.as_integer_ratio(), width, height,
        )  # fmt: skip
    return aspect


def _check_file(path: Path) -> None:
    """Check that a video file exists and is not truncated, before it is decoded."""
    if not path.is_file():
        what = "not a file" if path.exists() else "no such file"
        raise InputError(f"{path}: {what}; give a video file or a folder of images")
    size = path.stat().st_size
    if size == 0:
        raise InputError(f"{path}: is empty; get a whole copy")
    needed = needed_size(path)
    if needed > size:
        raise InputError(damaged(path, f"{size} of {needed} bytes are there"))


def _images(folder: Path) -> Generator[SourceFrame, None, None]:
    names: dict[str, Path] = {}
    for path in sorted(list_stills(folder), key=lambda image: natural_order(image.name)):
        for name, pixels in named_pages(path):
            if name in names:
                raise InputError(
                    f"{path}: has the same name as {names[name].name}; keep one of them"
                )
            names[name] = path
            yield SourceFrame(name, pixels)


def _still(path: Path) -> Generator[SourceFrame, None, None]:
    """Read the pages of a file that is the video itself; a single picture needs no rate."""
    start = None if count_pages(path) > 1 else 0.0
    for number, pixels in enumerate(read_pages(path)):
        yield SourceFrame(f"{number:06d}", pixels, timestamp=start)
