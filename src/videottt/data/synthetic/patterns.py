"""Build surface patterns at several levels of detail, so that distant facades do not flicker.

A pattern has, for each texel, the shares of four materials (base, glass, trim, accent); the surface
that uses a pattern has the colours of the materials. Patterns repeat in both directions.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

HEIGHT, WIDTH = 128, 64
LEVELS = 5
MATERIALS = 4
BASE, GLASS, TRIM, ACCENT = range(MATERIALS)

_V, _U = np.mgrid[0:HEIGHT, 0:WIDTH]


@dataclass(frozen=True)
class Patterns:
    """All patterns at all levels of detail, flattened for look-up.

    Attributes:
        weights: float32 [materials, texels].
        offsets: intp [patterns, levels, levels], by level of detail vertically and horizontally; a
            texel (v, u) lies at ``offset + v * (WIDTH >> horizontal level) + u``, v upwards.
        index: the row of `offsets` by pattern name.
    """

    weights: np.ndarray
    offsets: np.ndarray
    index: dict[str, int]


def soft_noise(
    rng: np.random.Generator, shape: tuple[int, int], roughness: float, stretch: float = 1.0
) -> np.ndarray:
    """Return seamless float32 noise in -1..1; low `roughness` is cloudy, high is grainy.

    `stretch` above 1 draws the noise out vertically.
    """
    spectrum = np.fft.rfft2(rng.standard_normal(shape))
    rows = np.fft.fftfreq(shape[0])[:, None] * stretch
    columns = np.fft.rfftfreq(shape[1])[None]
    spectrum /= (0.004 + rows**2 + columns**2) ** (1 - roughness)
    spectrum[0, 0] = 0
    noise = np.fft.irfft2(spectrum, shape)
    limited: np.ndarray = np.clip(noise / (2.2 * noise.std()), -1, 1)
    return limited.astype(np.float32)


def _layers(*masks: tuple[int, np.ndarray]) -> np.ndarray:
    """Return the weights of the base, with each (material, mask) laid over the ones before it."""
    shown = np.zeros((HEIGHT, WIDTH), int)
    for material, mask in masks:
        shown[np.broadcast_to(mask, shown.shape)] = material
    weights: np.ndarray = shown[None] == np.arange(MATERIALS)[:, None, None]
    return weights.astype(np.float32)


def _window(
    period: int, columns: tuple[int, int], rows: tuple[int, int], storey: int = 32
) -> np.ndarray:
    across, up = _U % period, _V % storey
    shown: np.ndarray = (
        (across >= columns[0]) & (across < columns[1]) & (up >= rows[0]) & (up < rows[1])
    )
    return shown


def _shop() -> np.ndarray:
    front = _V < 32
    return _layers(
        (GLASS, _window(16, (4, 12), (8, 22)) & ~front),
        (GLASS, front & _window(32, (2, 30), (5, 24))),
        (ACCENT, front & (_V >= 23) & (_U % 16 < 8)),
        (TRIM, front & (_V >= 23) & (_U % 16 >= 8)),
    )


def _house() -> np.ndarray:
    return _layers(
        (TRIM, _window(32, (7, 23), (9, 21), 25)),
        (GLASS, _window(32, (8, 22), (10, 20), 25)),
        (ACCENT, (_U >= 50) & (_U < 60) & (_V < 21)),
        (ACCENT, _V >= 50),
        (TRIM, (_V >= 50) & (_V < 52)),
    )


def _brick() -> np.ndarray:
    joints = (_V % 6 == 0) | ((_U + 6 * (_V // 6 % 2)) % 12 == 0)
    weights = _layers((TRIM, joints), (TRIM, _window(32, (8, 24), (5, 26))), (ACCENT, _V >= 50))
    return np.where(_window(32, (10, 22), (6, 24)) & (_V < 50), _layers((GLASS, _V >= 0)), weights)


def _arches() -> np.ndarray:
    rise = 16 + np.sqrt(np.maximum(0, 100 - (_U % 32 - 16) ** 2))
    inside = (abs(_U % 32 - 16) < 10) & (rise > _V % 42) & (_V % 42 > 2)
    return _layers((ACCENT, _V % 42 < 3), (TRIM, _V % 42 >= 39), (GLASS, inside))


def _panels() -> np.ndarray:
    turn = (_U // 16 + 2 * (_V // 16)) % 3
    return _layers(
        (ACCENT, turn == 0),
        (TRIM, (turn == 1) & (_V % 16 < 3)),
        (GLASS, _window(16, (4, 12), (5, 13), 16) & (turn != 0)),
    )


def _tiles() -> np.ndarray:
    lamps = (_V >= 42) & (_V < 46) & (_U < 36)
    return _layers(
        (GLASS, (_V % 8 == 0) | (_U % 8 == 0)), (ACCENT, (_V >= 12) & (_V < 18)), (TRIM, lamps)
    )


def _mesh() -> np.ndarray:
    return _layers((GLASS, (_U + _V) % 8 < 4), (TRIM, _U % 32 < 3))


# Name -> the weights, then the roughness, strength and vertical stretch of the grain.
_PATTERNS: dict[str, tuple[Callable[[], np.ndarray], float, float, float]] = {
    "grid": (
        lambda: _layers(
            (TRIM, _window(16, (3, 13), (7, 9))), (GLASS, _window(16, (4, 12), (9, 24)))
        ),
        0.2,
        0.10,
        1.0,
    ),
    "tall": (
        lambda: _layers((TRIM, _V % 32 < 2), (GLASS, _window(16, (5, 11), (4, 28)))),
        0.2,
        0.10,
        1.0,
    ),
    "shop": (_shop, 0.2, 0.10, 1.0),
    "house": (_house, 0.3, 0.10, 1.0),
    "bands": (
        lambda: _layers((GLASS, _window(64, (0, 64), (12, 26))), (TRIM, _U % 64 < 3)),
        0.2,
        0.10,
        1.0,
    ),
    "brick": (_brick, 0.4, 0.15, 1.0),
    "arches": (_arches, 0.3, 0.12, 1.0),
    "panels": (_panels, 0.2, 0.08, 1.0),
    "leaves": (lambda: _layers(), 0.35, 0.75, 1.0),
    "needles": (lambda: _layers((ACCENT, _U % 32 < 6)), 0.4, 0.6, 0.25),
    "pickets": (lambda: _layers((GLASS, _U % 4 >= 2), (TRIM, _V % 8 == 5)), 0.4, 0.15, 1.0),
    "mesh": (_mesh, 0.4, 0.10, 1.0),
    "blocks": (
        lambda: _layers((GLASS, (_V % 8 == 0) | ((_U + 8 * (_V // 8 % 2)) % 16 == 0))),
        0.3,
        0.25,
        1.0,
    ),
    "concrete": (lambda: _layers((GLASS, (_U < 2) | (_V % 64 < 1))), 0.1, 0.2, 0.5),
    "tiles": (_tiles, 0.2, 0.15, 1.0),
    "asphalt": (lambda: _layers(), 0.5, 0.14, 1.0),
    "slabs": (lambda: _layers((GLASS, (_V % 16 == 0) | (_U % 16 == 0))), 0.4, 0.10, 1.0),
    "grass": (lambda: _layers(), 0.4, 0.4, 0.5),
    "cobbles": (
        lambda: _layers((GLASS, (_V % 4 == 0) | ((_U + 2 * (_V // 4 % 2)) % 4 == 0))),
        0.6,
        0.25,
        1.0,
    ),
    "gravel": (lambda: _layers(), 0.9, 0.35, 1.0),
}


def build_patterns(rng: np.random.Generator) -> Patterns:
    """Build every pattern, with grain drawn from `rng`."""
    flat: list[np.ndarray] = []
    offsets = np.zeros((len(_PATTERNS), LEVELS, LEVELS), np.intp)
    used = 0
    for row, (shape, roughness, strength, stretch) in enumerate(_PATTERNS.values()):
        grain = 1 + strength * soft_noise(rng, (HEIGHT, WIDTH), roughness, stretch)
        tall = shape() * grain
        for vertical in range(LEVELS):
            wide = tall
            for horizontal in range(LEVELS):
                offsets[row, vertical, horizontal] = used
                flat.append(wide.reshape(MATERIALS, -1))
                used += flat[-1].shape[1]
                wide = (wide[:, :, ::2] + wide[:, :, 1::2]) / 2
            tall = (tall[:, ::2] + tall[:, 1::2]) / 2
    index = {name: row for row, name in enumerate(_PATTERNS)}
    return Patterns(np.concatenate(flat, 1).astype(np.float32), offsets, index)


def level_of_detail(footprint: np.ndarray, texel: float) -> np.ndarray:
    """Return the level (intp) whose texels, `texel` metres at level 0, match `footprint`."""
    level = np.log2(np.maximum(footprint, 1e-6) / texel)
    nearest: np.ndarray = np.clip(np.rint(level), 0, LEVELS - 1)
    return nearest.astype(np.intp)
