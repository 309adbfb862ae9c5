"""Render street scenes with exact labels: stills for training, and videos that drift from them.

Stills have a familiar range: daylight, and the familiar materials of every place. A video begins in
this range and leaves it phase by phase: the light changes with time, and the place with distance
along the street, where materials, paint and clothes are partly unfamiliar. Everything is derived
from a seed; equal arguments give equal bytes on the same machine.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from videottt.core.errors import InputError, nearest
from videottt.core.randomness import numpy_generator
from videottt.data.synthetic.appearance import LIGHTS, Light, Optics, blend, daylight
from videottt.data.synthetic.camera import Camera, Drive, stopped_camera
from videottt.data.synthetic.draw import draw_things
from videottt.data.synthetic.patterns import Patterns, build_patterns
from videottt.data.synthetic.places import PLACES, Stretch
from videottt.data.synthetic.render import Canvas, View, blank, draw_street
from videottt.data.synthetic.scene import Scene, build_scene
from videottt.data.synthetic.sprites import Sprite, build_sprites
from videottt.settings.dataset import Phase

__all__ = ["LIGHTS", "PLACES", "RenderedFrame", "render_stills", "render_video"]

_SMALLEST = 32
_OUTLOOK = 150.0
# In metres: how far ahead of the camera the next place begins when its phase begins.
_PLACE_AHEAD = 12.0
_NOVELTY = 0.6


@dataclass(frozen=True)
class RenderedFrame:
    """An image and its labels.

    Attributes:
        image: uint8 [H, W, 3], RGB.
        semantic: uint8 [H, W], Cityscapes train ids in 0..18.
        instance: uint16 [H, W], 0 = none; persons (11) and cars (13) have numbers from 1, which
            stay the same throughout a video.
    """

    image: np.ndarray
    semantic: np.ndarray
    instance: np.ndarray


class _Studio:
    """The patterns, silhouettes and optics that all frames of one call share."""

    def __init__(self, seed: int, size: tuple[int, int], *key: str) -> None:
        generator = numpy_generator("synthetic", seed, *key, "patterns")
        self.patterns: Patterns = build_patterns(generator)
        self.sprites: dict[str, list[Sprite]] = build_sprites(generator)
        self.optics = Optics(numpy_generator("synthetic", seed, *key, "optics"), size)
        self._size = size

    def shoot(
        self, scene: Scene, camera: Camera, light: Light, frame: int, rng: np.random.Generator
    ) -> RenderedFrame:
        view = View(self._size, camera)
        canvas: Canvas = blank(self._size)
        self.optics.draw_sky(canvas, view, light, frame)
        draw_street(canvas, scene, view, self.patterns)
        draw_things(canvas, scene, view, self.sprites, frame)
        image = self.optics.photograph(canvas, light, rng)
        return RenderedFrame(image, canvas.semantic, canvas.instance)


def render_stills(count: int, size: tuple[int, int], seed: int) -> Iterator[RenderedFrame]:
    """Yield `count` independent stills of `size` (height, width) from the training range.

    Still i does not depend on `count`.

    Raises:
        InputError: `count` is below 1, or a side of `size` below 32 pixels.
    """
    _check(count, size, "stills")
    return _stills(count, size, seed)


def _stills(count: int, size: tuple[int, int], seed: int) -> Iterator[RenderedFrame]:
    studio = _Studio(seed, size, "stills")
    names = sorted(PLACES)
    for number in range(count):
        rng = numpy_generator("synthetic", seed, "stills", number)
        first, second = (names[choice] for choice in rng.integers(len(names), size=2))
        stretches = [Stretch(0.0, first, 0.0)]
        if rng.random() < 0.4:
            stretches.append(Stretch(float(rng.uniform(15, 60)), second, 0.0))
        scene = build_scene(rng, stretches, _OUTLOOK, 0.0, studio.patterns)
        yield studio.shoot(scene, stopped_camera(rng), daylight(rng), 0, rng)


def render_video(
    video: str, phases: Sequence[Phase], frames: int, size: tuple[int, int], seed: int
) -> Iterator[RenderedFrame]:
    """Yield the `frames` frames of one video of `size` (height, width), phase by phase.

    A frame depends on the arguments alone, and not on the frames rendered before it.

    Raises:
        InputError: there is no phase, a place or light is unknown, `frames` is below 1, or a side
            of `size` is below 32 pixels.
    """
    _check(frames, size, "frames")
    if not phases:
        raise InputError(f"video {video}: has no phases; add one")
    for phase in phases:
        for kind, name, valid in (("place", phase.place, PLACES), ("light", phase.light, LIGHTS)):
            if name not in valid:
                raise InputError(f"video {video}: unknown {kind} '{name}'; {nearest(name, valid)}")
    return _video(video, phases, frames, size, seed)


def _video(
    video: str, phases: Sequence[Phase], frames: int, size: tuple[int, int], seed: int
) -> Iterator[RenderedFrame]:
    studio = _Studio(seed, size, video)
    drive = Drive(numpy_generator("synthetic", seed, video, "camera"))
    begin = [number * frames / len(phases) for number in range(len(phases))]
    stretches = [
        Stretch(drive.at(at).z + _PLACE_AHEAD if at else 0.0, phase.place, _NOVELTY if at else 0.0)
        for at, phase in zip(begin, phases, strict=True)
    ]
    length = drive.at(frames).z + _OUTLOOK
    rng = numpy_generator("synthetic", seed, video, "objects")
    scene = build_scene(rng, stretches, length, drive.pace, studio.patterns)
    for frame in range(frames):
        light = _light_at([LIGHTS[phase.light] for phase in phases], frame, frames)
        noise = numpy_generator("synthetic", seed, video, "noise", frame)
        yield studio.shoot(scene, drive.at(frame), light, frame, noise)


def _light_at(lights: Sequence[Light], frame: int, frames: int) -> Light:
    """Return the light at `frame`; each fades into the next over half a phase."""
    position = (frame + 0.5) / frames * len(lights) - 0.5
    before = min(max(int(np.floor(position)), 0), len(lights) - 1)
    after = min(before + 1, len(lights) - 1)
    share = min(max(2 * (position - before) - 0.5, 0.0), 1.0)
    return blend(lights[before], lights[after], share * share * (3 - 2 * share))


def _check(count: int, size: tuple[int, int], what: str) -> None:
    if count < 1:
        raise InputError(f"{what}: is {count}, but must be at least 1; correct it")
    if min(size) < _SMALLEST:
        shape = f"{size[0]}x{size[1]}"
        raise InputError(
            f"size: is {shape}, but height and width must be at least {_SMALLEST}; correct it"
        )
