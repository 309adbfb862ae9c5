"""Render predicted images as a film: a video in colour."""

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from videottt.report.figures.encoding import encode_video
from videottt.report.figures.opened import open_predictions
from videottt.report.figures.pairing import as_image, check_images
from videottt.report.figures.timing import file_with_sound, reported, shown_frames, sound_of
from videottt.store.frames import FrameStore
from videottt.store.predictions import PredictionReader

logger = logging.getLogger(__name__)


def render_film(
    store: FrameStore, predictions: PredictionReader, path: Path, sound: Path | None = None
) -> None:
    """Write the predicted images of a video as a video of the same size, shape, rate and length.

    Long pauses are cut, see `shown_frames`. Odd edges are made even by repeating the last row or
    column, because H.264 needs even ones.

    Args:
        store: the frames and their times.
        predictions: images of these frames.
        path: mp4 file to write.
        sound: the source video; its sound is added, if it has any.

    Raises:
        InputError: the predictions are not of this video or not images, or ffmpeg fails.
    """
    predictions.check_video(store)
    check_images(predictions)
    height, width = store.size
    padding = (0, height % 2), (0, width % 2), (0, 0)

    def pictures() -> Iterator[np.ndarray]:
        for index, count in shown_frames(store):
            picture = np.pad(as_image(predictions.prediction(index)), padding, mode="edge")
            yield from [picture] * count

    size = (height + height % 2, width + width % 2)
    drawn = reported(pictures(), store, path)
    encode_video(path, drawn, size, store.fps, sound_of(store, sound), store.pixel_aspect)


def render_prediction(
    frames: Path, predictions: Path, output: Path, sound: Path | None = None
) -> None:
    """Render predicted images as a film, for example an old film in colour.

    Args:
        frames: frame store of the video.
        predictions: images.
        output: mp4 to write.
        sound: the source video, with or without its suffix; its sound is added, if it has any.

    Raises:
        InputError: a file is absent or has another format, or ffmpeg fails.
    """
    with open_predictions(frames, [predictions]) as (store, (images,)):
        render_film(store, images, output, file_with_sound(sound))
        logger.info("rendered %d frames of '%s'", len(store), store.video)
