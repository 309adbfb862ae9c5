"""Render a video of the fixed and the learning model side by side."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from videottt.evaluation.metrics import headline
from videottt.report.figures.encoding import encode_video
from videottt.report.figures.objects import ObjectColours, colours_side_by_side
from videottt.report.figures.opened import PairFiles, open_pair
from videottt.report.figures.overlay import Overlay, captions, laid_over
from videottt.report.figures.pairing import check_same_video, distinct
from videottt.report.figures.panels import Picture, pictures_of, quality_text
from videottt.report.figures.timing import file_with_sound, reported, shown_frames, sound_of
from videottt.report.figures.view import TaskView
from videottt.store.predictions import PredictionReader

logger = logging.getLogger(__name__)

MIN_PANEL_WIDTH = 400  # pixels
# Height and width in pixels, bars and gaps apart: players show no more.
LARGEST = (2160, 3840)
MIN_FPS = 5.0
GAP = 4  # pixels between panels
BAR, INK = (28, 28, 28), (240, 240, 240)


@dataclass(frozen=True)
class _Panel:
    """A picture, and the texts of the bar above it.

    Attributes:
        title: at the left of the bar.
        note: at the right of the bar.
    """

    title: str
    note: str
    picture: Picture


class _Layout:
    """The places of panels, whose size is the frame's times a factor, whole if it enlarges.

    Panels have the shape of the frame as players show it, so that texts on them do too.
    """

    def __init__(self, size: tuple[int, int], columns: int, rows: int, pixel_aspect: float) -> None:
        self.whole = -(-MIN_PANEL_WIDTH // size[1])
        self.pixel_aspect = pixel_aspect
        room = (edge / count for edge, count in zip(LARGEST, (rows, columns), strict=True))
        # Enlarged, so that no pixel is lost.
        shape = (size[0] * max(1.0, 1 / pixel_aspect), size[1] * max(1.0, pixel_aspect))
        fitting = min(self.whole, *(part / edge for part, edge in zip(room, shape, strict=True)))
        self.panel = (round(shape[0] * fitting), round(shape[1] * fitting))
        self.factor = fitting * max(1.0, 1 / pixel_aspect)  # of the height
        self.large = (size[0] * self.whole, size[1] * self.whole)
        font_size = max(16, self.panel[1] // 40)
        self.font = ImageFont.load_default(size=font_size)
        self.name_size = max(12, self.panel[1] // 60)
        self.name_font = ImageFont.load_default(size=self.name_size)
        self.bar = round(font_size * 1.75)
        self.columns = columns
        self.steps = (self.bar + self.panel[0] + GAP, self.panel[1] + GAP)
        # H.264 with 4:2:0 colour needs even sizes.
        self.size = _even(rows * self.steps[0] - GAP), _even(columns * self.steps[1] - GAP)

    def drawn(self, panels: Sequence[_Panel]) -> np.ndarray:
        """Draw all panels as one picture: uint8 [height, width, 3]."""
        canvas = Image.new("RGB", self.size[::-1])
        for place, panel in enumerate(panels):
            row, column = divmod(place, self.columns)
            top, left = row * self.steps[0], column * self.steps[1]
            canvas.paste(self._bar(panel), (left, top))
            canvas.paste(self._picture(panel.picture), (left, top + self.bar))
        return np.asarray(canvas)

    def _picture(self, picture: Picture) -> Image.Image:
        image = Image.fromarray(picture.image).resize(self.large[::-1], Image.Resampling.BICUBIC)
        if picture.overlay is not None:
            image = laid_over(image, picture.overlay)
        image = image.resize(self.panel[::-1], Image.Resampling.BICUBIC)
        if picture.overlay is not None:
            self._name(image, picture.overlay)
        return image

    def _name(self, picture: Image.Image, overlay: Overlay) -> None:
        """Write the names of segments on a picture."""
        draw = ImageDraw.Draw(picture)
        margin = self.name_size / 4

        def measure(text: str) -> tuple[float, float]:
            width = draw.textlength(text, font=self.name_font)
            # Captions are placed on square pixels, before they are stretched.
            return (width + 2 * margin) / self.pixel_aspect, self.name_size + margin

        for name in captions(overlay, self.factor, measure):
            left, right = (edge * self.pixel_aspect for edge in (name.left, name.left + name.width))
            bottom = name.top + name.height
            draw.rectangle((left, name.top, right, bottom), BAR)
            middle = ((left + right) / 2, (name.top + bottom) / 2)
            draw.text(middle, name.text, INK, self.name_font, anchor="mm")

    def _bar(self, panel: _Panel) -> Image.Image:
        width = self.panel[1]
        bar = Image.new("RGB", (width, self.bar), BAR)
        draw = ImageDraw.Draw(bar)
        margin = self.bar // 3
        room = width - 3 * margin - draw.textlength(panel.note, font=self.font)
        title = panel.title
        while len(title) > 1 and draw.textlength(title, font=self.font) > room:
            title = title[:-2] + "…"
        middle = self.bar // 2
        draw.text((margin, middle), title, INK, self.font, anchor="lm")
        draw.text((width - margin, middle), panel.note, INK, self.font, anchor="rm")
        return bar


def _even(edge: int) -> int:
    return edge + edge % 2


def render_video(
    view: TaskView,
    fixed: PredictionReader,
    predictions: PredictionReader,
    labels: Mapping[str, str],
    path: Path,
    sound: Path | None = None,
) -> None:
    """Write a video of the input, the ground truth if any, and the predictions of two methods.

    Frames are read, drawn and encoded one by one. The result lasts as long as the video, but for
    long pauses, which are cut, see `shown_frames`; a video of fewer than `MIN_FPS` frames a second
    is shown faster, unless it has a sound.

    Args:
        view: of the video.
        fixed: predictions of a model that does not learn.
        predictions: of the method; shown once if they are those of `fixed`.
        labels: names to show of methods; a method without a name shows its id.
        path: mp4 file to write.
        sound: the source video; its sound is added, if it has any.

    Raises:
        InputError: the files are not of one video, task and seed, or ffmpeg fails.
    """
    store = view.store
    check_same_video(store, fixed, predictions)
    readers = distinct(fixed, predictions)
    fps = max(store.fps, MIN_FPS) if sound is None else store.fps
    panels = 1 + bool(view.known.any()) + len(readers)
    grid = (2, 2) if panels == 4 else (panels, 1)
    layout = _Layout(store.size, *grid, store.pixel_aspect)
    speed = "" if fps == store.fps else f", shown at {MIN_FPS:g} fps"

    def pictures() -> Iterator[np.ndarray]:
        objects = colours_side_by_side(store.space, 1 + len(readers))
        for index, count in shown_frames(store):
            note = f"frame {index + 1} of {len(store)}, {store.timestamps[index]:.1f} s{speed}"
            panels_of_frame = _panels(view, readers, labels, index, note, objects)
            yield from [layout.drawn(panels_of_frame)] * count

    drawn = reported(pictures(), store, path)
    encode_video(path, drawn, layout.size, fps, sound_of(store, sound))


def _panels(
    view: TaskView,
    readers: Sequence[PredictionReader],
    labels: Mapping[str, str],
    index: int,
    note: str,
    objects: Sequence[ObjectColours],
) -> list[_Panel]:
    """Return the panels of frame `index`; the note stands above the input."""
    frame, truth = view.observed(index), view.truth(index)
    predictions = [reader.prediction(index) for reader in readers]
    below, *predicted = pictures_of(frame, [truth, *predictions], objects)
    panels = [_Panel("Input", note, Picture(frame))]
    if view.known.any():
        missing = "" if truth is not None else "no labels"
        panels.append(_Panel(view.truth_name, missing, below or Picture(frame)))
    metric = headline(view.task)
    for reader, prediction, picture in zip(readers, predictions, predicted, strict=True):
        title = labels.get(reader.key.method, reader.key.method)
        quality = quality_text(metric, view.value(prediction, truth))
        panels.append(_Panel(title, quality, picture or Picture(frame)))
    return panels


def render_pair(
    pair_files: PairFiles,
    labels: Mapping[str, str],
    scored: bool,
    output: Path,
    sound: Path | None = None,
) -> None:
    """Render the predictions of the fixed model and of a method side by side, as a video.

    Args:
        pair_files: the video and its predictions.
        labels: method -> name to show.
        scored: whether the video has a ground truth to show.
        output: mp4 to write.
        sound: the source video, with or without its suffix; its sound is added, if it has any.

    Raises:
        InputError: a file is absent or has another format, or ffmpeg fails.
    """
    with open_pair(pair_files) as pair:
        view = pair.view(scored)
        render_video(view, pair.fixed, pair.predictions, labels, output, file_with_sound(sound))
        logger.info("rendered %d frames of '%s'", len(pair.store), pair.store.video)
