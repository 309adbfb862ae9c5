"""Place the things of a street: trees, lamps, signs, cars and people."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np

from videottt.data.synthetic.places import PLACES, Place, Stretch, draw_colours, rgb
from videottt.data.synthetic.sprites import MATERIALS

TREE, LAMP, SIGN_POST, PERSON_FIGURE, CAR_BODY = range(5)
AHEAD = 15.0


class _Spots(NamedTuple):
    """The places of things of one kind: metres along the street, side (-1, 1) and range."""

    place: Place
    z: np.ndarray
    side: np.ndarray
    unfamiliar: np.ndarray
    pace: float


@dataclass(frozen=True)
class Things:
    """All things of a street, one a row; lengths in metres, speeds in metres a frame.

    At frame t the centre is at ``z + speed * t + hypot(gap, parting * (t - met))``: a car ahead
    comes near, keeps its distance and pulls away again. Other things have no gap.

    Attributes:
        kind, variant: intp [n].
        x, z, speed, gap, parting, met: float64 [n].
        width, height, length: float64 [n]; only cars have a length.
        palette: float32 [n, materials, 3].
        instance: uint16 [n], 0 for things without a number.
    """

    kind: np.ndarray
    variant: np.ndarray
    x: np.ndarray
    z: np.ndarray
    speed: np.ndarray
    gap: np.ndarray
    parting: np.ndarray
    met: np.ndarray
    width: np.ndarray
    height: np.ndarray
    length: np.ndarray
    palette: np.ndarray
    instance: np.ndarray

    def along(self, frame: float) -> np.ndarray:
        """Return the position of each thing along the street at `frame`, in metres."""
        gap = np.hypot(self.gap, self.parting * (frame - self.met))
        along: np.ndarray = self.z + self.speed * frame + gap
        return along


_METAL = rgb("70757a 4a4e52 8c8c84")
_LEAVES = (rgb("5c7a34 4c6c2e 6c8a40 587238"), rgb("c07828 a04828 d0a838 3c6060 d898a8"))
_PAINT = (
    rgb("c8ccd0 282a2e 8a8e94 5c2424 2c3c5c e4e4e0 6c7478"),
    rgb("e8c020 20a060 e05818 8040a0 30a8c8 c02030"),
)
_CLOTHES = (
    rgb("303848 6c2c30 8c8478 2c4c3c b8b0a0 4c4c54 7c5c3c"),
    rgb("e8d030 e04898 30b8b0 f07028 7048c0 f0f0f0"),
)
_TROUSERS = rgb("2c3448 3c3834 54585c 6c6050 202024")
_SKIN = rgb("e0b898 c89870 8c5c40 5c3c2c")
_HAIR = rgb("2c2018 5c4028 a88850 181818 8c8480")
_PLATES = (
    rgb("c02828 f0f0ec 202020 2850a0 f0f0ec f0f0ec c02828 f0f0ec 202020"),
    rgb("f0c020 202020 f0c020 208048 f0f0ec f0f0ec d06820 f0e8d0 202020"),
)


def place_things(
    rng: np.random.Generator, stretches: Sequence[Stretch], length: float, pace: float
) -> Things:
    """Draw the things of a street of `length` metres; nothing moves if `pace` is 0."""
    parts: list[dict[str, np.ndarray]] = []
    ends = [stretch.start for stretch in stretches[1:]] + [length]
    for stretch, end in zip(stretches, ends, strict=True):
        place = PLACES[stretch.place]
        for name, rate in place.things.items():
            span = end - stretch.start
            count = int(rate * span / 100 + rng.random())
            if count == 0:
                continue
            # One thing in each of `count` equal parts, so that things of a kind never overlap.
            z = stretch.start + (np.arange(count) + rng.uniform(0.25, 0.75, count)) * span / count
            side = np.where((np.arange(count) + rng.integers(2)) % 2, 1.0, -1.0)
            unfamiliar = rng.random(count) < stretch.novelty
            parts.append(_MAKERS[name](rng, _Spots(place, z, side, unfamiliar, pace)))
    return _joined(parts)


def _joined(parts: list[dict[str, np.ndarray]]) -> Things:
    names = [field.name for field in fields(Things) if field.name != "instance"]
    if not parts:
        parts = [_batch(CAR_BODY, np.zeros(0), np.zeros(0), np.zeros((0, MATERIALS, 3)))]
    columns = {name: np.concatenate([part[name] for part in parts]) for name in names}
    counted = np.isin(columns["kind"], (PERSON_FIGURE, CAR_BODY))
    instance = np.where(counted, np.cumsum(counted), 0).astype(np.uint16)
    return Things(instance=instance, **columns)


def _batch(
    kind: int, x: np.ndarray, z: np.ndarray, palette: np.ndarray, **given: np.ndarray
) -> dict[str, np.ndarray]:
    names = ("speed", "gap", "parting", "met", "width", "height", "length")
    columns = {name: np.zeros(len(x)) for name in names}
    columns |= {
        "kind": np.full(len(x), kind, np.intp),
        "variant": np.zeros(len(x), np.intp),
        "x": x,
        "z": z,
        "palette": palette.astype(np.float32),
    }
    return columns | given


def _mixed(
    rng: np.random.Generator, ranges: tuple[np.ndarray, np.ndarray], unfamiliar: np.ndarray
) -> np.ndarray:
    familiar, new = (draw_colours(rng, colours, len(unfamiliar)) for colours in ranges)
    return np.where(unfamiliar[:, None], new, familiar)


def _stacked(*colours: np.ndarray) -> np.ndarray:
    """Return a palette [n, MATERIALS, 3]; materials without a colour [n, 3] get the last."""
    filled = list(colours) + [colours[-1]] * (MATERIALS - len(colours))
    return np.stack(filled, 1)


def _trees(rng: np.random.Generator, spots: _Spots) -> dict[str, np.ndarray]:
    leaf = _mixed(rng, _LEAVES, spots.unfamiliar)
    trunk = draw_colours(rng, rgb("5a4634 4a3c30 6c5a48"), len(spots.z))
    height = rng.uniform(4.0, 7.0, len(spots.z))
    x = spots.side * (spots.place.walk - rng.uniform(0.2, 0.9, len(spots.z)))
    conical = spots.unfamiliar & (rng.random(len(spots.z)) < 0.5)
    variant = np.where(conical, 3, rng.integers(3, size=len(spots.z)))
    palette = _stacked(trunk, leaf, leaf * 0.62)
    return _batch(TREE, x, spots.z, palette, height=height, width=height * 0.6, variant=variant)


def _lamps(rng: np.random.Generator, spots: _Spots) -> dict[str, np.ndarray]:
    metal = draw_colours(rng, _METAL, len(spots.z))
    palette = _stacked(metal, draw_colours(rng, rgb("e8e4d0"), len(spots.z)))
    height = rng.uniform(4.5, 6.0, len(spots.z))
    x = spots.side * (spots.place.road + 0.4)
    return _batch(LAMP, x, spots.z, palette, height=height, width=np.full(len(spots.z), 1.4))


def _signs(rng: np.random.Generator, spots: _Spots) -> dict[str, np.ndarray]:
    triples = [plates.reshape(-1, 3, 3) for plates in _PLATES]
    familiar, new = (plates[rng.integers(len(plates), size=len(spots.z))] for plates in triples)
    plate = np.where(spots.unfamiliar[:, None, None], new, familiar)
    metal = draw_colours(rng, _METAL, len(spots.z))
    palette = _stacked(metal, plate[:, 0], plate[:, 1], plate[:, 2])
    variant = rng.integers(np.where(spots.unfamiliar, 4, 3))
    x = spots.side * (spots.place.road + rng.uniform(0.5, 1.0, len(spots.z)))
    height = rng.uniform(2.3, 3.0, len(spots.z))
    return _batch(
        SIGN_POST, x, spots.z, palette, height=height, width=height * 0.3, variant=variant
    )


def _cars(
    rng: np.random.Generator,
    x: np.ndarray,
    z: np.ndarray,
    unfamiliar: np.ndarray,
    **given: np.ndarray,
) -> dict[str, np.ndarray]:
    count = len(z)
    paint = _mixed(rng, _PAINT, unfamiliar)
    dark = draw_colours(rng, rgb("1c1c1e 26262a"), count)
    glass = draw_colours(rng, rgb("2c343c 3c4854"), count)
    lamp = draw_colours(rng, rgb("c8c8c0 b82020"), count)
    size = rng.uniform(0.93, 1.1, count)
    return _batch(
        CAR_BODY,
        x,
        z,
        _stacked(paint, glass, dark, lamp, dark * 1.5),
        width=1.8 * size,
        height=1.5 * size * rng.uniform(0.95, 1.2, count),
        length=4.2 * size,
        variant=rng.integers(2, size=count),
        **given,
    )


def _parked(rng: np.random.Generator, spots: _Spots) -> dict[str, np.ndarray]:
    return _cars(rng, spots.side * (spots.place.road - 0.75), spots.z, spots.unfamiliar)


def _driving(rng: np.random.Generator, spots: _Spots) -> dict[str, np.ndarray]:
    """Draw cars that drive: ahead on the right, and towards the camera on the left."""
    x = spots.side * rng.uniform(1.3, 1.6, len(spots.z))
    if spots.pace == 0:
        return _cars(rng, x, spots.z + AHEAD, spots.unfamiliar)
    ahead = spots.side > 0
    met = spots.z / spots.pace
    speed = np.where(ahead, spots.pace, -spots.pace * rng.uniform(0.7, 1.2, len(spots.z)))
    return _cars(
        rng,
        x,
        np.where(ahead, 5.0, spots.z + AHEAD - speed * met),
        spots.unfamiliar,
        speed=speed,
        gap=np.where(ahead, 8.0, 0.0),
        parting=np.where(ahead, rng.uniform(0.15, 0.5, len(spots.z)), 0.0),
        met=met,
    )


def _people(rng: np.random.Generator, spots: _Spots) -> dict[str, np.ndarray]:
    count = len(spots.z)
    colours = [draw_colours(rng, options, count) for options in (_SKIN, _HAIR)]
    colours += [_mixed(rng, _CLOTHES, spots.unfamiliar), draw_colours(rng, _TROUSERS, count)]
    height = rng.uniform(1.5, 1.9, count)
    speed = rng.choice((-1.0, 1.0), count) * rng.uniform(0.08, 0.16, count) * (spots.pace > 0)
    start = spots.z + AHEAD - (speed * spots.z / spots.pace if spots.pace else 0)
    x = spots.side * rng.uniform(spots.place.road + 0.3, spots.place.walk - 0.2, count)
    palette = _stacked(*colours, draw_colours(rng, rgb("1c1814 3c2c20"), count))
    steps = rng.integers(6, size=count)
    return _batch(
        PERSON_FIGURE,
        x,
        start,
        palette,
        height=height,
        width=height * 0.5,
        speed=speed,
        variant=steps,
    )


_MAKERS = {
    "tree": _trees,
    "lamp": _lamps,
    "sign": _signs,
    "parked": _parked,
    "driving": _driving,
    "person": _people,
}
