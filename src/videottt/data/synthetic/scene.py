"""Build the scene of one video or still: two rows along each side, the ground and the things.

Everything fixed is stored in cells along the street. A scene does not depend on the size of an
image.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from videottt.data.synthetic.patterns import MATERIALS, Patterns
from videottt.data.synthetic.places import (
    PLACES,
    ROAD,
    SIDE_KINDS,
    SIDEWALK,
    SURFACES,
    TERRAIN,
    Choice,
    Stretch,
    draw_colours,
    rgb,
)
from videottt.data.synthetic.things import Things, place_things

CELL = 0.25
NEAR_ROW, FAR_ROW = 7.0, 11.0
MARGIN = 20.0
_SEGMENT = (6.0, 13.0)


@dataclass(frozen=True)
class SideRow:
    """Two upright planes parallel to the street, left and right, by side and cell [2, cells].

    Attributes:
        distance: metres from the axis of the street.
        label: uint8, Cityscapes train id.
        height: float32, in metres.
        pattern: intp, row of the patterns.
        origin: float32, metres along the street at which the pattern begins.
        palette: intp, row of `palettes`.
        palettes: float32 [rows, materials, 3].
    """

    distance: float
    label: np.ndarray
    height: np.ndarray
    pattern: np.ndarray
    origin: np.ndarray
    palette: np.ndarray
    palettes: np.ndarray


@dataclass(frozen=True)
class Ground:
    """The ground by cell; kinds are road, pavement, verge.

    Attributes:
        road, walk: float32 [cells], metres from the axis to the kerb and to the pavement's back.
        markings: float32 [cells], strength of the lane markings in 0..1.
        label: uint8 [3, cells], Cityscapes train id.
        colour: float32 [3 channels, 3 kinds, cells].
        pattern: intp [3, cells], row of the patterns.
    """

    road: np.ndarray
    walk: np.ndarray
    markings: np.ndarray
    label: np.ndarray
    colour: np.ndarray
    pattern: np.ndarray


@dataclass(frozen=True)
class Scene:
    """A street; cell i begins ``start + i * CELL`` metres along it.

    Attributes:
        start: start of the street, in metres.
        rows: the far row, then the near one.
        ground: the ground.
        roofed: bool [cells], whether a cell is inside a tunnel.
        portals: starts of the tunnels, in metres.
        sunlit: factor on the light of the left and the right side.
        things: the things of the street.
    """

    start: float
    rows: tuple[SideRow, SideRow]
    ground: Ground
    roofed: np.ndarray
    portals: tuple[float, ...]
    sunlit: np.ndarray
    things: Things

    def cell(self, z: np.ndarray) -> np.ndarray:
        """Return the cell (intp) at `z` metres, the first or last one beyond the ends."""
        cells = ((z - self.start) / CELL).astype(np.intp)
        return np.clip(cells, 0, len(self.roofed) - 1)


def build_scene(
    rng: np.random.Generator,
    stretches: Sequence[Stretch],
    length: float,
    pace: float,
    patterns: Patterns,
) -> Scene:
    """Draw a street of `length` metres, and `MARGIN` metres before its start.

    `pace` is the camera's mean speed in metres a frame, which times the traffic; 0 for a still.
    """
    z = np.arange(-MARGIN, length, CELL, dtype=np.float32)
    bounds = np.array([stretch.start for stretch in stretches[1:]])
    stretch_of = np.searchsorted(bounds, z, side="right")
    rows = (
        _side_row(rng, stretches, z, patterns, near=False),
        _side_row(rng, stretches, z, patterns, near=True),
    )
    roofed = np.array([stretch.place == "tunnel" for stretch in stretches])[stretch_of]
    entries = np.flatnonzero(roofed[1:] & ~roofed[:-1]) + 1
    sunlit = np.array([1.05, 0.72], np.float32)
    return Scene(
        start=-MARGIN,
        rows=rows,
        ground=_ground(rng, stretches, stretch_of, patterns),
        roofed=roofed,
        portals=tuple(float(z[entry]) for entry in entries),
        sunlit=sunlit if rng.random() < 0.5 else sunlit[::-1],
        things=place_things(rng, stretches, length, pace),
    )


def _options(choice: Choice, unfamiliar: bool, patterns: Patterns) -> tuple[np.ndarray, np.ndarray]:
    names = choice.patterns[unfamiliar].split()
    return np.array([patterns.index[name] for name in names]), rgb(choice.colours[unfamiliar])


_GLASS = rgb("3a4450 2c3238 4a5a68 56606a")
_TRIM = rgb("d8d4c8 6a6258 b8b0a4 8a8278")
_ACCENT = (rgb("7a4030 8a5a40 5a5048 405a48 34507a"), rgb("d03a50 20988a e8b020 6a3aa0 e86a20"))
# The gaps of fences and the joints of walls are dark, whatever their material.
_JOINT = rgb("3c3e34 4a463e")
_LAMP = rgb("fff4d0 ffe8b8")


def _palettes(
    rng: np.random.Generator, kind: str, base: np.ndarray, unfamiliar: bool
) -> np.ndarray:
    """Return float32 [n, materials, 3] for `base` colours [n, 3] of one kind of side."""
    count = len(base)
    built = kind in ("tower", "house", "shop")
    colours = np.empty((count, MATERIALS, 3), np.float32)
    colours[:, 0] = base
    colours[:, 1] = draw_colours(rng, _GLASS if built else _JOINT, count)
    colours[:, 2] = draw_colours(rng, _LAMP if kind == "lining" else _TRIM, count)
    colours[:, 3] = draw_colours(rng, _ACCENT[unfamiliar], count) if built else base * 0.6
    return colours


def _side_row(
    rng: np.random.Generator,
    stretches: Sequence[Stretch],
    z: np.ndarray,
    patterns: Patterns,
    near: bool,
) -> SideRow:
    """Draw segments along both sides, and assign each cell its segment."""
    count = int((z[-1] - z[0]) / _SEGMENT[0]) + 2
    starts = z[0] + np.cumsum(rng.uniform(*_SEGMENT, (2, count)), 1) - _SEGMENT[1]
    # A segment ends with its place, so that no hedge sticks out into a tunnel.
    bounds = np.array([stretch.start for stretch in stretches[1:]])
    starts = np.sort(np.hstack([starts, np.tile(bounds, (2, 1))]), 1)
    count = starts.shape[1]
    stretch_of = np.searchsorted(bounds, starts.ravel(), side="right")
    kind, pattern, palettes = _segments(rng, stretches, stretch_of, patterns, near)
    table = list(SIDE_KINDS.values())
    low, high = np.array([entry.height for entry in table]).T
    height = rng.uniform(low[kind], high[kind])
    within = [np.maximum(np.searchsorted(side, z, side="right") - 1, 0) for side in starts]
    segment = np.stack([within[0], within[1] + count])
    kinds = kind[segment]
    origin = starts.ravel()[segment]
    ends = np.append(starts.ravel()[1:], 0.0)[segment]
    along = np.clip((z - origin) / np.maximum(ends - origin, CELL), 0, 1)
    stray = np.repeat(rng.uniform(-1, 1, (2, len(z) // 2 + 1)), 2, 1)[:, : len(z)]
    rise = np.array([entry.gable for entry in table])[kinds] * (1 - abs(2 * along - 1))
    rough = np.array([entry.rough for entry in table])[kinds] * (stray + np.roll(stray, 1, 1)) / 2
    tops = np.maximum(height[segment] + rise + rough, 0)
    return SideRow(
        distance=NEAR_ROW if near else FAR_ROW,
        label=np.array([entry.label for entry in table], np.uint8)[kinds],
        height=tops.astype(np.float32),
        pattern=pattern[segment],
        origin=origin.astype(np.float32),
        palette=segment,
        palettes=palettes,
    )


def _segments(
    rng: np.random.Generator,
    stretches: Sequence[Stretch],
    stretch_of: np.ndarray,
    patterns: Patterns,
    near: bool,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the kind and pattern (intp [n]) and the palette [n, materials, 3] of each segment."""
    names = list(SIDE_KINDS)
    kind = np.zeros(len(stretch_of), np.intp)
    novelty = np.array([stretch.novelty for stretch in stretches])[stretch_of]
    unfamiliar = rng.random(len(kind)) < novelty
    for number, stretch in enumerate(stretches):
        place = PLACES[stretch.place]
        weights = (place.near if near else place.far) or {"gap": 1}
        here = np.flatnonzero(stretch_of == number)
        share = np.array(list(weights.values()), float)
        options = np.array([names.index(name) for name in weights])
        kind[here] = options[rng.choice(len(options), len(here), p=share / share.sum())]
    pattern = np.zeros(len(kind), np.intp)
    palettes = np.zeros((len(kind), MATERIALS, 3), np.float32)
    for number in np.unique(kind):
        for new in (False, True):
            chosen = np.flatnonzero((kind == number) & (unfamiliar == new))
            if len(chosen) == 0:
                continue
            choice = SIDE_KINDS[names[number]].choice
            looks, colours = _options(choice, new, patterns)
            pattern[chosen] = looks[rng.integers(len(looks), size=len(chosen))]
            base = draw_colours(rng, colours, len(chosen))
            palettes[chosen] = _palettes(rng, names[number], base, new)
    return kind, pattern, palettes


def _ground(
    rng: np.random.Generator,
    stretches: Sequence[Stretch],
    stretch_of: np.ndarray,
    patterns: Patterns,
) -> Ground:
    count = len(stretches)
    colour = np.zeros((count, 3, 3), np.float32)
    pattern = np.zeros((count, 3), np.intp)
    label = np.zeros((count, 3), np.uint8)
    shape = np.zeros((count, 3), np.float32)
    for number, stretch in enumerate(stretches):
        place = PLACES[stretch.place]
        shape[number] = place.road, place.walk, place.markings
        label[number] = ROAD, SIDEWALK, TERRAIN if place.verge == "grass" else SIDEWALK
        for kind, surface in enumerate(("road", "walk", place.verge)):
            unfamiliar = bool(rng.random() < stretch.novelty)
            looks, colours = _options(SURFACES[surface], unfamiliar, patterns)
            pattern[number, kind] = looks[rng.integers(len(looks))]
            colour[number, kind] = draw_colours(rng, colours, 1)[0]
    road, walk, markings = (_eased(shape[stretch_of, part], 10.0) for part in range(3))
    return Ground(
        road=road,
        walk=walk,
        markings=markings,
        label=np.ascontiguousarray(label[stretch_of].T),
        colour=np.ascontiguousarray(colour[stretch_of].T),
        pattern=np.ascontiguousarray(pattern[stretch_of].T),
    )


def _eased(values: np.ndarray, metres: float) -> np.ndarray:
    """Return `values` [cells] averaged over `metres`, so that kerbs do not jump."""
    reach = int(metres / CELL / 2)
    padded = np.pad(values, reach, mode="edge")
    total = np.cumsum(np.insert(padded, 0, 0), dtype=np.float64)
    window = 2 * reach + 1
    return ((total[window:] - total[:-window]) / window).astype(np.float32)
