"""Check COCO's compressed run lengths; pycocotools does not."""

import numpy as np

from videottt.core.segments import Instances


def check_masks(instances: Instances) -> None:
    """Check that the run lengths of each mask cover the whole image.

    Raises:
        ValueError: those of a mask do not.
    """
    for counts in dict.fromkeys(instances.masks):
        check_mask(counts, instances.size[0] * instances.size[1])


def check_mask(counts: bytes, area: int) -> None:
    """Check that compressed run lengths cover `area` pixels.

    Raises:
        ValueError: they do not, or are malformed.
    """
    runs = run_lengths(counts)
    if runs.min(initial=0) < 0 or runs.sum() != area:
        raise ValueError(f"the run lengths of a mask do not cover {area} pixels")


def run_lengths(counts: bytes) -> np.ndarray:
    """Decode COCO's compressed run lengths to int64.

    A character, counted from '0', holds six bits: five bits of a number, the lowest first, and one
    bit that is set if the number continues in the next character. From the fourth number on, the
    difference to the number two places before is stored.

    Raises:
        ValueError: the characters are not of that form.
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
    # The first number stands alone; the second and the third begin the two sums of differences.
    values[1::2] = np.cumsum(values[1::2])
    values[2::2] = np.cumsum(values[2::2])
    return values
