"""Check the image files of a frame by their headers and last bytes."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from videottt.core.errors import InputError
from videottt.data.layouts.images import FORMATS, faults_of
from videottt.data.layouts.listing import FrameFiles, size_text

# Format -> the last bytes of a complete file.
ENDS = {"PNG": b"IEND\xaeB`\x82", "JPEG": b"\xff\xd9"}
LONGEST_END = max(map(len, ENDS.values()))


@dataclass(frozen=True)
class Header:
    """The header of an image file: size (H, W) and Pillow's mode."""

    size: tuple[int, int]
    mode: str


def read_header(path: Path) -> Header:
    """Return the header of an image file, after checking that the file is not truncated.

    Raises:
        InputError: the file is missing, empty, truncated or no image.
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
                # Other data may follow a complete image, so only decoding it tells.
                file.seek(0)
                _decode(path)
    return header


def _decode(path: Path) -> None:
    with Image.open(path, formats=FORMATS) as picture:
        picture.load()


@dataclass
class Checked:
    """The headers and problems of the files of a frame.

    Attributes:
        size: (H, W) of the image; None if it cannot be read.
        map_sizes: label file -> its (H, W).
        problems: problems, one line each.
    """

    size: tuple[int, int] | None = None
    map_sizes: dict[Path, tuple[int, int]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def check_files(frame: FrameFiles) -> Checked:
    """Read the headers of a frame's files, and list the files that cannot be used."""
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
                f"{frame.image}: is {size_text(header.size)}, but the annotations say "
                f"{size_text(frame.size)}; restore it from the data set"
            )
    except InputError as error:
        checked.problems.append(str(error))
    for label_map in frame.maps:
        try:
            header = read_header(label_map.path)
        except InputError as error:
            checked.problems.append(str(error))
            continue
        checked.map_sizes[label_map.path] = header.size
        if header.mode not in label_map.modes:
            checked.problems.append(
                f"{label_map.path}: is a label map of mode {header.mode}, expected "
                f"{' or '.join(label_map.modes)}; restore it from the data set"
            )
    return checked
