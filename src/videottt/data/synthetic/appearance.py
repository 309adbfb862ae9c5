"""Model the light, the weather and the camera, and their drift over a video."""

from dataclasses import dataclass, fields, replace

import numpy as np

from videottt.data.synthetic.patterns import soft_noise
from videottt.data.synthetic.render import Canvas, View

_TONES = 2048
_MARGIN = 32


@dataclass(frozen=True)
class Light:
    """One condition of light and camera; all arrays are float64 [3] RGB.

    Attributes:
        exposure: factor on the light.
        gamma: exponent of the response.
        cast: colour of the light.
        saturation: 1 keeps colours, 0 is grey.
        sky, horizon, haze: colours of the upper sky, the lower sky and the haze in the distance.
        clouds: strength of the clouds.
        fog: density of the fog per metre.
        vignette: darkening towards the corners.
        blur: 0 (sharp) to 1.
        noise: standard deviation, for values in 0..1.
        streaks: strength of falling rain.
    """

    exposure: float
    gamma: float
    cast: np.ndarray
    saturation: float
    sky: np.ndarray
    horizon: np.ndarray
    haze: np.ndarray
    clouds: float
    fog: float
    vignette: float
    blur: float
    noise: float
    streaks: float


def _light(
    exposure: float,
    gamma: float,
    cast: tuple[float, float, float],
    saturation: float,
    sky: tuple[float, float, float],
    horizon: tuple[float, float, float],
    haze: tuple[float, float, float],
    *,
    clouds: float = 0.2,
    fog: float = 0.0015,
    vignette: float = 0.1,
    blur: float = 0.0,
    noise: float = 0.008,
    streaks: float = 0.0,
) -> Light:
    return Light(
        exposure=exposure,
        gamma=gamma,
        cast=np.array(cast),
        saturation=saturation,
        sky=np.array(sky),
        horizon=np.array(horizon),
        haze=np.array(haze),
        clouds=clouds,
        fog=fog,
        vignette=vignette,
        blur=blur,
        noise=noise,
        streaks=streaks,
    )


LIGHTS: dict[str, Light] = {
    "day": _light(
        1.0, 1.0, (1.0, 1.0, 0.98), 1.0, (0.42, 0.60, 0.86), (0.80, 0.86, 0.92), (0.76, 0.80, 0.84)
    ),
    "dusk": _light(
        0.62,
        1.1,
        (1.05, 0.88, 0.95),
        0.85,
        (0.34, 0.36, 0.60),
        (1.05, 0.66, 0.46),
        (0.55, 0.45, 0.48),
        fog=0.004,
        vignette=0.25,
        noise=0.02,
    ),
    "fog": _light(
        0.92,
        1.0,
        (0.98, 1.0, 1.02),
        0.6,
        (0.76, 0.78, 0.80),
        (0.78, 0.80, 0.81),
        (0.78, 0.80, 0.81),
        clouds=0.03,
        fog=0.035,
        blur=0.3,
    ),
    "warm": _light(
        1.05,
        0.95,
        (1.22, 0.98, 0.66),
        1.1,
        (0.66, 0.70, 0.76),
        (1.0, 0.86, 0.66),
        (0.92, 0.78, 0.58),
        fog=0.004,
        vignette=0.2,
    ),
    "tunnel": _light(
        0.75,
        1.0,
        (1.25, 0.95, 0.55),
        0.55,
        (0.9, 0.9, 0.9),
        (1.0, 1.0, 1.0),
        (0.40, 0.33, 0.24),
        fog=0.006,
        vignette=0.4,
        noise=0.025,
    ),
    "rain": _light(
        0.62,
        1.05,
        (0.92, 0.98, 1.08),
        0.55,
        (0.52, 0.55, 0.60),
        (0.64, 0.67, 0.70),
        (0.58, 0.61, 0.65),
        clouds=0.3,
        fog=0.012,
        blur=0.5,
        noise=0.015,
        streaks=0.08,
    ),
    "night": _light(
        0.42,
        1.0,
        (0.80, 0.90, 1.25),
        0.6,
        (0.10, 0.12, 0.22),
        (0.28, 0.26, 0.32),
        (0.14, 0.15, 0.22),
        clouds=0.1,
        fog=0.006,
        vignette=0.45,
        noise=0.035,
        blur=0.15,
    ),
}


def blend(first: Light, second: Light, share: float) -> Light:
    """Return the light that is `share` of the way from `first` to `second`."""
    pairs = ((field.name, getattr(first, field.name)) for field in fields(Light))
    mixed = {name: value + share * (getattr(second, name) - value) for name, value in pairs}
    return Light(**mixed)


def daylight(rng: np.random.Generator) -> Light:
    """Draw a light from the range of the training stills."""
    day = LIGHTS["day"]
    warmth = rng.uniform(-0.07, 0.07)
    cloudy = rng.uniform(0, 0.8)
    grey = np.array((0.74, 0.77, 0.80))
    return replace(
        day,
        exposure=float(rng.uniform(0.78, 1.18)),
        gamma=float(rng.uniform(0.9, 1.1)),
        cast=day.cast * (1 + warmth * np.array((1, 0.2, -1))),
        saturation=float(rng.uniform(0.85, 1.15)),
        sky=day.sky + cloudy * (grey - day.sky),
        clouds=float(rng.uniform(0.05, 0.35)),
        fog=float(rng.uniform(0.0005, 0.004)),
        vignette=float(rng.uniform(0.0, 0.2)),
        noise=float(rng.uniform(0.004, 0.014)),
    )


class Optics:
    """The parts of the camera and the weather that all images of a `size` share."""

    def __init__(self, rng: np.random.Generator, size: tuple[int, int]) -> None:
        height, width = size
        rows = (np.arange(height) + 0.5) / height * 2 - 1
        columns = (np.arange(width) + 0.5) / width * 2 - 1
        self._corner = ((rows[:, None] ** 2 + columns**2) / 2).astype(np.float32)
        tall, wide = height + _MARGIN, width + _MARGIN
        self._grain = rng.standard_normal((3, tall, wide), np.float32)
        rain = rng.random((tall, wide), np.float32) > 0.993
        length = max(3, height // 12)
        fall = np.sum([np.roll(rain, shift, 0) for shift in range(length)], 0)
        self._rain = np.minimum(fall, 1).astype(np.float32)
        self._clouds = soft_noise(rng, (64, 256), 0.1)

    def draw_sky(self, canvas: Canvas, view: View, light: Light, frame: int) -> None:
        """Fill the canvas down to the horizon."""
        rows = slice(0, view.ground_row)
        rise = np.clip(view.above[rows] / (0.45 * view.focal), 0, 1)
        angle = view.camera.yaw + np.arange(view.size[1]) / view.focal
        u = ((angle + 8) * 96 + 0.05 * frame).astype(np.intp) % 256
        v = (63 * rise).astype(np.intp)
        clouds = np.maximum(self._clouds[v][:, u], 0) * (light.clouds * rise[:, None])
        for channel in range(3):
            low, high = light.horizon[channel], light.sky[channel]
            shade = (low + rise**0.7 * (high - low)).astype(np.float32)[:, None]
            canvas.colour[channel, rows] = shade + clouds * (light.horizon.max() - shade)

    def photograph(self, canvas: Canvas, light: Light, rng: np.random.Generator) -> np.ndarray:
        """Return the image uint8 [H, W, 3] of the canvas; its colours are overwritten."""
        colour = canvas.colour
        clear = np.exp(canvas.depth * np.float32(-light.fog))
        reach = (1 - light.vignette * self._corner) * np.float32(light.exposure)
        grey = colour.mean(0)
        offset = rng.integers(_MARGIN, size=4)
        for channel in range(3):
            plane = colour[channel]
            plane -= grey
            plane *= np.float32(light.saturation)
            plane += grey
            plane *= np.float32(light.cast[channel])
            haze = np.float32(light.haze[channel])
            plane -= haze
            plane *= clear
            plane += haze
            plane *= reach
        if light.streaks > 0:
            drops = _window(self._rain, offset[2:], reach.shape)
            colour += drops * np.float32(light.streaks)
        if light.blur > 0:
            _soften(colour, np.float32(light.blur / 3))
        exposed = self._respond(colour, light.gamma)
        exposed += _window(self._grain, offset[:2], reach.shape) * np.float32(255 * light.noise)
        np.clip(exposed, 0, 255, out=exposed)
        return np.ascontiguousarray((exposed + 0.5).astype(np.uint8).transpose(1, 2, 0))

    def _respond(self, colour: np.ndarray, gamma: float) -> np.ndarray:
        """Return the response of the sensor, float32 in 0..255, by a table: powers are slow."""
        tones = (255 * np.linspace(0, 1, _TONES) ** gamma).astype(np.float32)
        steps = np.clip(colour * np.float32(_TONES - 1), 0, _TONES - 1).astype(np.intp)
        return tones.take(steps)


def _window(table: np.ndarray, offset: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    down, right = int(offset[0]), int(offset[1])
    return table[..., down : down + size[0], right : right + size[1]]


def _soften(colour: np.ndarray, share: np.float32) -> None:
    """Mix every pixel with its neighbours, `share` of each, along rows and then columns."""
    for axis in (1, 2):
        inner = [slice(None)] * 3
        before, after = inner.copy(), inner.copy()
        inner[axis], before[axis], after[axis] = slice(1, -1), slice(None, -2), slice(2, None)
        middle = colour[tuple(inner)]
        sides = colour[tuple(before)] + colour[tuple(after)]
        colour[tuple(inner)] = middle + share * (sides - 2 * middle)
