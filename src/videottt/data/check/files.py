"""Check the image files of a frame by their headers and last bytes."""

from dataclasses import dataclass, field
from pathlib import Path

from videottt.core.errors import InputError
from videottt.data.layouts.listing import FrameFiles, LabelMap, size_text
from videottt.data.pictures import images
from videottt.data.pictures.images import Header, check_whole, read_map, several

# Format -> the last bytes of a complete file.
ENDS = {"PNG": b"IEND\xaeB`\x82", "JPEG": b"\xff\xd9"}
LONGEST_END = max(map(len, ENDS.values()))


def read_header(path: Path) -> Header:
    """Return the header of an image file, after checking that the file is not truncated.

    Raises:
        InputError: the file is missing, empty, truncated or no image.
    """
    if path.is_file() and not path.stat().st_size:
        raise InputError(f"{path}: is empty; restore it from the data set")
    header = images.read_header(path)
    end = ENDS.get(header.format)
    if end is None or not _last_bytes(path).endswith(end):
        # Other data may follow a complete image, so only decoding it tells.
        check_whole(path)
    return header


def _last_bytes(path: Path) -> bytes:
    with path.open("rb") as file:
        file.seek(max(path.stat().st_size - LONGEST_END, 0))
        return file.read()


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
        if fault := header.fault:
            checked.problems.append(f"{frame.image}: {fault}")
        if header.pages > 1:
            checked.problems.append(f"{frame.image}: {several(header.pages)}")
        if frame.size not in (None, header.size):
            turned = ", or correct its EXIF orientation" if frame.size == header.size[::-1] else ""
            checked.problems.append(
                f"{frame.image}: is {size_text(header.size)}, but the annotations say "
                f"{size_text(frame.size)}; restore it from the data set{turned}"
            )
    except InputError as error:
        checked.problems.append(str(error))
    for label_map in frame.maps:
        try:
            checked.map_sizes[label_map.path] = _size_of_map(label_map)
        except InputError as error:
            checked.problems.append(str(error))
    return checked


def _size_of_map(label_map: LabelMap) -> tuple[int, int]:
    """Return the size (H, W) of a label map.

    Raises:
        InputError: the file cannot be used.
    """
    header = read_header(label_map.path)
    if header.mode not in label_map.modes or header.pages > 1:
        # Other modes are read if they change no value, which only decoding tells.
        read_map(label_map.path, label_map.modes)
    return header.size
