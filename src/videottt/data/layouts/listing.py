"""The files of a video, as a layout finds them before it opens an image, and what is wrong there.

A layout that lists its files is read and checked by the same code: reading raises the first
problem, `videottt check-data` reports every one.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from videottt.core.errors import InputError
from videottt.data.layouts.images import natural_order
from videottt.store.source_frame import SourceFrame


@dataclass(frozen=True, slots=True)
class LabelMap:
    """A file of labels, with the modes that it may have ("L", "RGB", "I;16", ...)."""

    path: Path
    modes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FrameFiles:
    """Where one frame lies.

    Attributes:
        name: as that of its SourceFrame.
        image: its file.
        load: reads it, with its labels.
        maps: its files of labels; none of a frame without labels.
        size: (H, W) that another file of the data set says it has; None where none does.
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
        frames: in the order of the video.
        problems: what keeps it from being read, first to last.
        strays: files that belong to no frame; reading leaves them out.
        stills: whether these are no video but single images, which may differ in size.
    """

    frames: Sequence[FrameFiles]
    problems: Sequence[InputError] = ()
    strays: Sequence[Path] = ()
    stills: bool = False

    def read(self) -> Iterator[SourceFrame]:
        """Yield every frame, whole and one by one.

        Raises:
            InputError: a file is missing or spoilt: the first one, before any frame if that can be
                told from the names.
        """
        for problem in self.problems:
            raise problem
        for frame in self.frames:
            yield frame.load()


def paired(
    images: Sequence[Path], files: Sequence[Path], found: Iterable[Path], what: str
) -> tuple[list[Path | None], list[InputError]]:
    """Return the file that belongs to each image, if it is there, and what is missing or left over.

    Args:
        images: not none.
        files: that of each image, there or not.
        found: those that are there.
        what: what such a file is called.
    """
    there = set(found)
    problems = [
        InputError(f"{path}: missing {what} of frame {image}; restore it from the data set")
        for image, path in zip(images, files, strict=True)
        if path not in there
    ]
    problems += [
        InputError(
            f"{path}: this {what} has no frame in {images[0].parent}; restore the missing frame "
            "from the data set"
        )
        for path in sorted(there.difference(files))
    ]
    return [path if path in there else None for path in files], problems


def check_size(path: Path, labels: np.ndarray, pixels: np.ndarray) -> None:
    """Raise an InputError if a file of labels has not the height and width of its frame."""
    if labels.shape[:2] != pixels.shape[:2]:
        raise InputError(
            f"{path}: is {size_text(labels.shape)}, but its frame is {size_text(pixels.shape)}; "
            "restore both from the data set"
        )


def is_within(name: str, first: str | None = None, last: str | None = None) -> bool:
    """Return whether a frame lies between two others, these included; None = no bound."""
    place = natural_order(name)
    return (first is None or place >= natural_order(first)) and (
        last is None or place <= natural_order(last)
    )


def size_text(size: tuple[int, ...]) -> str:
    """Return a size (H, W, ...) as people write it, width first."""
    return f"{size[1]}x{size[0]}"
