"""Find the pages of a file that Pillow has opened, and decode them upright."""

import contextlib
import io
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

from PIL import ExifTags, Image
from PIL.ImageFile import ImageFile

from videottt.data.pictures.jpeg_ends import completions
from videottt.data.pictures.png_texts import turns_late

_TURN = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SIDEWAYS = (5, 6, 7, 8)

# The tag of TIFF for the kind of a page, and its bits for a thumbnail and for a mask.
_KIND = 254
_NO_PICTURE = 1 | 4


def page_numbers(picture: ImageFile) -> Sequence[int]:
    """Return the numbers of the pages, or the moments of an animation, that are pictures.

    The thumbnails and masks of a TIFF file are none, nor is the picture of an animated PNG file for
    programs that do not know animations, nor what a phone adds to a photograph.
    """
    count = getattr(picture, "n_frames", 1)
    if count == 1 or picture.format == "MPO":
        return [0]
    if picture.format == "TIFF":
        return [number for number in range(count) if _is_page(picture, number)] or [0]
    return range(1 if getattr(picture, "default_image", False) else 0, count)


def _is_page(picture: ImageFile, number: int) -> bool:
    picture.seek(number)
    kind = tag(picture, _KIND)
    return not (isinstance(kind, int) and kind & _NO_PICTURE)


def tag(picture: ImageFile, number: int) -> object:
    """Return the value of a tag of a TIFF file, or None."""
    value = getattr(picture, "tag_v2", {}).get(number)
    return value[0] if isinstance(value, tuple) and value else value


def upright(picture: Image.Image) -> Image.Image:
    """Return a decoded picture as its EXIF data turn it, if they can be read."""
    # Pillow itself turns TIFF.
    turn = None if picture.format == "TIFF" else _TURN.get(_orientation(picture))
    return picture if turn is None else picture.transpose(turn)


def upright_size(picture: ImageFile, path: Path) -> tuple[int, int]:
    """Return the height and width of the upright picture, from the header of its file."""
    size = picture.height, picture.width
    if picture.format == "TIFF":
        return size
    early = picture.format == "PNG" and not turns_late(path)
    # PNG's own getexif decodes the picture, as EXIF data may come last.
    turn = _orientation(picture, Image.Image.getexif if early else None)
    return size[::-1] if turn in _SIDEWAYS else size


def _orientation(
    picture: Image.Image, read: Callable[[Image.Image], Image.Exif] | None = None
) -> int:
    """Return 1..8 as EXIF numbers orientations; 1, which is upright, if it cannot be read."""
    # Pillow warns, and raises exceptions of any type, for damaged EXIF data, which no pixel needs.
    with contextlib.suppress(Exception), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exif = picture.getexif() if read is None else read(picture)
        return int(exif.get(ExifTags.Base.Orientation, 1))
    return 1


def decoded(picture: ImageFile, path: Path) -> Image.Image:
    """Decode a page and return it upright; a JPEG file may lack its end marker.

    Raises:
        OSError: the file is truncated.
    """
    try:
        picture.load()
    except OSError:
        if picture.format not in ("JPEG", "MPO"):
            raise
        whole = _with_end(path)
        if whole is None:
            raise
        return upright(whole)
    return upright(picture)


def _with_end(path: Path) -> Image.Image | None:
    """Decode a JPEG file that lacks its end marker; None if pixels are missing, too."""
    completed = (
        Image.open(io.BytesIO(each), formats=("JPEG",)) for each in completions(path.read_bytes())
    )
    whole = next(completed, None)
    if whole is None:
        return None
    pixels = whole.tobytes()
    return whole if all(each.tobytes() == pixels for each in completed) else None
