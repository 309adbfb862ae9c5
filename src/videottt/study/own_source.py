"""Keep the results of two videos apart: a folder of results notes which video they are of."""

import hashlib
import itertools
import json
import logging
import shlex
from dataclasses import asdict, dataclass
from pathlib import Path

from videottt.core.errors import InputError, visible
from videottt.core.files import sha256, write_text
from videottt.core.paths import with_name
from videottt.data.beside import is_hidden
from videottt.data.layouts.video_file import find_source
from videottt.data.pictures.images import is_still, list_stills
from videottt.store.frames import FrameStore

logger = logging.getLogger(__name__)

# In a folder of results.
RECORD = "source.json"
FRAMES = "frames.h5"


@dataclass(frozen=True)
class Source:
    """Which video some results are of.

    Attributes:
        video: the file or the folder of images, by its absolute path.
        sha256: of the file, or of the names and the SHA-256 of the images.
    """

    video: str
    sha256: str


def source_named(video: Path, fps: float | None) -> Path:
    """Return the file or the folder of a user's video, by a path that ends in its own name.

    Args:
        video: as the user names it.
        fps: frames a second, or None.

    Raises:
        InputError: there is no such video, or images come without their frames a second.
    """
    named = with_name(video)
    if not named.name:
        raise InputError(f"{video}: is no video; name a video file or a folder of images")
    if not (named.exists() or _has_more(named.parent)):
        raise InputError(f"{video}: no such video: {named.parent} has none; check the path")
    found = find_source(named.parent, named.name)
    if not (found.is_file() or found.is_dir()):
        raise InputError(f"{video}: is no file; name a video file or a folder of images")
    pictures = list_stills(found) if found.is_dir() else [found] if is_still(found) else []
    if pictures and fps is None:
        raise InputError(
            f"{video}: images have no time stamps; give their frames a second, such as --fps 25"
        )
    return found


def _has_more(folder: Path) -> bool:
    return folder.is_dir() and not all(is_hidden(path.name) for path in folder.iterdir())


def name_of(video: Path) -> str:
    """Return the name of a video's results: that of the folder, or of the file without suffix."""
    return visible(video.name if video.is_dir() else video.stem)


def source_of(video: Path) -> Source:
    """Return which video a file or a folder of images is.

    Raises:
        InputError: it is no file, and there is no image in it.
    """
    if video.is_dir():
        digest = hashlib.sha256()
        for image in list_stills(video):
            digest.update(f"{visible(image.name)}\n{sha256(image)}\n".encode())
        return Source(str(video.resolve()), digest.hexdigest())
    return Source(str(video.resolve()), sha256(video))


def check_same_video(folder: Path, video: Path, source: Source) -> None:
    """Refuse to replace the results of another video.

    A video that was moved or copied is the same, and so is a file that has changed in its place.

    Args:
        folder: of the results.
        video: the file or the folder of images.
        source: which video it is.

    Raises:
        InputError: the folder has results of another video.
    """
    before = _noted(folder)
    if before is None:
        other = _named_in(folder / FRAMES)
        if other is not None and visible(other) != visible(video.name):
            raise _taken(folder, video, f"'{other}'")
    elif source.sha256 != before.sha256:
        if source.video != before.video:
            raise _taken(folder, video, before.video)
        logger.warning(
            "%s: has changed, and is predicted again; what other methods predicted in %s is of the "
            "old one",
            video, folder,
        )  # fmt: skip


def note_source(folder: Path, source: Source) -> None:
    """Note which video the results in a folder are of.

    Raises:
        InputError: the folder cannot be written to.
    """
    write_text(folder / RECORD, json.dumps(asdict(source), indent=1) + "\n")


def _noted(folder: Path) -> Source | None:
    """Return which video a folder has results of, None if it does not say."""
    try:
        return Source(**json.loads((folder / RECORD).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, RecursionError):
        return None


def _named_in(frames: Path) -> str | None:
    """Return the id of the video in a frame store, None if there is no such file."""
    try:
        with FrameStore(frames) as store:
            return store.video
    except InputError:
        return None


def _taken(folder: Path, video: Path, other: str) -> InputError:
    """Return the error for a folder with results of another video, with a folder that is free."""
    named = with_name(folder)
    places = (named.parent / f"{named.name}_{number}" for number in itertools.count(2))
    free = next(place for place in places if not place.exists())
    return InputError(
        f"{folder}: has the results of another video, {other}, which those of {video} would "
        f"replace; name another folder, such as --output={shlex.quote(str(free))}, or remove this "
        "one"
    )
