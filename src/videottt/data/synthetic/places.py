"""Define the places of a street: facades, ground, colours, and the number of things there.

Every material has a familiar range, for training stills and videos, and an unfamiliar range, for
videos only. Lengths are in metres, colours are RGB in hexadecimal.
"""

import functools
from typing import NamedTuple

import numpy as np

ROAD, SIDEWALK, BUILDING, WALL, FENCE, POLE = 0, 1, 2, 3, 4, 5
SIGN, VEGETATION, TERRAIN, SKY, PERSON, CAR = 7, 8, 9, 10, 11, 13


class Choice(NamedTuple):
    """Options of a material: of each pair, the familiar range and the unfamiliar range."""

    patterns: tuple[str, str]
    colours: tuple[str, str]


class Stretch(NamedTuple):
    """A part of the street that begins at `start` metres; a share `novelty` is unfamiliar."""

    start: float
    place: str
    novelty: float


class SideKind(NamedTuple):
    """A kind of facade, fence or planting along the side of a street.

    `rough` is the variation of the upper edge and `gable` the height of a roof, in metres.
    """

    label: int
    height: tuple[float, float]
    rough: float
    gable: float
    choice: Choice


class Place(NamedTuple):
    """One kind of surroundings.

    `road` and `walk` are distances from the axis to the kerb and to the back of the pavement.
    `near` and `far` weigh the kinds along the two rows at each side (kinds missing from `near`
    leave a gap). `things` are expected numbers per 100 m of street, both sides together.
    """

    road: float
    walk: float
    markings: float
    verge: str
    near: dict[str, float]
    far: dict[str, float]
    things: dict[str, float]


_GREEN = "4c6b2f 5a7a38 3f5c2c 6a8240 557040"
_AUTUMN = "b5702a 9c4a2a c29a3a 3a5a5c 8a7a90 a85f70"

SIDE_KINDS: dict[str, SideKind] = {
    "gap": SideKind(
        TERRAIN, (0.0, 0.0), 0.0, 0.0, Choice(("concrete", "concrete"), ("888888",) * 2)
    ),
    "tower": SideKind(
        BUILDING,
        (7.5, 12.6),
        0.0,
        0.0,
        Choice(
            ("grid tall", "bands panels"),
            (
                "b8a88c a39a8e 8e8076 c4b8a4 9c6f58 7d7d80",
                "3f6f7a d8d8e0 2f3440 c58fa0 8fae5a 5a5a9a",
            ),
        ),
    ),
    "house": SideKind(
        BUILDING,
        (5.0, 5.4),
        0.0,
        2.4,
        Choice(
            ("house", "brick arches"),
            ("cfc4ae b9a58a d8d2c4 a8836a bfae98", "e2c23a 7aa8c8 d07a6a 8fd0b0 5c4038"),
        ),
    ),
    "shop": SideKind(
        BUILDING,
        (4.5, 8.5),
        0.0,
        0.0,
        Choice(
            ("shop grid", "arches panels"),
            ("c2a67e a88a72 d0c0a0 9a8a86 b07860", "e0803a 3fa098 d84a70 f0d860 6a58b0"),
        ),
    ),
    "trees": SideKind(
        VEGETATION, (5.0, 8.0), 1.4, 0.0, Choice(("leaves", "needles"), (_GREEN, _AUTUMN))
    ),
    "hedge": SideKind(
        VEGETATION, (1.0, 1.7), 0.15, 0.0, Choice(("leaves", "needles"), (_GREEN, _AUTUMN))
    ),
    "fence": SideKind(
        FENCE,
        (1.0, 1.6),
        0.0,
        0.0,
        Choice(("pickets", "mesh"), ("8a7458 6e6e6a 9a9488 54483c", "e8e8e4 2f5a48 a03a2a 30506a")),
    ),
    "wall": SideKind(
        WALL,
        (1.4, 2.6),
        0.0,
        0.0,
        Choice(
            ("blocks", "concrete"), ("9a9184 8a8078 a89c8c 7c7670", "b86a4a d8d0c0 4a5058 8a9aa8")
        ),
    ),
    "lining": SideKind(
        WALL,
        (5.0, 5.0),
        0.0,
        0.0,
        Choice(("tiles", "concrete"), ("6a6658 5c5c5a 747062", "7a6a40 40545c 5a4438")),
    ),
}

SURFACES: dict[str, Choice] = {
    "road": Choice(
        ("asphalt", "cobbles concrete"), ("58585c 64646a 4e5054 6c6a6a", "7c6258 98948c 3c3a44")
    ),
    "walk": Choice(("slabs", "cobbles gravel"), ("98948c a8a298 8c8a88", "b08a70 70707c c8bc98")),
    "grass": Choice(("grass", "gravel"), ("5c7838 6a803e 54702f", "a8944e b89a74 7c5a3c")),
    "paving": Choice(("slabs", "gravel"), ("8e8a80 9c948a", "a87860 c0b49a")),
}

THINGS = ("tree", "lamp", "sign", "parked", "driving", "person")


def _things(*rates: float) -> dict[str, float]:
    return dict(zip(THINGS, rates, strict=True))


PLACES: dict[str, Place] = {
    "avenue": Place(
        5.0, 8.0, 1.0, "paving", {}, {"tower": 9, "shop": 2, "wall": 1}, _things(6, 4, 5, 10, 4, 13)
    ),
    "residential": Place(
        4.2,
        5.7,
        0.3,
        "grass",
        {"hedge": 3, "fence": 3, "wall": 2},
        {"house": 8, "trees": 3},
        _things(6, 3, 3, 8, 3, 8),
    ),
    "park": Place(
        3.7,
        4.9,
        0.5,
        "grass",
        {"fence": 5, "hedge": 2},
        {"trees": 9, "wall": 1},
        _things(13, 3, 3, 2, 3, 12),
    ),
    "tunnel": Place(
        4.6, 6.0, 1.0, "paving", {"lining": 1}, {"tower": 1, "trees": 1}, _things(0, 0, 3, 0, 6, 1)
    ),
    "market": Place(
        4.0, 7.0, 0.2, "paving", {"shop": 9, "wall": 1}, {"tower": 1}, _things(2, 4, 12, 4, 2, 40)
    ),
}


@functools.cache
def rgb(colours: str) -> np.ndarray:
    """Parse hexadecimal colours separated by blanks: read-only float32 [n, 3] in 0..1."""
    values = [list(bytes.fromhex(colour)) for colour in colours.split()]
    parsed = np.array(values, np.float32) / 255
    parsed.setflags(write=False)
    return parsed


def draw_colours(rng: np.random.Generator, colours: np.ndarray, count: int) -> np.ndarray:
    """Draw `count` colours from `colours` [n, 3] and vary each a little: float32 [count, 3]."""
    drawn: np.ndarray = colours[rng.integers(len(colours), size=count)]
    tint = rng.random((count, 4), np.float32)
    drawn *= (0.94 + 0.12 * tint[:, :3]) * (0.85 + 0.27 * tint[:, 3:])
    limited: np.ndarray = np.minimum(drawn, 1)
    return limited
