"""COCO's compressed run lengths, checked before pycocotools takes them on trust."""

import numpy as np

from videottt.core.segments import Instances


def check_masks(instances: Instances) -> None:
    """Check that the masks of instances fill their image.

    Raises:
        ValueError: one does not.
    """
    for counts in dict.fromkeys(instances.masks):
        check_mask(counts, instances.size[0] * instances.size[1])


def check_mask(counts: bytes, area: int) -> None:
    """Check that compressed run lengths fill so many pixels.

    Raises:
        ValueError: they do not.
    """
    runs = run_lengths(counts)
    if runs.min(initial=0) < 0 or runs.sum() != area:
        raise ValueError(f"a mask does not fill {area} pixels")


def run_lengths(counts: bytes) -> np.ndarray:
    """Return the run lengths, int64, that COCO's compressed form stands for.

    A number has six bits a character from '0' on, the lowest first: five of its own, and one that
    says that it goes on. From the fourth on, each is the difference from the one before the last.

    Raises:
        ValueError: it is not of that form.
    """
    bits = np.frombuffer(counts, np.uint8).astype(np.int64) - 48
    if not bits.size:
        return bits
    if bits.min() < 0 or bits.max() > 63 or bits[-1] & 32:
        raise ValueError("a mask is not written in run lengths")
    starts = np.flatnonzero(np.concatenate([[True], (bits[:-1] & 32) == 0]))
    lengths = np.diff(np.append(starts, len(bits)))
    if lengths.max() > 7:
        raise ValueError("a mask has a run longer than any image")
    places = np.arange(len(bits)) - np.repeat(starts, lengths)
    values: np.ndarray = np.add.reduceat((bits & 31) << (5 * places), starts)
    negative = (bits[starts + lengths - 1] & 16) != 0
    values = values - (negative.astype(np.int64) << (5 * lengths))
    # The first is a number of its own, the second and third begin the two sums.
    values[1::2] = np.cumsum(values[1::2])
    values[2::2] = np.cumsum(values[2::2])
    return values
