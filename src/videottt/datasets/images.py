"""Reading images and label maps from files, with errors that name the file."""

from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from videottt.errors import InputError, nearest


def read_image(path: Path) -> np.ndarray:
    """Return an image file as RGB, uint8 [H, W, 3].

    Raises:
        InputError: the file cannot be read.
    """
    return np.asarray(_opened(path).convert("RGB"))


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
    try:
        picture = Image.open(path)
        picture.load()
    except FileNotFoundError:
        raise InputError(f"{path}: this file is missing; restore it from the data set") from None
    except (OSError, UnidentifiedImageError, SyntaxError) as error:
        raise InputError(
            f"{path}: not a readable image ({error}); restore it from the data set"
        ) from None
    return picture


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


def pair_labels(images: list[Path], folder: Path) -> list[Path]:
    """Return the label file (.png) of each image.

    Raises:
        InputError: an image has no label file, or a label file no image.
    """
    labels = {path.stem: path for path in list_images(folder, (".png",))}
    for image in images:
        if image.stem not in labels:
            raise InputError(
                f"{folder / (image.stem + '.png')}: missing label map of frame {image}; restore it "
                "from the data set"
            )
    extra = sorted(labels.keys() - {image.stem for image in images})
    if extra:
        raise InputError(
            f"{labels[extra[0]]}: this label map has no frame in {images[0].parent}; restore the "
            "missing frame from the data set"
        )
    return [labels[image.stem] for image in images]
