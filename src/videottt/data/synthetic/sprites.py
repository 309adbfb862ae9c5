"""Build the silhouettes of the things of a street, at several levels of detail."""

from dataclasses import dataclass

import numpy as np

from videottt.data.synthetic.patterns import soft_noise
from videottt.data.synthetic.places import CAR, PERSON, POLE, SIGN, VEGETATION

MATERIALS = 5
LEVELS = 6
NO_LABEL = 255


@dataclass(frozen=True)
class Level:
    """A silhouette at one level of detail, row 0 at the top.

    Attributes:
        weights: float32 [materials, h, w], share of each material in a texel, times its shading.
        cover: float32 [h, w], the opaque share of a texel, in 0..1.
        label: uint8 [h, w], train id of texels that are at least half covered, else `NO_LABEL`.
    """

    weights: np.ndarray
    cover: np.ndarray
    label: np.ndarray


Sprite = list[Level]


def _canvas(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Return x in -1..1 and y in 0..1 upwards, at the centres of the texels."""
    rows, columns = np.mgrid[0:height, 0:width]
    return (columns + 0.5) / width * 2 - 1, 1 - (rows + 0.5) / height


def _levels(shown: np.ndarray, shade: np.ndarray | float, labels: tuple[int, ...]) -> Sprite:
    """Return the levels of a map of materials [h, w], in which -1 is transparent."""
    present = (shown[None] == np.arange(MATERIALS)[:, None, None]).astype(np.float32)
    weights = (present * shade).astype(np.float32)
    names = np.array(labels, np.uint8)
    sprite = []
    for _ in range(LEVELS):
        cover = present.sum(0)
        label = np.where(cover >= 0.5, names[present[: len(names)].argmax(0)], NO_LABEL)
        sprite.append(Level(weights, cover, label.astype(np.uint8)))
        if min(cover.shape) < 2:
            break
        weights, present = _half(weights), _half(present)
    return sprite


def _half(maps: np.ndarray) -> np.ndarray:
    rows, columns = maps.shape[1] // 2 * 2, maps.shape[2] // 2 * 2
    maps = maps[:, :rows, :columns]
    total: np.ndarray = (
        maps[:, ::2, ::2] + maps[:, 1::2, ::2] + maps[:, ::2, 1::2] + maps[:, 1::2, 1::2]
    )
    return total / 4


def _person(stride: float) -> Sprite:
    """Draw a person of skin, hair, top, trousers and shoes; `stride` in -1..1 moves the legs."""
    x, y = _canvas(96, 48)
    shown = np.full(x.shape, -1)
    for side in (-1, 1):
        hip, foot = 0.12 * side, 0.12 * side + 0.36 * stride * side
        leg = hip + (foot - hip) * np.clip((0.48 - y) / 0.48, 0, 1)
        shown[(abs(x - leg) < 0.13) & (y < 0.5)] = 3
        shown[(abs(x - leg - 0.05) < 0.17) & (y < 0.05)] = 4
        swing = 0.36 * side - 0.25 * stride * side * np.clip((0.8 - y) / 0.4, 0, 1)
        shown[(abs(x - swing) < 0.10) & (y > 0.46) & (y < 0.8)] = 2
        shown[(abs(x - swing) < 0.09) & (y > 0.42) & (y <= 0.47)] = 0
    shown[(abs(x) < 0.34 - 0.25 * abs(y - 0.68)) & (y > 0.47) & (y < 0.83)] = 2
    shown[(x / 0.2) ** 2 + ((y - 0.91) / 0.075) ** 2 < 1] = 0
    shown[((x / 0.22) ** 2 + ((y - 0.945) / 0.06) ** 2 < 1) & (y > 0.925)] = 1
    return _levels(shown, 1 - 0.25 * (x > 0.1), (PERSON,) * MATERIALS)


def _tree(rng: np.random.Generator, conical: bool) -> Sprite:
    """Draw a tree of trunk, leaves and shaded leaves."""
    x, y = _canvas(96, 64)
    shown = np.full(x.shape, -1)
    shown[(abs(x) < 0.07) & (y < 0.5)] = 0
    noise = soft_noise(rng, x.shape, 0.3)
    if conical:
        crown = (abs(x) + 0.25 * noise < 0.9 * (1.02 - y)) & (y > 0.15)
    else:
        crown = (x / 0.85) ** 2 + ((y - 0.66) / 0.32) ** 2 + 0.5 * noise < 0.9
    shown[crown] = 1
    shown[crown & (noise + 0.8 * x - 1.2 * (y - 0.6) > 0.35)] = 2
    return _levels(shown, 1 + 0.3 * soft_noise(rng, x.shape, 0.6), (VEGETATION,) * 3)


def _lamp() -> Sprite:
    """Draw a street lamp of metal and a lamp."""
    x, y = _canvas(96, 24)
    shown = np.full(x.shape, -1)
    shown[(abs(x) < 0.11) & (y < 0.97)] = 0
    shown[(y > 0.955) & (y < 0.985) & (x > 0)] = 0
    shown[(y > 0.93) & (y < 0.965) & (x > 0.45)] = 1
    return _levels(shown, 1 - 0.3 * (x > 0), (POLE, POLE))


def _sign(form: str) -> Sprite:
    """Draw a sign of metal, border, face and symbol."""
    x, y = _canvas(96, 32)
    shown = np.full(x.shape, -1)
    shown[(abs(x) < 0.1) & (y < 0.75)] = 0
    up = (y - 0.84) / 0.15
    radius = {
        "round": np.hypot(x, up),
        "triangle": np.maximum(-up, 0.9 * abs(x) + 0.5 * up + 0.1),
        "plate": np.maximum(abs(x), abs(up)),
        "diamond": abs(x) + abs(up),
    }[form]
    shown[radius < 0.95] = 1
    shown[radius < 0.68] = 2
    shown[(abs(x) < 0.15) & (abs(up) < 0.4)] = 3
    return _levels(shown, 1.0, (POLE, SIGN, SIGN, SIGN))


def _car_end(lamps: float) -> Sprite:
    """Draw the end of a car of paint, glass, tyre, lamp and bumper; `lamps` is the lamps' width."""
    x, y = _canvas(48, 60)
    shown = np.full(x.shape, -1)
    shown[(abs(x) > 0.6) & (abs(x) < 0.9) & (y < 0.25)] = 2
    shown[(y > 0.14) & (y < 0.62) & (abs(x) < 0.98)] = 0
    shown[(y >= 0.6) & (y < 0.99) & (abs(x) < 0.98 - 0.4 * (y - 0.6))] = 0
    shown[(y >= 0.65) & (y < 0.92) & (abs(x) < 0.86 - 0.4 * (y - 0.6))] = 1
    shown[(y > 0.14) & (y < 0.28)] = 4
    shown[(y > 0.42) & (y < 0.54) & (abs(x) > 0.92 - lamps) & (abs(x) < 0.92)] = 3
    shown[(y > 0.2) & (y < 0.28) & (abs(x) < 0.25)] = 3 if lamps > 0.3 else 0
    return _levels(shown, 0.8 + 0.3 * y, (CAR,) * MATERIALS)


def _car_side() -> Sprite:
    x, y = _canvas(48, 128)
    shown = np.full(x.shape, -1)
    shown[(y > 0.17) & (y < 0.62) & (abs(x) < 0.99)] = 0
    edge = abs(x)
    shown[(y >= 0.6) & (y < 0.99) & (edge < 0.99 - 0.3 * (y - 0.6))] = 0
    shown[(y >= 0.64) & (y < 0.92) & (edge < 0.88 - 0.3 * (y - 0.6)) & (edge > 0.04)] = 1
    shown[(y > 0.17) & (y < 0.25)] = 4
    for axle in (-0.62, 0.62):
        reach = np.hypot((x - axle) * 2.8, (y - 0.21) * 2)
        shown[reach < 0.44] = 2
        shown[reach < 0.2] = 4
    return _levels(shown, 0.75 + 0.3 * y, (CAR,) * MATERIALS)


def build_sprites(rng: np.random.Generator) -> dict[str, list[Sprite]]:
    """Build the variants of every thing, by name; those of a person are the steps of a walk."""
    return {
        "person": [_person(stride) for stride in (-1.0, -0.35, 0.35, 1.0, 0.35, -0.35)],
        "tree": [_tree(rng, conical) for conical in (False, False, False, True)],
        "lamp": [_lamp()],
        "sign": [_sign(form) for form in ("round", "triangle", "plate", "diamond")],
        "car end": [_car_end(0.25), _car_end(0.35)],
        "car side": [_car_side()],
    }
