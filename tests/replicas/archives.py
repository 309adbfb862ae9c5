"""Archives of files that are made here: the same files give the same bytes."""

import gzip
import io
import tarfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

# A name in an archive and its bytes; None = a folder.
Member = tuple[str, bytes | None]


def write_zip(path: Path, members: Iterable[Member]) -> None:
    """Write a zip whose members are listed with their folders, as those of the publishers are."""
    path.write_bytes(zip_of(members))


def zip_of(members: Iterable[Member]) -> bytes:
    """Return the bytes of a zip."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members:
            # Not the time of day: it would be in the bytes.
            archive.writestr(zipfile.ZipInfo(name), content or b"")
    return buffer.getvalue()


def write_tar(path: Path, members: Iterable[Member]) -> None:
    """Write a tar, packed by gzip if its name says so."""
    content = tar_of(members)
    if path.name.endswith(("gz", "tgz")):
        content = gzip.compress(content, mtime=0)
    path.write_bytes(content)


def tar_of(members: Iterable[Member]) -> bytes:
    """Return the bytes of a tar."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            if content is None:
                info.type, info.mode = tarfile.DIRTYPE, 0o755
            else:
                info.size = len(content)
            archive.addfile(info, io.BytesIO(content or b""))
    return buffer.getvalue()


def with_folders(members: Iterable[Member]) -> list[Member]:
    """Return members, each after the folders that it lies in."""
    found: dict[str, bytes | None] = {}
    for name, content in members:
        parts = name.split("/")[:-1]
        for depth in range(1, len(parts) + 1):
            found.setdefault("/".join(parts[:depth]) + "/", None)
        found[name] = content
    return list(found.items())


def png(pixels: np.ndarray) -> bytes:
    """Return a picture, uint8 or uint16, as the bytes of a PNG file."""
    return _encoded(Image.fromarray(pixels), "png", compress_level=1)


def jpeg(picture: np.ndarray | Image.Image) -> bytes:
    """Return a picture as the bytes of a JPEG file."""
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    return _encoded(image, "jpeg", quality=92)


def _encoded(image: Image.Image, form: str, **options: int) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()
