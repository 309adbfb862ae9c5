"""Whether one image file is whole and of its form, by its first and last bytes."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from videottt.core.errors import InputError
from videottt.data.layouts.images import FORMATS, faults_of
from videottt.data.layouts.listing import FrameFiles, size_text

# How a whole file of a format ends.
ENDS = {"PNG": b"IEND\xaeB`\x82", "JPEG": b"\xff\xd9"}
LONGEST_END = max(map(len, ENDS.values()))


@dataclass(frozen=True)
class Header:
    """What an image file says of itself: size (H, W), and the mode that Pillow gives it."""

    size: tuple[int, int]
    mode: str


def read_header(path: Path) -> Header:
    """Return the header of an image file that is not cut off.

    Raises:
        InputError: the file is missing, empty, no image, or ends before the image does.
    """
    with faults_of(path), path.open("rb") as file:
        length = os.fstat(file.fileno()).st_size
        if not length:
            raise InputError(f"{path}: is empty; restore it from the data set")
        with Image.open(file, formats=FORMATS) as picture:
            header = Header((picture.height, picture.width), picture.mode)
            end = ENDS.get(picture.format or "", b"")
            file.seek(max(length - LONGEST_END, 0))
            if not file.read().endswith(end):
                # Something may follow the image: only reading it tells.
                file.seek(0)
                _read_whole(path)
    return header


def _read_whole(path: Path) -> None:
    with Image.open(path, formats=FORMATS) as picture:
        picture.load()


@dataclass
class Checked:
    """What the files of a frame say of themselves.

    Attributes:
        size: (H, W) of the image; None if it is not known.
        map_sizes: likewise of each file of labels, by its path.
        problems: one line each.
    """

    size: tuple[int, int] | None = None
    map_sizes: dict[Path, tuple[int, int]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def check_files(frame: FrameFiles) -> Checked:
    """Return what the headers of a frame's files say, and which of them cannot be used."""
    checked = Checked()
    try:
        header = read_header(frame.image)
        checked.size = header.size
        if header.mode.startswith(("I", "F")):
            checked.problems.append(
                f"{frame.image}: has more than 8 bits a channel; convert it to 8 bits"
            )
        if frame.size not in (None, header.size):
            checked.problems.append(
                f"{frame.image}: is {size_text(header.size)}, but the data set's own files say "
                f"{size_text(frame.size)}; restore it from the data set"
            )
    except InputError as error:
        checked.problems.append(str(error))
    for each in frame.maps:
        try:
            header = read_header(each.path)
        except InputError as error:
            checked.problems.append(str(error))
            continue
        checked.map_sizes[each.path] = header.size
        if header.mode not in each.modes:
            checked.problems.append(
                f"{each.path}: is a label map of mode {header.mode}, expected "
                f"{' or '.join(each.modes)}; restore it from the data set"
            )
    return checked
