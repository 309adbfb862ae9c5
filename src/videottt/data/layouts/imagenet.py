"""Read ImageNet as its archives unpack: ``<split>/<wnid>/*.JPEG``, stills without dense labels.

ImageNet is too large for a frame store, so training reads the files themselves, by StillFolder.
"""

import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import overload

import numpy as np

from videottt.core.errors import InputError
from videottt.core.segments import VOID, ClassSpace
from videottt.data.beside import is_hidden
from videottt.data.layouts.listing import FrameFiles, Listing
from videottt.data.pictures.images import STILLS, UNREAD, check_read, image_size, read_image
from videottt.store.source_frame import SourceFrame


def read(root: Path, split: str, video: str, space: ClassSpace) -> Iterator[SourceFrame]:
    """Read the images of one small folder in the order of their names.

    Args:
        root: the folder that holds the splits.
        split: unused, since `video` names the folder.
        video: the folder below `root`: a split, or one class of it such as "val/n01440764".
        space: unused, since there are no labels.

    Raises:
        InputError: there is no image, or an image cannot be read.
    """
    yield from list_frames(root, split, video, space).read()


def list_frames(root: Path, split: str, video: str, space: ClassSpace) -> Listing:
    """Return the images of one folder; the arguments are those of `read`.

    Raises:
        InputError: there is no image.
    """
    return Listing(_Stills(root / video), stills=True)


class _Stills(Sequence[FrameFiles]):
    """The images of a folder; entries are made on demand, as a million would fill the memory."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._names = [name for name, _ in _listed(folder)]

    def __len__(self) -> int:
        return len(self._names)

    @overload
    def __getitem__(self, index: int) -> FrameFiles: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[FrameFiles]: ...

    def __getitem__(self, index: int | slice) -> FrameFiles | Sequence[FrameFiles]:
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self)))]
        path, name = self._folder / self._names[index], os.path.splitext(self._names[index])[0]
        return FrameFiles(name, path, lambda: SourceFrame(name, read_image(path)))


class StillFolder:
    """The stills of a folder, read lazily; training sees frames whose labels are all void.

    Files are opened only to read an image, so that an instance may be copied to other processes.

    Attributes:
        path: the folder; images may lie at any depth in it.
        space: the classes; the images have no labels.
        names: sorted paths of the images, relative to `path`.
        labelled: bool [T], all true, because training needs the images alone.

    Raises:
        InputError: there is no image.
    """

    def __init__(self, path: Path, space: ClassSpace) -> None:
        self.path = path
        self.space = space
        self.names = [name for name, _ in _listed(path)]
        self.labelled = np.ones(len(self.names), bool)

    def __len__(self) -> int:
        return len(self.names)

    def frame(self, index: int) -> np.ndarray:
        """Return image `index` as RGB, whatever the mode of its file: uint8 [H, W, 3].

        Raises:
            InputError: the file cannot be read.
        """
        return read_image(self.path / self.names[index])

    def semantic(self, index: int) -> np.ndarray:
        """Return the labels of image `index`: uint8 [H, W], all void."""
        return np.full(image_size(self.path / self.names[index]), VOID, np.uint8)

    def instance(self, index: int) -> np.ndarray:
        """Return the instance ids of image `index`: uint16 [H, W], all 0 for none."""
        return np.zeros(image_size(self.path / self.names[index]), np.uint16)


def fingerprint(path: Path) -> str:
    """Return a hash of the names and sizes of a folder's images, in hexadecimal.

    The content is not read, because that would take hours for a million images.

    Raises:
        InputError: there is no image.
    """
    digest = hashlib.sha256()
    for name, size in _listed(path):
        digest.update(f"{name}\0{size}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()


def _listed(folder: Path) -> list[tuple[str, int]]:
    """Return the sorted relative paths of all images in a folder, with their sizes in bytes."""
    images, unread = [], []
    open_folders = [folder] if folder.is_dir() else []
    while open_folders:
        with os.scandir(open_folders.pop()) as entries:
            for entry in entries:
                suffix = os.path.splitext(entry.name)[1].lower()
                if is_hidden(entry.name):
                    continue
                if entry.is_dir():
                    open_folders.append(Path(entry.path))
                elif suffix in STILLS:
                    images.append((os.path.relpath(entry.path, folder), entry.stat().st_size))
                elif suffix in UNREAD:
                    unread.append(Path(entry.path))
    if unread:
        check_read([*unread, *(folder / name for name, _ in images)])
    if not images:
        raise InputError(
            f"{folder}: holds no image (.jpeg, .jpg, .png and other pictures); unpack ImageNet "
            "there, or correct data_root in config.yaml"
        )
    return sorted(images)
