"""Declare how images are scaled, cut, flipped and recoloured, in training and in updates."""

from typing import Annotated, Literal

from pydantic import Field

from videottt.core.annotations import Count, CropSize, Fraction, GreyLevel, Positive
from videottt.core.settings import settings


@settings
class Augmentation:
    """Mask2Former's recipe: for semantic segmentation, or large-scale jitter for COCO.

    Large-scale jitter (Ghiasi et al., CVPR 2021) is ``scale_to="crop"``, scales from 0.1 to 2.0,
    no change of colours and grey beyond the image.

    The defaults are quicker than what Mask2Former's dataset mappers do, and differ in the pixels at
    the border of a crop, in where a crop lies and in the shape of the ranges of colours.
    ``geometry="detectron2"`` and ``colours="ssd"`` are those mappers: for Cityscapes with the 16
    scales 0.5, 0.6, ..., 2.0 (shortest edges int(0.1 · x · 1024), x = 5 ... 20); the constraint on
    the area of one class in a crop is off in both (SINGLE_CATEGORY_MAX_AREA 1.0). What is left
    different then: an image smaller than the crop is completed to the crop before normalisation,
    where the semantic mapper leaves it to the model (of Cityscapes, none is); and hues are rounded
    to 1/256 of a turn, not 1/180.

    Attributes:
        shortest_edge: shortest edge of the image at scale 1, in pixels.
        longest_edge: largest longest edge of the image at scale 1, in pixels; with the geometry of
            detectron2 at most this times the largest scale, at any scale.
        crop: height and width of what the model trains on, in pixels, multiples of 32.
        scales: smallest and largest factor on the size at scale 1; of more than two, one is chosen.
        flip: probability of a horizontal flip.
        colour: largest relative change of contrast and saturation; brightness changes by up to a
            quarter of it, hue by a tenth of it in turns of the colour circle. At 0.5
            the ranges are about those of SSD's recipe, which Mask2Former uses; with the colours
            "ssd" they are that recipe.
        scale_to: what an image at scale 1 fits: "edges", the two above, or "crop", as large as fits
            into it (detectron2's ResizeScale).
        padding: grey level of what the model sees beyond the image.
        geometry: "quick" resizes only what is seen. "detectron2" resizes the whole image, then cuts
            it, rounds as detectron2 does, takes the nearest label as it does, places large-scale
            jitter by one number for both axes (FixedSizeCrop), and pads below and to the right.
        colours: "enhanced" changes all of brightness, contrast, saturation and hue, "ssd" each of
            them with probability 1/2.
    """

    shortest_edge: Count
    longest_edge: Count
    crop: CropSize
    scales: Annotated[tuple[Positive, ...], Field(min_length=2)] = (0.5, 2.0)
    flip: Fraction = 0.5
    colour: Fraction = 0.5
    scale_to: Literal["edges", "crop"] = "edges"
    padding: GreyLevel = 0
    geometry: Literal["quick", "detectron2"] = "quick"
    colours: Literal["enhanced", "ssd"] = "enhanced"


@settings
class Views:
    """Large-scale jitter (Ghiasi et al., CVPR 2021) of the frames of an update.

    The release's recipe for COCO Videos, that of Mask2Former's training on COCO: detectron2's
    RandomFlip, ResizeScale and FixedSizeCrop, in this order, of the frame at its own size. The
    paper does not say what its updates are shown.

    Attributes:
        crop: height and width of a view in pixels, multiples of 32.
        scales: smallest and largest factor on the size at which a frame just fits into the crop.
        flip: probability of a horizontal flip.
        padding: grey level of a view below and to the right of the frame.
    """

    crop: CropSize = (1024, 1024)
    scales: tuple[Positive, Positive] = (0.1, 2.0)
    flip: Fraction = 0.5
    padding: GreyLevel = 128

    def __post_init__(self) -> None:
        if self.scales[0] > self.scales[1]:
            raise ValueError(
                f"scales is {list(self.scales)}, but must be the smallest and the largest factor"
            )
