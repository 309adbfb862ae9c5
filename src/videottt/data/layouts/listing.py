"""List the files of a video before any image is opened, with the problems of the listing.

A layout that lists its files is read and checked by the same code: reading raises the first
problem, `videottt check-data` reports every problem.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from videottt.core.errors import InputError
from videottt.data.pictures.images import natural_order
from videottt.store.source_frame import SourceFrame


@dataclass(frozen=True, slots=True)
class LabelMap:
    """A label file, with the modes that it may have ("L", "RGB", "I;16", ...)."""

    path: Path
    modes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FrameFiles:
    """The files of one frame.

    Attributes:
        name: name of the SourceFrame.
        image: image file.
        load: reads the frame with its labels.
        maps: label files; empty for a frame without labels.
        size: (H, W) by another file of the data set; None if no file states it.
    """

    name: str
    image: Path
    load: Callable[[], SourceFrame]
    maps: tuple[LabelMap, ...] = ()
    size: tuple[int, int] | None = None


@dataclass(frozen=True)
class Listing:
    """The files of a video.

    Attributes:
        frames: files of the frames, in the order of the video.
        problems: problems that keep the video from being read, in their order.
        strays: files that belong to no frame; reading ignores them.
        stills: whether the frames are stills, which may differ in size, and no video.
    """

    frames: Sequence[FrameFiles]
    problems: Sequence[InputError] = ()
    strays: Sequence[Path] = ()
    stills: bool = False

    def read(self) -> Iterator[SourceFrame]:
        """Read and yield the frames one by one.

        Raises:
            InputError: a file is missing or damaged; problems of the listing are raised before the
                first frame.
        """
        for problem in self.problems:
            raise problem
        for frame in self.frames:
            yield frame.load()


def paired(
    images: Sequence[Path], files: Sequence[Path], present: Iterable[Path], what: str
) -> tuple[list[Path | None], list[InputError]]:
    """Pair images with their files; report missing files, and files without an image.

    Args:
        images: the images, at least one.
        files: expected file of each image.
        present: the files that exist.
        what: the kind of file, for errors.

    Returns:
        the file of each image, None if it does not exist; and the problems.
    """
    existing = set(present)
    problems = [
        InputError(f"{path}: missing {what} of frame {image}; restore it from the data set")
        for image, path in zip(images, files, strict=True)
        if path not in existing
    ]
    problems += [
        InputError(
            f"{path}: this {what} has no frame in {images[0].parent}; restore the missing frame "
            "from the data set"
        )
        for path in sorted(existing.difference(files))
    ]
    return [path if path in existing else None for path in files], problems


def doubled(images: Sequence[Path]) -> list[InputError]:
    """Return an error for each image that differs from another by its suffix alone."""
    first: dict[Path, Path] = {}
    return [
        InputError(f"{image}: has the same name as {other.name}; keep one of them")
        for image in images
        if (other := first.setdefault(image.with_suffix(""), image)) is not image
    ]


def check_size(path: Path, labels: np.ndarray, pixels: np.ndarray) -> None:
    """Raise an InputError if a label file differs in size from its frame."""
    if labels.shape[:2] != pixels.shape[:2]:
        raise InputError(
            f"{path}: is {size_text(labels.shape)}, but its frame is {size_text(pixels.shape)}; "
            "restore both from the data set"
        )


def is_within(name: str, first: str | None = None, last: str | None = None) -> bool:
    """Return whether a frame lies between two frames, inclusively; None means no bound."""
    place = natural_order(name)
    return (first is None or place >= natural_order(first)) and (
        last is None or place <= natural_order(last)
    )


def size_text(size: tuple[int, ...]) -> str:
    """Format a size (H, W, ...) with the width first, as in 96x64."""
    return f"{size[1]}x{size[0]}"
