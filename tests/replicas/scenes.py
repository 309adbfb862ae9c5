"""What the replicas show: rendered streets, and what publishers' label files say of them."""

from collections.abc import Collection

import numpy as np
from scipy import ndimage

from videottt.core.randomness import seed_of
from videottt.data.synthetic import RenderedFrame, render_stills, render_video
from videottt.settings.dataset import Phase

PHASES = (Phase("avenue", "day"), Phase("market", "dusk"))


def stills(count: int, size: tuple[int, int], *key: str | int) -> list[RenderedFrame]:
    """Return stills of `size` (height, width), each key its own."""
    return list(render_stills(count, size, _seed(*key)))


def video(count: int, size: tuple[int, int], *key: str | int) -> list[RenderedFrame]:
    """Return the frames of a video that leaves the range of the stills."""
    return list(render_video("replica", PHASES, count, size, _seed(*key)))


def _seed(*key: str | int) -> int:
    return seed_of("replicas", *key)


def objects(frame: RenderedFrame, things: Collection[int]) -> np.ndarray:
    """Return a map int32 [H, W] of objects from 1, 0 for none.

    The renderer tells persons and cars apart; of other `things` (train ids), each connected part
    is an object.
    """
    found = np.zeros(frame.semantic.shape, np.int32)
    for thing in things:
        inside = frame.semantic == thing
        if frame.instance[inside].any():
            parts = np.where(inside, frame.instance, 0).astype(np.int32)
        else:
            parts, _ = ndimage.label(inside)
        _, numbers = np.unique(parts, return_inverse=True)
        # Numbers without gaps, in which 0 stays none.
        numbers = numbers.reshape(parts.shape) + (0 if (parts == 0).any() else 1)
        found[inside] = numbers[inside] + found.max()
    return found
