"""Map frames with time stamps to pictures of a constant rate."""

from pathlib import Path

import numpy as np

from videottt.data.layouts.video_file import find_source
from videottt.report.figures.encoding import Sound
from videottt.store.frames import FrameStore


def shown_frames(store: FrameStore) -> list[tuple[int, int]]:
    """Return the frames that a video at the rate of a store shows, and the pictures of each.

    Picture k shows the frame that is current in the middle of its time, (k + 1/2) / fps after the
    first, so that rounded or slightly irregular time stamps give each frame once. At a variable
    rate, some frames are shown longer and some not at all, so that pictures keep in time with the
    sound. The video lasts from the first time stamp to one period after the last.
    """
    after = store.timestamps - store.timestamps[0]
    count = round(float(after[-1]) * store.fps) + 1
    middles = (np.arange(count) + 0.5) / store.fps
    shown = np.searchsorted(after, middles, side="right") - 1
    frames, pictures = np.unique(shown, return_counts=True)
    return list(zip(frames.tolist(), pictures.tolist(), strict=True))


def sound_of(store: FrameStore, path: Path | None) -> Sound | None:
    """Return the sound of the frames of a store.

    Args:
        store: the frames.
        path: of the source video; None: no sound.
    """
    if path is None:
        return None
    pictures = sum(count for _, count in shown_frames(store))
    return Sound(path, start=float(store.timestamps[0]), length=pictures / store.fps)


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
