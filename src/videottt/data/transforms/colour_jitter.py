"""Change the colours of an image at random: by PIL's enhancements, or SSD's recipe."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageEnhance


@dataclass(frozen=True)
class SsdColours:
    """One draw of SSD's recipe (Liu et al., ECCV 2016; detectron2's ColorAugSSDTransform).

    Attributes:
        brightness: grey levels added.
        contrast: factor on all three channels.
        saturation: factor on the saturation.
        turn: shift of the hue, in turns of the colour circle.
        contrast_last: whether contrast changes after saturation and hue, not before them.
    """

    brightness: float
    contrast: float
    saturation: float
    turn: float
    contrast_last: bool


def draw_ssd(strength: float, draws: np.random.Generator) -> SsdColours:
    """Draw the four changes, each with probability 1/2; SSD and Mask2Former use strength 0.5."""
    changes = draws.random(4) < 0.5
    brightness, contrast, saturation, turn = strength * draws.uniform(-1, 1, size=4) * changes
    return SsdColours(
        brightness=64 * brightness,
        contrast=1 + contrast,
        saturation=1 + saturation,
        turn=turn / 5,
        contrast_last=bool(draws.random() < 0.5),
    )


def ssd_recoloured(picture: Image.Image, colours: SsdColours) -> Image.Image:
    """Change the colours of an RGB image by SSD's recipe.

    Values are truncated to bytes, not rounded, as in detectron2. Hues have PIL's 256 levels, not
    OpenCV's 180.
    """
    picture = _mapped(picture, lambda levels: levels + colours.brightness)
    steps = [_contrasted, _saturated, _turned]
    for step in steps[1:] + steps[:1] if colours.contrast_last else steps:
        picture = step(picture, colours)
    return picture


def enhanced(picture: Image.Image, factors: tuple[float, float, float], turn: float) -> Image.Image:
    """Change brightness, contrast and saturation of an RGB image, and turn its hues."""
    kinds = (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color)
    for kind, factor in zip(kinds, factors, strict=True):
        picture = kind(picture).enhance(factor)
    hue, *rest = picture.convert("HSV").split()
    return Image.merge("HSV", (_turned_hue(hue, turn), *rest)).convert("RGB")


def _mapped(picture: Image.Image, change: Callable[[np.ndarray], np.ndarray]) -> Image.Image:
    levels = np.clip(change(np.arange(256, dtype=np.float32)), 0, 255).astype(np.uint8)
    return picture.point(levels.tolist() * len(picture.getbands()))


def _contrasted(picture: Image.Image, colours: SsdColours) -> Image.Image:
    return _mapped(picture, lambda levels: levels * colours.contrast)


def _saturated(picture: Image.Image, colours: SsdColours) -> Image.Image:
    if colours.saturation == 1:
        return picture
    hue, saturation, value = picture.convert("HSV").split()
    saturation = _mapped(saturation, lambda levels: levels * colours.saturation)
    return Image.merge("HSV", (hue, saturation, value)).convert("RGB")


def _turned(picture: Image.Image, colours: SsdColours) -> Image.Image:
    if colours.turn == 0:
        return picture
    hue, *rest = picture.convert("HSV").split()
    return Image.merge("HSV", (_turned_hue(hue, colours.turn), *rest)).convert("RGB")


def _turned_hue(hue: Image.Image, turn: float) -> Image.Image:
    shift = round(turn * 255)
    return hue.point([(value + shift) % 256 for value in range(256)])
