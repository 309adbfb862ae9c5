"""Draw the things of a scene over its street, the farthest first."""

import numpy as np

from videottt.data.synthetic.places import CAR
from videottt.data.synthetic.render import Canvas, View, ground_points
from videottt.data.synthetic.scene import Scene
from videottt.data.synthetic.sprites import NO_LABEL, Level, Sprite
from videottt.data.synthetic.things import CAR_BODY, PERSON_FIGURE, Things

_NAMES = ("tree", "lamp", "sign", "person", "car end")
_FARTHEST, _NEAREST = 65.0, 0.6
_FARTHEST_SHADOW = 40.0
_TOLERANCE = 0.98


def draw_things(
    canvas: Canvas,
    scene: Scene,
    view: View,
    sprites: dict[str, list[Sprite]],
    frame: int,
) -> None:
    """Draw each thing at its position in `frame`."""
    things, camera = scene.things, view.camera
    centre = things.along(frame)
    aside, ahead = things.x - camera.x, centre - camera.z
    depth = aside * view.sine + ahead * view.cosine
    reach = things.length / 2
    visible = (depth + reach > _NEAREST) & (depth - reach < _FARTHEST)
    lateral = aside * view.cosine - ahead * view.sine
    beyond = abs(lateral) - things.width - things.length
    visible &= beyond < (depth + reach) * (view.centre / view.focal)
    chosen = np.flatnonzero(visible)
    for row in chosen[np.argsort(-(depth - reach)[chosen], kind="stable")]:
        if things.kind[row] == CAR_BODY:
            _draw_car(canvas, things, row, view, sprites, float(centre[row]))
            continue
        step = frame // 2 if things.kind[row] == PERSON_FIGURE else 0
        variants = sprites[_NAMES[things.kind[row]]]
        sprite = variants[(int(things.variant[row]) + step) % len(variants)]
        _draw_upright(canvas, things, row, view, sprite, float(lateral[row]), float(depth[row]))


def _draw_upright(
    canvas: Canvas,
    things: Things,
    row: int,
    view: View,
    sprite: Sprite,
    lateral: float,
    depth: float,
) -> None:
    """Draw a silhouette that faces the camera, `lateral` and `depth` metres away from it."""
    if depth < _NEAREST:
        return
    scale = view.focal / depth
    width, height = float(things.width[row]) * scale, float(things.height[row]) * scale
    left = view.centre + lateral * scale - width / 2
    bottom = view.horizon + view.camera.height * scale
    top = bottom - height
    rows, columns = _inside(top, bottom, view.size[0]), _inside(left, left + width, view.size[1])
    if rows.start >= rows.stop or columns.start >= columns.stop:
        return
    level = _suited(sprite, height)
    tall, wide = level.cover.shape
    v = ((np.arange(rows.start, rows.stop) + 0.5 - top) * (tall / height)).astype(np.intp)
    u = ((np.arange(columns.start, columns.stop) + 0.5 - left) * (wide / width)).astype(np.intp)
    texel = np.minimum(v, tall - 1)[:, None] * wide + np.minimum(u, wide - 1)
    window = (rows, columns)
    in_front = canvas.depth[window] > depth * _TOLERANCE
    _lay(canvas, window, level, texel, in_front, things, row, depth)


def _inside(low: float, high: float, size: int) -> slice:
    """Return the pixels whose centres lie between `low` and `high`."""
    return slice(max(0, int(np.ceil(low - 0.5))), min(size, int(np.ceil(high - 0.5))))


def _suited(sprite: Sprite, height: float) -> Level:
    """Return the level of detail with texels of about one pixel."""
    ratio = sprite[0].cover.shape[0] / max(height, 1e-3)
    return sprite[min(max(round(float(np.log2(ratio))), 0), len(sprite) - 1)]


def _lay(
    canvas: Canvas,
    window: tuple[slice, slice],
    level: Level,
    texel: np.ndarray,
    allowed: np.ndarray,
    things: Things,
    row: int,
    depth: float | np.ndarray,
) -> None:
    """Blend the texels into the window, and label the pixels that are at least half covered."""
    clear = 1 - level.cover.take(texel) * allowed
    weights = level.weights.reshape(len(level.weights), -1)
    palette = things.palette[row]
    # Colouring the texels first is cheaper when the thing is larger on screen than its silhouette.
    colours = palette.T @ weights
    patch = canvas.colour[:, window[0], window[1]]
    patch *= clear
    patch += colours.take(texel, axis=1) * allowed
    label = level.label.take(texel)
    taken = (label != NO_LABEL) & allowed
    np.copyto(canvas.semantic[window], label, where=taken)
    np.copyto(canvas.instance[window], things.instance[row], where=taken)
    np.copyto(canvas.depth[window], np.float32(depth), where=taken)


def _draw_car(
    canvas: Canvas,
    things: Things,
    row: int,
    view: View,
    sprites: dict[str, list[Sprite]],
    centre: float,
) -> None:
    """Draw a car as the side and the end that the camera sees, with its shadow on the ground."""
    camera = view.camera
    half_width, half_length = float(things.width[row]) / 2, float(things.length[row]) / 2
    aside, ahead = float(things.x[row]) - camera.x, centre - half_length - camera.z
    if ahead < _FARTHEST_SHADOW:
        _shade_ground(canvas, view, things, row, centre)
    if abs(aside) > half_width:
        flank = float(things.x[row]) - np.copysign(half_width, aside)
        _draw_flank(canvas, view, things, row, sprites["car side"][0], flank, centre)
    depth = aside * view.sine + ahead * view.cosine
    lateral = aside * view.cosine - ahead * view.sine
    end = sprites["car end"][int(things.variant[row])]
    _draw_upright(canvas, things, row, view, end, lateral, depth)


def _draw_flank(
    canvas: Canvas,
    view: View,
    things: Things,
    row: int,
    sprite: Sprite,
    flank: float,
    centre: float,
) -> None:
    """Draw the side of a car, which lies in the plane x = `flank`."""
    camera, length = view.camera, float(things.length[row])
    height = float(things.height[row])
    towards = (flank - camera.x) * view.step_x > 1e-6
    depth = np.full(view.size[1], np.inf, np.float32)
    np.divide(flank - camera.x, view.step_x, out=depth, where=towards)
    along = (camera.z + depth * view.step_z - centre) / length + 0.5
    columns = np.flatnonzero((depth > _NEAREST) & (along >= 0) & (along < 1))
    if len(columns) == 0:
        return
    across = slice(int(columns[0]), int(columns[-1]) + 1)
    depth, along = depth[across], along[across]
    nearest = view.focal / float(depth.min())
    bottom = view.horizon + camera.height * nearest
    rows = _inside(min(bottom - height * nearest, view.horizon), bottom, view.size[0])
    y = (camera.height + view.above[rows, None] * (depth / view.focal)) / height
    level = _suited(sprite, height * nearest)
    tall, wide = level.cover.shape
    v = np.clip((1 - y) * tall, 0, tall - 1).astype(np.intp)
    texel = v * wide + np.clip(along * wide, 0, wide - 1).astype(np.intp)
    allowed = (y >= 0) & (y < 1) & (canvas.depth[rows, across] > depth * _TOLERANCE)
    _lay(canvas, (rows, across), level, texel, allowed, things, row, depth)


def _shade_ground(canvas: Canvas, view: View, things: Things, row: int, centre: float) -> None:
    """Darken the ground under a car, so that it stands on the road."""
    camera = view.camera
    near = max(centre - things.length[row] / 2 - camera.z, 1.0)
    far = centre + things.length[row] / 2 - camera.z
    first = view.horizon + camera.height * view.focal / far
    last = view.horizon + camera.height * view.focal / near
    rows = _inside(first - 1, last + 2, view.size[0])
    rows = slice(max(rows.start, view.ground_row), rows.stop)
    if rows.start >= rows.stop:
        return
    depth, x, z = ground_points(view, rows)
    over_side = abs(x - things.x[row]) - (things.width[row] / 2 + 0.1)
    over_end = abs(z - centre) - things.length[row] / 2
    inside = np.clip(1 - 3 * np.maximum(over_side, over_end), 0, 1)
    shade = 0.55 * inside * (canvas.depth[rows] >= depth[:, None] * _TOLERANCE)
    # Things that stand there hide the ground and take no shadow.
    shade *= (canvas.instance[rows] == 0) & (canvas.semantic[rows] != CAR)
    canvas.colour[:, rows] *= (1 - shade).astype(np.float32)
