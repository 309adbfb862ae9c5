"""Lay classes, objects or segments over a frame, predicted or labelled."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image

from videottt.core.segments import VOID, ClassSpace, Instances, Panoptic, Prediction, instances_of
from videottt.report.figures.objects import ObjectColours

OPACITY = 0.6  # of colours over the frame
# Least score of a drawn instance. The demo of Mask2Former draws from 0.5 on, but small models such
# as those of the embedded benchmark rarely reach that.
SHOWN_FROM = 0.3
# Least share of the frame at which stuff is named.
LARGE = 0.02
CROWD = (150, 150, 150)
# Pixels of a picture's width for each pixel of half an outline.
OUTLINE = 300


@dataclass(frozen=True)
class Overlay:
    """Segments to lay over a frame, at any scale.

    Attributes:
        ids: uint16 [H, W], segment of each pixel, from 1; 0 = none.
        colours: uint8 [S + 1, 3], RGB; the first is for pixels without a segment.
        texts: [S], name of each segment, or "".
        above: bool [S], whether the name stands at the upper end, else in the middle.
        outlined: whether segments have outlines.
        bare: whether pixels without a segment show the frame unchanged.
        legend: uint8, the classes to name in a legend, 255 = void.
    """

    ids: np.ndarray
    colours: np.ndarray
    texts: tuple[str, ...]
    above: np.ndarray
    outlined: bool
    bare: bool
    legend: np.ndarray


def overlay_of(prediction: Prediction, objects: ObjectColours) -> Overlay:
    """Return the overlay of a prediction or of labels.

    Classes have the colours of `class_colours` and stand in a legend; objects have colours and
    names of their own. Large stuff is named too. Instances are drawn if their score is at least
    `SHOWN_FROM`, the large before the small; of equal masks, the one with the highest score. Crowds
    are grey.

    Args:
        prediction: of the frame after the last one that `objects` coloured; not an image.
        objects: colours of the classes, and of the objects of this video and method.
    """
    if isinstance(prediction, Instances):
        return _of_instances(prediction, objects)
    if isinstance(prediction, Panoptic):
        return _of_panoptic(prediction, objects)
    colours = objects.classes
    return Overlay(
        # Void, 255, becomes 0.
        ids=(prediction + np.uint8(1)).astype(np.uint16),
        colours=np.concatenate([colours[VOID:], colours[:VOID]]),
        texts=("",) * VOID,
        above=np.zeros(VOID, bool),
        outlined=False,
        bare=False,
        legend=np.unique(prediction),
    )


def _of_panoptic(panoptic: Panoptic, objects: ObjectColours) -> Overlay:
    space = objects.space
    colours = objects.classes[np.concatenate([[VOID], panoptic.classes])]
    thing = space.is_thing[panoptic.classes]
    colours[1:][thing] = _object_colours(instances_of(panoptic, space), objects)
    large = np.bincount(panoptic.ids.ravel(), minlength=len(colours))[1:] >= (
        LARGE * panoptic.ids.size
    )
    texts = [
        _name(space, label, c) for label, c in zip(panoptic.classes, panoptic.crowd, strict=True)
    ]
    stuff = panoptic.classes[~thing]
    return Overlay(
        ids=panoptic.ids,
        colours=colours,
        texts=tuple(t if shown else "" for t, shown in zip(texts, thing | large, strict=True)),
        above=thing & ~panoptic.crowd,
        outlined=True,
        bare=False,
        legend=np.append(stuff, np.uint8(VOID)) if (panoptic.ids == 0).any() else stuff,
    )


def _of_instances(instances: Instances, objects: ObjectColours) -> Overlay:
    shown = _shown(instances)
    masks = shown.pixels()
    ids = np.zeros(shown.size, np.uint16)
    for place in np.argsort(-masks.sum(axis=(1, 2)), kind="stable"):
        ids[masks[place]] = place + 1
    scores = (f" {100 * score:.0f} %" if score < 1 else "" for score in shown.scores)
    names = (
        _name(objects.space, label, c) for label, c in zip(shown.classes, shown.crowd, strict=True)
    )
    return Overlay(
        ids=ids,
        colours=np.concatenate([[(0, 0, 0)], _object_colours(shown, objects)]).astype(np.uint8),
        texts=tuple(name + score for name, score in zip(names, scores, strict=True)),
        above=~shown.crowd,
        outlined=True,
        bare=True,
        legend=np.zeros(0, np.uint8),
    )


def _shown(instances: Instances) -> Instances:
    """Return the instances to draw."""
    best: dict[bytes, int] = {}
    for place in np.argsort(-instances.scores, kind="stable"):
        if instances.scores[place] >= SHOWN_FROM:
            best.setdefault(instances.masks[place], int(place))
    return _chosen(instances, np.array(sorted(best.values()), np.int64))


def _chosen(instances: Instances, places: np.ndarray) -> Instances:
    return Instances(
        size=instances.size,
        classes=instances.classes[places],
        scores=instances.scores[places],
        masks=tuple(instances.masks[place] for place in places),
        crowd=instances.crowd[places],
    )


def _object_colours(instances: Instances, objects: ObjectColours) -> np.ndarray:
    """Return the colour of each instance: uint8 [N, 3]; crowds do not count as objects."""
    colours = np.full((len(instances), 3), CROWD, np.uint8)
    counted = np.flatnonzero(~instances.crowd)
    colours[counted] = objects.of(_chosen(instances, counted))
    return colours


def _name(space: ClassSpace, label: int, crowd: bool) -> str:
    # COCO merges older classes of stuff under such names as wall-other-merged.
    name = space.classes[label].removesuffix("-merged").removesuffix("-other")
    return f"{name} (crowd)" if crowd else name


def laid_over(picture: Image.Image, overlay: Overlay) -> Image.Image:
    """Return an enlarged picture of a frame with an overlay, without names.

    The picture is a whole number of times as large as the frame. Outlines are drawn at the size of
    the picture, inside their segments.
    """
    factor = picture.width // overlay.ids.shape[1]
    colours = Image.fromarray(np.take(overlay.colours, overlay.ids, axis=0))
    colours = colours.resize(picture.size, Image.Resampling.NEAREST)
    blended = Image.blend(picture, colours, OPACITY)
    if not overlay.outlined:
        return blended
    ids = overlay.ids.repeat(factor, axis=0).repeat(factor, axis=1)
    if overlay.bare:
        blended.paste(picture, mask=Image.fromarray(ids == 0))
    drawn = np.array(blended)
    edge = outlines(ids, max(1, round(picture.width / OUTLINE))) & (ids > 0)
    drawn[edge] = np.take(overlay.colours, ids[edge], axis=0)
    return Image.fromarray(drawn)


def outlines(ids: np.ndarray, width: int) -> np.ndarray:
    """Return the pixels at most `width` from another segment, in a row or column: bool [H, W].

    Args:
        ids: integer [H, W].
        width: pixels.
    """
    near = np.zeros(ids.shape, bool)
    for step in range(1, width + 1):
        for there, here in ((np.s_[step:], np.s_[:-step]), (np.s_[:, step:], np.s_[:, :-step])):
            differs = ids[there] != ids[here]
            near[there] |= differs
            near[here] |= differs
    return near


@dataclass(frozen=True)
class Caption:
    """A text on a picture, and its box in pixels of the picture."""

    text: str
    left: float
    top: float
    width: float
    height: float

    def overlaps(self, other: "Caption") -> bool:
        """Return whether two boxes overlap."""
        across = abs(2 * (self.left - other.left) + self.width - other.width)
        down = abs(2 * (self.top - other.top) + self.height - other.height)
        return across < self.width + other.width and down < self.height + other.height


def captions(
    overlay: Overlay, factor: float, measure: Callable[[str], tuple[float, float]]
) -> list[Caption]:
    """Return the names on a picture `factor` times as large as the frame, and their boxes.

    Things are named before stuff, and large segments before small ones. A name without a free place
    is left out, and the name of an object smaller than a letter.

    Args:
        overlay: the segments.
        factor: size of the picture relative to the frame.
        measure: returns the width and height of a text in pixels of the picture.
    """
    # Here, because few figures have names on their pictures, and scipy takes long.
    from scipy import ndimage

    size = tuple(factor * edge for edge in overlay.ids.shape)
    areas = np.bincount(overlay.ids.ravel(), minlength=len(overlay.colours))[1:]
    boxes = ndimage.find_objects(overlay.ids, max_label=len(overlay.texts))
    placed: list[Caption] = []
    for place in np.lexsort((-areas, ~overlay.above)):
        if overlay.texts[place] and areas[place]:
            width, height = measure(overlay.texts[place])
            down, across = boxes[place]
            edges = np.array([down.start, down.stop, across.start, across.stop]) * factor
            if overlay.above[place]:
                corners = _corners_of_thing(edges, (height, width))
            else:
                mask = overlay.ids[down, across] == place + 1
                y, x = (factor * (middle + 0.5) for middle in _middle(mask))
                corners = iter([(edges[0] + y - height / 2, edges[2] + x - width / 2)])
            free = (
                Caption(overlay.texts[place], left, top, width, height)
                for top, left in _within(corners, (height, width), size)
            )
            placed += [c for c in free if not any(c.overlaps(other) for other in placed)][:1]
    return placed


def _corners_of_thing(
    edges: np.ndarray, text: tuple[float, float]
) -> Iterator[tuple[float, float]]:
    """Yield the possible corners (top, left) of the box of a text, the best first."""
    top, bottom, left, right = edges
    height, width = text
    if max(bottom - top, right - left) < height:
        return
    start = (left + right - width) / 2
    inside = [(top + 0.2 * height, start)]
    outside = [(top - height, start), (bottom, start)]
    # A name must not hide a small object.
    yield from inside + outside if bottom - top > 4 * height else outside + inside


def _within(
    corners: Iterator[tuple[float, float]], text: tuple[float, float], size: tuple[int, int]
) -> Iterator[tuple[float, float]]:
    """Yield the corners at which a text fits into a picture, moved sideways if necessary."""
    for top, left in corners:
        if 0 <= top <= size[0] - text[0] and text[1] <= size[1]:
            yield top, min(max(left, 0.0), size[1] - text[1])


def _middle(mask: np.ndarray) -> tuple[int, int]:
    """Return the pixel (y, x) nearest to the centre of a mask, of those well inside it."""
    from scipy import ndimage

    step = max(1, max(mask.shape) // 128)
    small = np.pad(mask[::step, ::step], 1)
    if not small.any():
        small = np.pad(mask, 1)
        step = 1
    depth = ndimage.distance_transform_edt(small)
    inner = np.argwhere(depth >= 0.7 * depth.max())
    centre = np.argwhere(small).mean(axis=0)
    y, x = (inner[np.linalg.norm(inner - centre, axis=1).argmin()] - 1) * step
    return int(y), int(x)
