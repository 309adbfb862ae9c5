"""Declare the thresholds between the outputs of the queries and the predicted segments."""

from videottt.core.annotations import Count, Fraction
from videottt.core.settings import settings


@settings
class Decoding:
    """How queries become segments; the defaults are those of Mask2Former's COCO models.

    Attributes:
        object_mask_threshold: class probability that a query needs for a segment of a panoptic map.
        overlap_threshold: share of its own mask that such a segment must keep beside the others.
        top_k: most instances predicted for a frame.
    """

    object_mask_threshold: Fraction = 0.8
    overlap_threshold: Fraction = 0.8
    top_k: Count = 100
