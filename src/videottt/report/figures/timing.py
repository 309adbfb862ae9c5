"""Map frames with time stamps to pictures of a constant rate."""

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from videottt.core.progress import Progress
from videottt.data.layouts.video_file import find_source
from videottt.report.figures.encoding import Sound
from videottt.store.frames import FrameStore

logger = logging.getLogger(__name__)

# In seconds; a picture that lasts longer, as in a pause of the camera, is cut to it.
LONGEST = 10.0
# Cuts of a sound, which make its command longer.
MOST_CUTS = 500


def shown_frames(store: FrameStore) -> list[tuple[int, int]]:
    """Return the frames that a video at the rate of a store shows, and the pictures of each.

    Picture k shows the frame that is current in the middle of its time, (k + 1/2) / fps after the
    first, so that rounded or slightly irregular time stamps give each frame once. At a variable
    rate, some frames are shown longer and some not at all, so that pictures keep in time with the
    sound. The video lasts from the first time stamp to one period after the last, but no frame is
    shown for more than `LONGEST` seconds.
    """
    pictures = np.minimum(_pictures(store), _most(store)).astype(int)
    frames = np.flatnonzero(pictures)
    return list(zip(frames.tolist(), pictures[frames].tolist(), strict=True))


def _pictures(store: FrameStore) -> np.ndarray:
    """Return the pictures of each frame, uncut: whole numbers that may exceed an integer."""
    after = store.timestamps - store.timestamps[0]
    begins = np.ceil(after * store.fps - 0.5)
    return np.diff(begins, append=np.round(after[-1] * store.fps) + 1)


def _most(store: FrameStore) -> int:
    return max(1, round(LONGEST * store.fps))


def _cuts(store: FrameStore) -> list[tuple[float, float]]:
    """Return the start and end of each part that is not shown, in seconds after the first frame."""
    pictures, most = _pictures(store), _most(store)
    ends = np.cumsum(pictures)
    long = pictures > most
    starts = ends[long] - pictures[long] + most
    return list(zip((starts / store.fps).tolist(), (ends[long] / store.fps).tolist(), strict=True))


def reported(pictures: Iterator[np.ndarray], store: FrameStore, path: Path) -> Iterator[np.ndarray]:
    """Yield the pictures of `shown_frames`, and log their progress and what is cut.

    Args:
        pictures: all pictures.
        store: the frames.
        path: of the video that is made, for the log.
    """
    if cuts := _cuts(store):
        seconds = sum(end - start for start, end in cuts)
        logger.warning(
            "%s: %d pause(s) between frames are cut to %g s each, with any sound, which makes it "
            "%.0f s shorter",
            path, len(cuts), _most(store) / store.fps, seconds,
        )  # fmt: skip
    total = sum(count for _, count in shown_frames(store))
    progress = Progress(total, "pictures drawn")
    for done, picture in enumerate(pictures, start=1):
        yield picture
        if done < total:
            progress.report(done, path.name)


def sound_of(store: FrameStore, path: Path | None) -> Sound | None:
    """Return the sound of the frames of a store, cut where the pictures are.

    Args:
        store: the frames.
        path: of the source video; None: no sound.
    """
    if path is None:
        return None
    cuts = tuple(_cuts(store))
    if len(cuts) > MOST_CUTS:
        logger.warning(
            "%s: its sound is left out, because more than %d pauses are cut", path, MOST_CUTS
        )
        return None
    pictures = sum(count for _, count in shown_frames(store))
    start = float(store.timestamps[0])
    return Sound(path, start=start, length=pictures / store.fps, cuts=cuts)


def file_with_sound(source: Path | None) -> Path | None:
    """Return the video file with the sound, None for a folder of images.

    Args:
        source: the video, with or without its suffix; None: no sound.

    Raises:
        InputError: the video is absent, or there are several.
    """
    if source is None or source.is_file():
        return source
    file = find_source(source.parent, source.name)
    return file if file.is_file() else None
