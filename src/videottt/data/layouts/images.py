"""Read images and label maps from files, with errors that name the file."""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from videottt.core.errors import InputError, nearest

# Suffixes of a user's own still images.
STILLS = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")

# Formats that are opened, whatever the suffix is. For other formats Pillow may start a program,
# such as Ghostscript for PostScript.
FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "WEBP")


def read_image(path: Path) -> np.ndarray:
    """Return an image file as RGB, uint8 [H, W, 3].

    Raises:
        InputError: the file cannot be read.
    """
    return _rgb(_opened(path), path)


def read_upright(path: Path) -> np.ndarray:
    """Return an image file as RGB, uint8 [H, W, 3], in the orientation of its EXIF data.

    Raises:
        InputError: the file cannot be read.
    """
    picture = _opened(path)
    with faults_of(path):
        upright = ImageOps.exif_transpose(picture)
    return _rgb(upright, path)


def image_size(path: Path) -> tuple[int, int]:
    """Return the height and width of an image file, from its header.

    Raises:
        InputError: the file cannot be read.
    """
    with faults_of(path), Image.open(path, formats=FORMATS) as picture:
        return picture.height, picture.width


def _rgb(picture: Image.Image, path: Path) -> np.ndarray:
    if picture.mode.startswith(("I", "F")):
        raise InputError(f"{path}: has more than 8 bits a channel; convert it to 8 bits")
    with faults_of(path):
        return np.asarray(picture.convert("RGB"))


def read_map(path: Path, modes: tuple[str, ...]) -> np.ndarray:
    """Return the values of a label file: integers [H, W] or [H, W, 3].

    Raises:
        InputError: the file cannot be read, or its mode is not one of `modes` ("L", "RGB", ...).
    """
    picture = _opened(path)
    if picture.mode not in modes:
        raise InputError(
            f"{path}: is a label map of mode {picture.mode}, expected {' or '.join(modes)}; "
            "restore it from the data set"
        )
    return np.asarray(picture)


def _opened(path: Path) -> Image.Image:
    with faults_of(path), Image.open(path, formats=FORMATS) as picture:
        picture.load()
    return picture


@contextlib.contextmanager
def faults_of(path: Path) -> Iterator[None]:
    """Turn any error in the block, which reads an image file, into an InputError.

    Raises:
        InputError: the file is missing, or is not an image that can be read.
    """
    try:
        yield
    except FileNotFoundError:
        raise InputError(f"{path}: this file is missing; restore it from the data set") from None
    except InputError:
        raise
    # Pillow raises exceptions of any type for a damaged file.
    except Exception as error:
        raise InputError(
            f"{path}: not a readable image ({error}); restore it from the data set"
        ) from None


def list_images(folder: Path, suffixes: tuple[str, ...] = (".png", ".jpg", ".jpeg")) -> list[Path]:
    """Return the image files of a folder, sorted by name.

    Raises:
        InputError: the folder does not exist or holds no image; the error names a similar folder.
    """
    if not folder.is_dir():
        beside = (
            [p.name for p in folder.parent.iterdir() if p.is_dir()]
            if folder.parent.is_dir()
            else []
        )
        hint = nearest(folder.name, beside) if beside else "check data_root in config.yaml"
        raise InputError(f"{folder}: no such folder of frames; {hint}")
    files = sorted(p for p in folder.iterdir() if p.suffix.lower() in suffixes)
    if not files:
        raise InputError(
            f"{folder}: holds no frame ({', '.join(suffixes)}); put the frames there, or correct "
            "the path"
        )
    return files


def natural_order(name: str) -> tuple[list[str | int], str]:
    """Return a key that sorts names by the numbers in them, 2 before 10."""
    # Text and numbers alternate, so that text is compared with text, and numbers with numbers.
    parts = re.split(r"([0-9]+)", name)
    return [int(part) if odd % 2 else part for odd, part in enumerate(parts)], name
