"""List and read images and label maps, with errors that name the file."""

import contextlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.ImageFile import ImageFile

from videottt.core.errors import InputError, nearest
from videottt.data.beside import is_hidden
from videottt.data.pictures import sixteen_bits
from videottt.data.pictures.pages import decoded, page_numbers, upright_size
from videottt.data.pictures.png_texts import without_long_texts

# Formats that are opened, whatever the suffix is. For other formats Pillow may start a program,
# such as Ghostscript for PostScript.
FORMATS = (
    "PNG", "JPEG", "BMP", "DIB", "GIF", "TIFF", "WEBP", "AVIF", "JPEG2000", "PPM", "ICO", "QOI",
    "SGI", "TGA", "PCX",
)  # fmt: skip
# Formats that many other files seem to be: opened only with one of these suffixes.
_VAGUE = {"TGA": (".tga", ".icb", ".vda", ".vst"), "PCX": (".pcx",)}

# Suffixes of still images that are read.
STILLS = (
    ".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".bmp", ".dib", ".gif", ".tif", ".tiff",
    ".webp", ".apng", ".avif", ".avifs", ".jp2", ".j2k", ".jpc", ".jpf", ".jpx", ".j2c", ".ppm",
    ".pgm", ".pbm", ".pnm", ".pfm", ".ico", ".qoi", ".sgi", ".rgb", ".rgba", ".bw", ".tga",
    ".icb", ".vda", ".vst", ".pcx",
)  # fmt: skip
# Suffixes of still images that are not.
UNREAD = (
    ".heic", ".heif", ".hif", ".jxl", ".jxr", ".wdp", ".jls", ".psd", ".psb", ".xcf", ".kra",
    ".eps", ".ps", ".svg", ".wmf", ".emf", ".exr", ".hdr", ".dds", ".dpx", ".cin", ".fits", ".fit",
    ".icns", ".cur", ".xbm", ".xpm", ".ras", ".pam", ".pcd", ".blp", ".fli", ".flc", ".djvu",
    ".dcm", ".raw", ".dng", ".cr2", ".cr3", ".crw", ".nef", ".nrw", ".arw", ".srf", ".sr2", ".raf",
    ".orf", ".rw2", ".pef", ".srw", ".x3f", ".3fr", ".iiq", ".rwl", ".gpr",
)  # fmt: skip


@dataclass(frozen=True)
class Header:
    """The header of a picture file.

    Attributes:
        size: (H, W) of the upright picture.
        mode: Pillow's mode.
        format: Pillow's name of the format.
        pages: number of pages, or of moments of an animation.
        fault: why the values cannot be read, and the mend; None if they can.
    """

    size: tuple[int, int]
    mode: str
    format: str
    pages: int
    fault: str | None


def read_image(path: Path) -> np.ndarray:
    """Return an image file as RGB, uint8 [H, W, 3], upright as its EXIF data say.

    Values of 16 bits become 8 bits as in a film that ffmpeg reads.

    Raises:
        InputError: the file cannot be read, or holds several pictures.
    """
    with opened(path) as picture:
        return _page(picture, _only_page(picture, path), path)


def read_pages(path: Path) -> Iterator[np.ndarray]:
    """Yield every page of an image file, or every moment of an animation, as `read_image` reads it.

    Raises:
        InputError: the file cannot be read.
    """
    return (pixels for _, pixels in named_pages(path))


def named_pages(path: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Yield every page as `read_pages` does, with its name.

    The name is that of the file without its suffix, and of several pages has a number behind it.

    Raises:
        InputError: the file cannot be read.
    """
    with opened(path) as picture:
        pages = page_numbers(picture)
        for place, number in enumerate(pages):
            name = f"{path.stem}_{place:06d}" if len(pages) > 1 else path.stem
            yield name, _page(picture, number, path)


def count_pages(path: Path) -> int:
    """Return the number of pages of an image file, or of moments of an animation.

    Raises:
        InputError: the file cannot be read.
    """
    with opened(path) as picture:
        return len(page_numbers(picture))


def read_header(path: Path) -> Header:
    """Return the header of an image file.

    Raises:
        InputError: the file is missing or no image.
    """
    with opened(path) as picture:
        pages = page_numbers(picture)
        picture.seek(pages[0])
        mode, kind, fault = picture.mode, picture.format or "", sixteen_bits.fault(picture)
        return Header(upright_size(picture, path), mode, kind, len(pages), fault)


def image_size(path: Path) -> tuple[int, int]:
    """Return the height and width of an image file, upright, from its header.

    Raises:
        InputError: the file cannot be read.
    """
    return read_header(path).size


def read_map(path: Path, modes: tuple[str, ...]) -> np.ndarray:
    """Return the values of a label file, upright as EXIF data say: integers [H, W] or [H, W, 3].

    An opaque alpha channel is left out, and a palette of opaque colours is applied where RGB is
    due: neither changes a value.

    Raises:
        InputError: the file cannot be read, or its mode is not one of `modes` ("L", "RGB", ...).
    """
    with opened(path) as picture:
        picture.seek(_only_page(picture, path))
        if sixteen_bits.halves(picture):
            raise InputError(
                f"{path}: is a label map of 16 bits a channel, expected 8; restore it from the "
                "data set"
            )
        stored = decoded(picture, path)
        labels = stored if stored.mode in modes else _opaque(stored)
        if labels is None or labels.mode not in modes:
            alpha = " with transparency" if labels is None else ""
            raise InputError(
                f"{path}: is a label map of mode {stored.mode}{alpha}, expected "
                f"{' or '.join(modes)}; restore it from the data set"
            )
        return np.asarray(labels)


def _opaque(labels: Image.Image) -> Image.Image | None:
    """Return a picture without its palette and its alpha channel; None if pixels show through."""
    if labels.mode not in ("P", "LA", "RGBA"):
        return labels
    coloured = labels.convert("RGBA") if labels.mode == "P" else labels
    if coloured.getchannel("A").getextrema() != (255, 255):
        return None
    return coloured.convert(coloured.mode.removesuffix("A"))


def check_whole(path: Path) -> None:
    """Decode an image file.

    Raises:
        InputError: the file is damaged or truncated.
    """
    with opened(path) as picture:
        decoded(picture, path)


def _only_page(picture: ImageFile, path: Path) -> int:
    pages = page_numbers(picture)
    if len(pages) > 1:
        raise InputError(f"{path}: {several(len(pages))}")
    return pages[0]


def several(pages: int) -> str:
    """Say that a file holds several pictures where it must hold one."""
    return f"holds {pages} pictures, but one is due; save each as a file of its own"


def _page(picture: ImageFile, number: int, path: Path) -> np.ndarray:
    """Decode one page: RGB, uint8 [H, W, 3]."""
    picture.seek(number)
    if said := sixteen_bits.fault(picture):
        raise InputError(f"{path}: {said}")
    if sixteen_bits.is_grey(picture):
        return sixteen_bits.grey(picture, path)
    parts = sixteen_bits.halves(picture)
    if parts is None:
        return np.asarray(decoded(picture, path).convert("RGB"))
    with opened(path) as twin:
        twin.seek(number)
        return sixteen_bits.colours(picture, twin, parts, path)


@contextlib.contextmanager
def opened(path: Path) -> Iterator[ImageFile]:
    """Open an image file for the block; errors in the block are those of `faults_of`.

    Raises:
        InputError: the file is missing, or is not an image that can be read.
    """
    suffix = path.suffix.lower()
    formats = [name for name in FORMATS if suffix in _VAGUE.get(name, (suffix,))]
    with faults_of(path), Image.open(without_long_texts(path), formats=formats) as picture:
        yield picture


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


def list_stills(folder: Path) -> list[Path]:
    """Return the image files of a folder that are read, of any suffix, sorted by name.

    Raises:
        InputError: as `list_images` and `check_read`.
    """
    pictures = list_images(folder, STILLS + UNREAD)
    check_read(pictures)
    return [path for path in pictures if path.suffix.lower() in STILLS]


def check_read(pictures: Sequence[Path]) -> None:
    """Check that no picture is left out.

    A picture that is not read may lie beside one of the same name that is, as cameras save them.

    Raises:
        InputError: there is a picture that is not read.
    """
    unread = [path for path in pictures if path.suffix.lower() in UNREAD]
    if not unread:
        return
    read = {path.with_suffix("") for path in pictures if path.suffix.lower() in STILLS}
    for path in unread:
        if path.with_suffix("") not in read:
            raise InputError(
                f"{path}: is a picture of a kind that is not read; convert it to PNG, or remove it"
            )


def list_images(folder: Path, suffixes: tuple[str, ...] = STILLS) -> list[Path]:
    """Return the image files of a folder, sorted by name; hidden files are left out.

    Raises:
        InputError: the folder does not exist or holds no image; the error names a similar folder.
    """
    if not folder.is_dir():
        beside = (
            [p.name for p in folder.parent.iterdir() if p.is_dir() and not is_hidden(p.name)]
            if folder.parent.is_dir()
            else []
        )
        hint = nearest(folder.name, beside) if beside else "check data_root in config.yaml"
        raise InputError(f"{folder}: no such folder of frames; {hint}")
    files = sorted(
        p for p in folder.iterdir() if p.suffix.lower() in suffixes and not is_hidden(p.name)
    )
    if not files:
        others = " and other pictures" if len(suffixes) > 3 else ""
        raise InputError(
            f"{folder}: holds no frame ({', '.join(suffixes[:3])}{others}); put the frames there, "
            "or correct the path"
        )
    return files


def is_still(path: Path) -> bool:
    """Return whether a file holds stills, whose pages have no time stamps, and is no film.

    Animations whose time stamps ffmpeg reads are films.
    """
    if path.suffix.lower() not in STILLS or not path.is_file():
        return False
    try:
        with opened(path) as picture:
            film = picture.format in ("GIF", "PNG", "WEBP") and len(page_numbers(picture)) > 1
    except InputError:
        return False
    return not film


def natural_order(name: str) -> tuple[list[str | int], str]:
    """Return a key that sorts names by the numbers in them, 2 before 10."""
    # Text and numbers alternate, so that text is compared with text, and numbers with numbers.
    parts = re.split(r"([0-9]+)", name)
    return [int(part) if odd % 2 else part for odd, part in enumerate(parts)], name
