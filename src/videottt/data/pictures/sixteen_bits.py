"""Turn pictures of more than 8 bits a channel into 8 bits, as ffmpeg does for films."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL.ImageFile import ImageFile

from videottt.data.pictures.pages import decoded, tag

# Tags of TIFF, and values of them.
_BITS, _MEANING, _PLANES = 258, 262, 284
_WHITE_IS_ZERO, _SEPARATE = 0, 2
_PPM = "ppm"  # Pillow's codec of PPM files with a white of neither 255 nor, if grey, 65535


class Bytes(NamedTuple):
    """How to decode one byte of each value: Pillow's raw mode, and the channels of the colours."""

    raw_mode: str
    channels: tuple[int, int, int] = (0, 1, 2)


# Raw mode of 16 bits a channel -> its high and its low bytes. Pillow itself has pictures of the
# high bytes alone; the raw mode of the other order of bytes takes the low ones.
_HALVES = {
    f"{mode};16{order}": (Bytes(f"{mode};16{order}"), Bytes(f"{mode};16{other}"))
    for mode in ("RGB", "RGBA", "RGBX")
    for order, other in ("BL", "LB", "NB")
}
# Two bytes of grey and two of alpha are as long as RGBA.
_HALVES["LA;16B"] = Bytes("RGBA", (0, 0, 0)), Bytes("RGBA", (1, 1, 1))


def fault(picture: ImageFile) -> str | None:
    """Return why a page cannot become 8 bits, and the mend; called before it is decoded."""
    fine = picture.mode == "I" and picture.format not in ("PNG", "PPM")
    if fine or picture.mode == "F":
        return "has values with a sign, with fractions or of 32 bits; convert it to 8 or 16 bits"
    # Pillow takes every other byte of such a page for a pixel.
    if _raw_mode(picture) in tuple("RGBA") and tag(picture, _BITS) == 16:
        return "has 16 bits a channel, and one channel after the other; convert it to 8 bits"
    if _is_followed(picture):
        return "holds more than one picture; save each as a file of its own"
    return None


def _is_followed(picture: ImageFile) -> bool:
    """Return whether a PPM file goes on after its picture with another one."""
    if picture.format != "PPM" or picture.fp is None or picture.tile[0].codec_name == "ppm_plain":
        return False
    bits = 1 if picture.mode == "1" else 16 if is_grey(picture) or halves(picture) else 8
    row = (picture.width * len(picture.getbands()) * bits + 7) // 8
    picture.fp.seek(picture.tile[0].offset + row * picture.height)
    following = picture.fp.read(2)
    return following[:1] == b"P" and following[1:].isdigit()


def is_grey(picture: ImageFile) -> bool:
    """Return whether a page is grey with more than 8 bits."""
    return picture.mode.startswith("I")


def grey(picture: ImageFile, path: Path) -> np.ndarray:
    """Decode a page of grey with more than 8 bits: RGB, uint8 [H, W, 3]."""
    bits, meaning = tag(picture, _BITS), tag(picture, _MEANING)
    values = np.asarray(decoded(picture, path)).astype(np.uint32)
    if bits == 12:
        values <<= 4
    elif meaning == _WHITE_IS_ZERO:
        values = 65535 - values
    return np.repeat(_rounded(values)[..., None], 3, axis=-1)


def halves(picture: ImageFile) -> tuple[Bytes, Bytes] | None:
    """Return how to decode the high and the low bytes of colours of 16 bits; None for 8 bits."""
    if picture.mode == "RGB" and (_white(picture) or 0) > 255:
        return _HALVES["RGB;16B"]
    animated = picture.format == "PNG" and getattr(picture, "is_animated", False)
    if animated or tag(picture, _PLANES) == _SEPARATE:
        return None
    return _HALVES.get(_raw_mode(picture))


def colours(
    picture: ImageFile, twin: ImageFile, parts: tuple[Bytes, Bytes], path: Path
) -> np.ndarray:
    """Decode a page with 16 bits a channel: RGB, uint8 [H, W, 3].

    Args:
        picture: the page, not yet decoded.
        twin: the same, opened once more.
        parts: the `halves` of it.
        path: the file.
    """
    white = _white(picture)
    high, low = (_bytes(*each, path) for each in zip((picture, twin), parts, strict=True))
    values = high.astype(np.uint32) << 8 | low
    return _rounded(values if white is None else (values * 65535 + white // 2) // white)


def _bytes(picture: ImageFile, part: Bytes, path: Path) -> np.ndarray:
    """Decode one byte of each value: uint8 [H, W, 3]."""
    picture.tile = [_taking(tile, part.raw_mode) for tile in picture.tile]
    return np.asarray(decoded(picture, path))[..., part.channels]


def _taking(tile: Any, raw_mode: str) -> Any:
    """Return how Pillow is to decode a part of a page in another raw mode."""
    if tile.codec_name == _PPM:
        return tile._replace(codec_name="raw", args=(raw_mode, 0, 1))
    alone = isinstance(tile.args, str)
    return tile._replace(args=raw_mode if alone else (raw_mode, *tile.args[1:]))


def _raw_mode(picture: ImageFile) -> str:
    """Return the raw mode in which Pillow decodes a page, or no text."""
    arguments: Any = picture.tile[0].args if picture.tile else None
    return str(arguments[0] if isinstance(arguments, tuple) else arguments or "")


def _white(picture: ImageFile) -> int | None:
    """Return the value of white that a PPM file states, if Pillow has to scale its values."""
    arguments: Any = next((t.args for t in picture.tile if t.codec_name == _PPM), None)
    return arguments and int(arguments[1])


def _rounded(values: np.ndarray) -> np.ndarray:
    """Return values of 16 bits as 8 bits: the nearest multiple of 256, as ffmpeg does."""
    rounded: np.ndarray = np.minimum((values + 128) >> 8, 255).astype(np.uint8)
    return rounded
