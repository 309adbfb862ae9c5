"""Draw the street of a scene as the camera sees it: ground, sides, tunnels and sky.

Columns of pixels are upright in the world, so a plane along the street has a single depth in each
column, and the ground has a single depth in each row. Images are planar (channel, row, column)
until the end.
"""

from dataclasses import dataclass

import numpy as np

from videottt.data.synthetic import patterns as detail
from videottt.data.synthetic.camera import Camera
from videottt.data.synthetic.places import SKY, VEGETATION, WALL
from videottt.data.synthetic.scene import NEAR_ROW, Scene, SideRow

FARTHEST = 130.0
SKY_DEPTH = 260.0
CEILING = 5.0
_GROUND_TEXEL, _SIDE_TEXEL = 0.05, 0.1
_PORTAL_TOP, _PORTAL_SIDE = 8.0, 13.0
_BACKDROP_HEIGHT = 6.0
_BACKDROP_COLOUR = (0.30, 0.38, 0.24)
_STONE = (0.52, 0.50, 0.46)


@dataclass(frozen=True)
class Canvas:
    """A picture being drawn.

    Attributes:
        colour: float32 [3, H, W], light before the camera's response, about 0..1.
        depth: float32 [H, W], metres along the optical axis.
        semantic: uint8 [H, W], Cityscapes train ids.
        instance: uint16 [H, W], 0 = none.
    """

    colour: np.ndarray
    depth: np.ndarray
    semantic: np.ndarray
    instance: np.ndarray


class View:
    """The rays of one camera pose through the pixels of an image of `size` (height, width)."""

    def __init__(self, size: tuple[int, int], camera: Camera) -> None:
        height, width = size
        self.size = size
        self.camera = camera
        self.focal = 0.8 * width
        self.centre = width / 2
        self.horizon = 0.46 * height + self.focal * np.tan(camera.pitch)
        self.sine, self.cosine = float(np.sin(camera.yaw)), float(np.cos(camera.yaw))
        across = ((np.arange(width) + 0.5 - self.centre) / self.focal).astype(np.float32)
        # A step of one metre along the optical axis moves a column's ray by this much in the world.
        self.step_x = across * self.cosine + self.sine
        self.step_z = self.cosine - across * self.sine
        self.above = (self.horizon - (np.arange(height) + 0.5)).astype(np.float32)
        self.ground_row = int(np.count_nonzero(self.above > -1e-3))


def blank(size: tuple[int, int]) -> Canvas:
    """Return a canvas that is all sky, far away and black."""
    return Canvas(
        np.zeros((3, *size), np.float32),
        np.full(size, SKY_DEPTH, np.float32),
        np.full(size, SKY, np.uint8),
        np.zeros(size, np.uint16),
    )


def draw_street(canvas: Canvas, scene: Scene, view: View, surfaces: detail.Patterns) -> None:
    """Draw the ground, the sides and the tunnels; the sky keeps the colour of the canvas."""
    _draw_ground(canvas, scene, view, surfaces)
    for row in scene.rows:
        _draw_row(canvas, scene, row, view, surfaces)
    for portal in scene.portals:
        _draw_portal(canvas, view, portal)
    if scene.roofed.any():
        _draw_ceiling(canvas, scene, view, surfaces)


def ground_points(view: View, rows: slice) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return depth [rows], x and z [rows, W] of the ground in `rows`, all below the horizon."""
    camera = view.camera
    depth = np.minimum(camera.height * view.focal / -view.above[rows], FARTHEST)
    x = camera.x + depth[:, None] * view.step_x
    z = camera.z + depth[:, None] * view.step_z
    return depth, x, z


def _draw_ground(canvas: Canvas, scene: Scene, view: View, surfaces: detail.Patterns) -> None:
    below = slice(view.ground_row, view.size[0])
    if view.ground_row >= view.size[0]:
        return
    depth, x, z = ground_points(view, below)
    cell = scene.cell(z)
    ground = scene.ground
    aside = abs(x)
    kind = (aside > ground.road[cell]).astype(np.intp) + (aside > ground.walk[cell])
    place = kind * ground.label.shape[1] + cell
    width = (depth / view.focal)[:, None]
    shade = _ground_shade(ground.pattern.take(place), x, z, depth, view, surfaces)
    paint = _lane_paint(aside, z, ground.road[cell], width) * ground.markings[cell]
    # The kerb stone is pale and its edge towards the road casts a thin shadow.
    kerb = np.clip(1.2 - abs(aside - ground.road[cell] - 0.1) / (0.1 + width), 0, 1)
    pale = np.maximum(paint, 0.35 * kerb)
    for channel in range(3):
        colour = ground.colour[channel].take(place) * shade
        canvas.colour[channel, below] = colour + pale * (0.8 - colour)
    canvas.depth[below] = depth[:, None]
    canvas.semantic[below] = ground.label.take(place)


def _ground_shade(
    pattern: np.ndarray,
    x: np.ndarray,
    z: np.ndarray,
    depth: np.ndarray,
    view: View,
    surfaces: detail.Patterns,
) -> np.ndarray:
    """Return the lightness float32 [rows, W] of the ground's grain; joints come out dark."""
    along = detail.level_of_detail(depth**2 / (view.camera.height * view.focal), _GROUND_TEXEL)[
        :, None
    ]
    across = detail.level_of_detail(depth / view.focal, _GROUND_TEXEL)[:, None]
    # Shifted to be positive everywhere, since conversion to an integer truncates.
    u = ((x + 512) * (1 / _GROUND_TEXEL)).astype(np.intp) & (detail.WIDTH - 1)
    v = ((z + 512) * (1 / _GROUND_TEXEL)).astype(np.intp) & (detail.HEIGHT - 1)
    texel = surfaces.offsets[pattern, along, across]
    texel += (v >> along) * (detail.WIDTH >> across) + (u >> across)
    grain: np.ndarray = surfaces.weights[0].take(texel) + 0.6 * surfaces.weights[1].take(texel)
    return grain


def _lane_paint(
    aside: np.ndarray, z: np.ndarray, road: np.ndarray, width: np.ndarray
) -> np.ndarray:
    """Return the painted share of each ground pixel: a dashed middle line and edge lines."""
    dashes = np.clip(2.5 - abs((z + 600) % 6 - 3) * 1.6, 0, 1)
    middle = np.clip((0.08 - aside) / width + 0.5, 0, 1) * dashes
    edge = np.clip((0.07 - abs(aside - road + 0.3)) / width + 0.5, 0, 1)
    painted: np.ndarray = np.maximum(middle, edge) * np.minimum(1, 0.15 / width)
    return painted


def _draw_row(
    canvas: Canvas, scene: Scene, row: SideRow, view: View, surfaces: detail.Patterns
) -> None:
    camera = view.camera
    right = (view.step_x > 0).astype(np.intp)
    plane = np.where(right, row.distance, -row.distance)
    step = np.where(abs(view.step_x) < 1e-6, 1e-6, view.step_x)
    depth = np.minimum(abs((plane - camera.x) / step), FARTHEST).astype(np.float32)
    hit = depth < FARTHEST
    z = camera.z + depth * view.step_z
    cell = scene.cell(z)
    top = row.height[right, cell]
    if row.distance == NEAR_ROW:
        top = np.where(hit, top, 0)
        if not top.any():
            return
    else:
        top = np.where(hit, top, _BACKDROP_HEIGHT)
    metres = depth / view.focal
    first, last = _rows_between(view, (top - camera.height) / metres, camera.height / metres)
    rows = slice(first, last)
    y = camera.height + view.above[rows, None] * metres
    shown = (y >= 0) & (y <= top)
    along = camera.x + depth * view.step_x - plane + z - row.origin[right, cell]
    palette = row.palettes[row.palette[right, cell]].transpose(2, 1, 0)
    palette = palette * scene.sunlit[right]
    palette[:, :, ~hit] = np.array(_BACKDROP_COLOUR)[:, None, None]
    texel = _side_texels(surfaces, row.pattern[right, cell], along, y, metres)
    weights = [surfaces.weights[material].take(texel) for material in range(detail.MATERIALS)]
    for channel in range(3):
        colour = sum(weight * palette[channel, m] for m, weight in enumerate(weights))
        np.copyto(canvas.colour[channel, rows], colour, where=shown)
    label = np.where(hit, row.label[right, cell], VEGETATION).astype(np.uint8)
    np.copyto(canvas.semantic[rows], label, where=shown)
    np.copyto(canvas.depth[rows], depth, where=shown)


def _rows_between(view: View, up: np.ndarray, down: np.ndarray) -> tuple[int, int]:
    """Return the first row and one past the last, `up` and `down` pixels from the horizon."""
    first = int(np.count_nonzero(view.above > up.max()))
    last = int(np.count_nonzero(view.above >= -down.max()))
    return first, max(first, last)


def _side_texels(
    surfaces: detail.Patterns,
    pattern: np.ndarray,
    along: np.ndarray,
    y: np.ndarray,
    metres: np.ndarray,
) -> np.ndarray:
    """Return the texel (intp [rows, W]) at heights `y` [rows, W] and `along` [W] of each column."""
    vertical = detail.level_of_detail(metres, _SIDE_TEXEL)
    horizontal = detail.level_of_detail(abs(np.gradient(along)), _SIDE_TEXEL)
    u = (np.floor(along / _SIDE_TEXEL).astype(np.intp) & (detail.WIDTH - 1)) >> horizontal
    start = surfaces.offsets[pattern, vertical, horizontal] + u
    v = (np.maximum(y, 0) * (0.5**vertical / _SIDE_TEXEL).astype(np.float32)).astype(np.intp)
    v &= (detail.HEIGHT >> vertical) - 1
    texel: np.ndarray = v * (detail.WIDTH >> horizontal) + start
    return texel


def _draw_portal(canvas: Canvas, view: View, portal: float) -> None:
    """Draw the wall around a tunnel's entrance if the entrance lies ahead."""
    camera = view.camera
    depth = (portal - camera.z) / view.step_z
    if not 0.3 < depth.min() < FARTHEST:
        return
    metres = depth / view.focal
    up, down = (_PORTAL_TOP - camera.height) / metres, camera.height / metres
    rows = slice(*_rows_between(view, up, down))
    x = abs(camera.x + depth * view.step_x)
    y = camera.height + view.above[rows, None] * metres
    shown = (y >= 0) & (y < _PORTAL_TOP) & (x < _PORTAL_SIDE) & ((y > CEILING) | (x > NEAR_ROW))
    shown &= depth < canvas.depth[rows]
    course = np.where((y % 0.8 < 0.06) & (metres < 0.15), 0.8, 1.0)
    for channel in range(3):
        np.copyto(canvas.colour[channel, rows], course * _STONE[channel], where=shown)
    np.copyto(canvas.semantic[rows], np.uint8(WALL), where=shown)
    np.copyto(canvas.depth[rows], depth.astype(np.float32), where=shown)


def _draw_ceiling(canvas: Canvas, scene: Scene, view: View, surfaces: detail.Patterns) -> None:
    camera = view.camera
    rows = slice(0, int(np.count_nonzero(view.above > 1e-3)))
    depth = np.minimum((CEILING - camera.height) * view.focal / view.above[rows], FARTHEST)
    x = camera.x + depth[:, None] * view.step_x
    z = camera.z + depth[:, None] * view.step_z
    shown = scene.roofed[scene.cell(z)] & (abs(x) <= NEAR_ROW) & (depth[:, None] < FARTHEST)
    shown &= depth[:, None] < canvas.depth[rows]
    if not shown.any():
        return
    width = (depth / view.focal)[:, None]
    lamps = np.clip((0.25 - abs(abs(x) - 2.2)) / width + 0.5, 0, 1)
    lamps *= np.clip(2 - abs((z + 600) % 8 - 4) * 1.5, 0, 1)
    pattern = np.full(x.shape, surfaces.index["concrete"])
    base = 0.22 * _ground_shade(pattern, x, z, depth, view, surfaces)
    for channel, light in enumerate((1.0, 0.93, 0.75)):
        np.copyto(canvas.colour[channel, rows], base + lamps * (light - base), where=shown)
    np.copyto(canvas.semantic[rows], np.uint8(WALL), where=shown)
    np.copyto(canvas.depth[rows], np.broadcast_to(depth[:, None], x.shape), where=shown)
