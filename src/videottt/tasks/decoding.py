"""Thresholds between what queries say and the segments that are predicted."""

from dataclasses import dataclass

from videottt.core.errors import InputError


@dataclass(frozen=True)
class Decoding:
    """How queries become segments; the values of Mask2Former's COCO models.

    Attributes:
        object_mask_threshold: class probability that a query's segment of a panoptic map needs.
        overlap_threshold: share of its own mask that such a segment must keep beside the others.
        top_k: instances predicted of a frame, at most.
    """

    object_mask_threshold: float = 0.8
    overlap_threshold: float = 0.8
    top_k: int = 100

    def __post_init__(self) -> None:
        """Check what a schema would."""
        for name in ("object_mask_threshold", "overlap_threshold"):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise InputError(f"decoding: {name} is {value}, but must be in 0..1")
        if self.top_k < 1:
            raise InputError(f"decoding: top_k is {self.top_k}, but must be at least 1")
