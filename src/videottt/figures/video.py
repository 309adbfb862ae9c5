"""The fixed model and a learning one side by side, as a video."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from videottt.figures.encoding import encode_video
from videottt.figures.objects import colours_side_by_side
from videottt.figures.overlay import Overlay, captions, laid_over, overlays_of
from videottt.figures.pairing import check_same_video
from videottt.figures.panels import quality_text
from videottt.frames import FrameStore
from videottt.metrics import frame_value, headline, label_of
from videottt.predictions import PredictionReader
from videottt.segments import ClassSpace, Prediction

MIN_PANEL_WIDTH = 400  # pixels
MIN_FPS = 5.0
GAP = 4  # pixels between panels
BAR, INK = (28, 28, 28), (240, 240, 240)


@dataclass(frozen=True)
class _Panel:
    """A frame, what is laid over it, and the two ends of the bar above it.

    Attributes:
        title: at the left of the bar.
        note: at the right of the bar.
        overlay: None: nothing is laid over the frame.
    """

    title: str
    note: str
    overlay: Overlay | None


class _Layout:
    """Where panels stand; every panel has the frame's size times a whole factor."""

    def __init__(self, size: tuple[int, int], columns: int, rows: int) -> None:
        self.factor = -(-MIN_PANEL_WIDTH // size[1])
        self.width, height = size[1] * self.factor, size[0] * self.factor
        font_size = max(16, self.width // 40)
        self.font = ImageFont.load_default(size=font_size)
        self.name_font = ImageFont.load_default(size=max(12, self.width // 60))
        self.bar = round(font_size * 1.75)
        self.columns = columns
        self.steps = (self.bar + height + GAP, self.width + GAP)
        # H.264 with 4:2:0 colour needs even sizes.
        self.size = tuple(
            count * step - GAP + (count * step - GAP) % 2
            for count, step in zip((rows, columns), self.steps, strict=True)
        )

    def drawn(self, frame: np.ndarray, panels: Sequence[_Panel]) -> np.ndarray:
        """Return one picture of all panels: uint8 [height, width, 3]."""
        canvas = Image.new("RGB", self.size[::-1])
        size = (self.width, self.steps[0] - GAP - self.bar)
        large = Image.fromarray(frame).resize(size, Image.Resampling.BICUBIC)
        for place, panel in enumerate(panels):
            row, column = divmod(place, self.columns)
            top, left = row * self.steps[0], column * self.steps[1]
            picture = large
            if panel.overlay is not None:
                picture = laid_over(large, panel.overlay)
                self._name(picture, panel.overlay)
            canvas.paste(self._bar(panel), (left, top))
            canvas.paste(picture, (left, top + self.bar))
        return np.asarray(canvas)

    def _name(self, picture: Image.Image, overlay: Overlay) -> None:
        """Write the names of segments on a picture."""
        draw = ImageDraw.Draw(picture)
        margin = self.name_font.size / 4

        def measure(text: str) -> tuple[float, float]:
            width = draw.textlength(text, font=self.name_font)
            return width + 2 * margin, self.name_font.size + margin

        for each in captions(overlay, self.factor, measure):
            right, bottom = each.left + each.width, each.top + each.height
            draw.rectangle((each.left, each.top, right, bottom), BAR)
            middle = ((each.left + right) / 2, (each.top + bottom) / 2)
            draw.text(middle, each.text, INK, self.name_font, anchor="mm")

    def _bar(self, panel: _Panel) -> Image.Image:
        bar = Image.new("RGB", (self.width, self.bar), BAR)
        draw = ImageDraw.Draw(bar)
        margin = self.bar // 3
        room = self.width - 3 * margin - draw.textlength(panel.note, font=self.font)
        title = panel.title
        while len(title) > 1 and draw.textlength(title, font=self.font) > room:
            title = title[:-2] + "…"
        middle = self.bar // 2
        draw.text((margin, middle), title, INK, self.font, anchor="lm")
        draw.text((self.width - margin, middle), panel.note, INK, self.font, anchor="rm")
        return bar


def render_video(
    store: FrameStore,
    fixed: PredictionReader,
    predictions: PredictionReader,
    labels: Mapping[str, str],
    path: Path,
) -> None:
    """Write a video of the frames, their labels if any, and the predictions of two methods.

    It is read, drawn and encoded frame by frame.

    Raises:
        InputError: the files are not of one video, task and seed, or ffmpeg fails.
    """
    check_same_video(store, fixed, predictions)
    columns, rows = (2, 2) if store.labelled.any() else (3, 1)
    layout = _Layout(store.size, columns, rows)
    pictures = _pictures(store, (fixed, predictions), labels, layout)
    encode_video(path, pictures, layout.size, max(store.fps, MIN_FPS))


def _pictures(
    store: FrameStore,
    readers: Sequence[PredictionReader],
    labels: Mapping[str, str],
    layout: _Layout,
) -> Iterator[np.ndarray]:
    titles = [labels.get(reader.key.method, reader.key.method) for reader in readers]
    task = readers[0].key.task
    objects = colours_side_by_side(store.space, 1 + len(readers))
    for index in range(len(store)):
        truth = label_of(store, index, task) if store.labelled[index] else None
        found = [reader.prediction(index) for reader in readers]
        below, *others = overlays_of([truth, *found], objects)
        panels = [_Panel("Input", _counter(store, index), None)]
        if store.labelled.any():
            panels.append(_Panel("Ground truth", "" if truth is not None else "no labels", below))
        for title, prediction, overlay in zip(titles, found, others, strict=True):
            panels.append(_Panel(title, _quality(task, prediction, truth, store.space), overlay))
        yield layout.drawn(store.frame(index), panels)


def _counter(store: FrameStore, index: int) -> str:
    text = f"frame {index + 1} of {len(store)}, {index / store.fps:.1f} s"
    return text if store.fps >= MIN_FPS else text + f", shown at {MIN_FPS:g} fps"


def _quality(task: str, prediction: Prediction, truth: Prediction | None, space: ClassSpace) -> str:
    if truth is None:
        return ""
    return quality_text(headline(task).name, 100 * frame_value(task, prediction, truth, space))
