"""Define one frame as a layout reads it, and check it before it is stored."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from videottt.core.errors import InputError
from videottt.core.segments import VOID, ClassSpace, Instances

LAST_INSTANCE = 65535  # the largest uint16
MOST_STRETCHED = 8  # of pixels; the most that formats in use have is 2


@dataclass(frozen=True)
class SourceFrame:
    """One frame as a dataset layout reads it.

    Attributes:
        name: name of the source file, without its suffix; unique in the video.
        image: uint8 [H, W, 3], RGB.
        semantic: uint8 [H, W], class index or 255 = void; None for a frame without labels.
        instance: uint16 [H, W], instance id, 0 = none; None if the source has no instance map.
        instances: masks of the objects, which may overlap; None if the source has no such masks.
        timestamp: seconds in the source; None if the source has no time stamps.
        pixel_aspect: width of a pixel divided by its height, when the source is shown.
    """

    name: str
    image: np.ndarray
    semantic: np.ndarray | None = None
    instance: np.ndarray | None = None
    instances: Instances | None = None
    timestamp: float | None = None
    pixel_aspect: float = 1.0


def is_plausible_aspect(pixel_aspect: float | Fraction) -> bool:
    """Return whether the pixels of a video can have an aspect; those of known formats have."""
    return 1 / MOST_STRETCHED <= pixel_aspect <= MOST_STRETCHED


def check_image(
    frame: SourceFrame, first: SourceFrame, canvas: tuple[int, int] | None, where: str
) -> None:
    """Check the image of a frame.

    Args:
        frame: the frame.
        first: the first frame of the same video or stills.
        canvas: (H, W) that holds stills of several sizes; None means that all frames have one size.
        where: name of the frame, for errors.

    Raises:
        InputError: the image is not uint8 [H, W, 3], differs in size from `first`, or exceeds the
            canvas.
    """
    if frame.image.dtype != np.uint8 or frame.image.ndim != 3 or frame.image.shape[2] != 3:
        raise InputError(
            f"{where} is not 8-bit RGB but {frame.image.dtype} {list(frame.image.shape)}; convert "
            "it to 8-bit RGB"
        )
    if canvas is not None and np.greater(frame.image.shape[:2], canvas).any():
        raise InputError(
            f"{where} is {_size(frame.image.shape)}, larger than the data set's 'canvas' of "
            f"{_size(canvas)} in config.yaml; enlarge the canvas"
        )
    if canvas is None and frame.image.shape != first.image.shape:
        raise InputError(
            f"{where} is {_size(frame.image.shape)} but '{first.name}' is "
            f"{_size(first.image.shape)}; all frames of a video must have one size: resize them "
            "or split the video (a data set of stills of several sizes needs a 'canvas')"
        )


def check_labels(frame: SourceFrame, space: ClassSpace, dataset: str, where: str) -> None:
    """Check the labels of a frame; a frame without labels passes.

    Args:
        frame: the frame.
        space: the classes of the data set.
        dataset: id of the data set.
        where: name of the frame, for errors.

    Raises:
        InputError: labels differ in size from the image, or have an invalid class or instance id.
    """
    sizes = {
        "semantic": frame.semantic if frame.semantic is None else frame.semantic.shape,
        "instance": frame.instance if frame.instance is None else frame.instance.shape,
        "instances": frame.instances if frame.instances is None else frame.instances.size,
    }
    for kind, size in sizes.items():
        if size is not None and size != frame.image.shape[:2]:
            raise InputError(
                f"{where}: its {kind} labels are {_size(size)} but the image is "
                f"{_size(frame.image.shape)}; export both at one size"
            )
    if frame.semantic is not None and frame.semantic.dtype != np.uint8:
        raise InputError(
            f"{where}: its semantic labels are {frame.semantic.dtype}, not uint8; convert them"
        )
    known = len(space.classes)
    if frame.semantic is not None:
        outside = frame.semantic[(frame.semantic >= known) & (frame.semantic != VOID)]
        if outside.size:
            raise InputError(
                f"{where} has label id {outside.min()}, but '{dataset}' has {known} classes "
                f"(0..{known - 1}) and {VOID} for void; correct the labels or the dataset's "
                "'classes' in config.yaml"
            )
    if frame.instance is not None:
        low, high = int(frame.instance.min()), int(frame.instance.max())
        if low < 0 or high > LAST_INSTANCE:
            raise InputError(
                f"{where} has instance id {low if low < 0 else high}, but instance ids are "
                f"0..{LAST_INSTANCE}, 0 for none; renumber the instances"
            )
    if frame.instances is not None:
        things = np.flatnonzero(space.is_thing)
        outside = frame.instances.classes[~np.isin(frame.instances.classes, things)]
        if outside.size:
            raise InputError(
                f"{where} has an instance of class {outside[0]}, which is not a thing class of "
                f"'{dataset}'; correct the labels or the dataset's 'things' in config.yaml"
            )


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]}x{shape[0]}"
