"""Reading images and label maps from files, with errors that name the file."""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from videottt.core.errors import InputError, nearest

# What a still image of one's own may be.
STILLS = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")


# What a file of them may be, whatever it is called: for others Pillow may start another program, as
# Ghostscript for PostScript.
FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "WEBP")


def read_image(path: Path) -> np.ndarray:
    """Return an image file as RGB, uint8 [H, W, 3].

    Raises:
        InputError: the file cannot be read.
    """
    return _rgb(_opened(path), path)


def read_upright(path: Path) -> np.ndarray:
    """Return an image file as RGB, uint8 [H, W, 3], turned as its EXIF data say.

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
    """Return a label file as stored: uint8 [H, W] or [H, W, 3].

    Raises:
        InputError: the file cannot be read, or its mode is not one of `modes` ("L", "P", "RGB").
    """
    picture = _opened(path)
    if picture.mode not in modes:
        raise InputError(
            f"{path}: is a label map of mode {picture.mode}, expected {' or '.join(modes)} (8 bit)"
        )
    return np.asarray(picture)


def _opened(path: Path) -> Image.Image:
    with faults_of(path), Image.open(path, formats=FORMATS) as picture:
        picture.load()
    return picture


@contextlib.contextmanager
def faults_of(path: Path) -> Iterator[None]:
    """Say of what fails in the block, which reads an image file, that it is a fault of the file.

    Raises:
        InputError: something failed.
    """
    try:
        yield
    except FileNotFoundError:
        raise InputError(f"{path}: this file is missing; restore it from the data set") from None
    except InputError:
        raise
    # What is no image of its kind makes Pillow fail in any way.
    except Exception as error:
        raise InputError(
            f"{path}: not a readable image ({error}); restore it from the data set"
        ) from None


def list_images(folder: Path, suffixes: tuple[str, ...] = (".png", ".jpg", ".jpeg")) -> list[Path]:
    """Return the image files of a folder, sorted by name.

    Raises:
        InputError: the folder does not exist (naming the nearest that does) or holds no image.
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
        raise InputError(f"{folder}: holds no frame ({', '.join(suffixes)})")
    return files


def natural_order(name: str) -> tuple[list[str | int], str]:
    """Return what sorts names as people do: by the numbers in them, 2 before 10."""
    # Text and numbers take turns, so that like is compared with like.
    parts = re.split(r"([0-9]+)", name)
    return [int(part) if odd % 2 else part for odd, part in enumerate(parts)], name
