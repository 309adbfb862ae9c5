"""Segment frames with SegFormer or DeepLabV3+ as their authors test them (paper section 5.1).

The paper states neither the input size of these networks on KITTI-STEP nor whether it used tiles.
Here both networks get the input size of Mask2Former: the frame resized to a shortest and a longest
edge. The networks' authors resize Cityscapes to the same 1024 and 2048 pixels. All else follows the
authors: the normalisation, no padding, their tiles or the whole image, and the logits resized first
to the network's input, then to the frame (mmsegmentation's encoder_decoder.py, which both use).
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from videottt.core.errors import InputError
from videottt.core.files import sha256
from videottt.data.layouts.kitti_step import CITYSCAPES
from videottt.data.transforms.resize import input_size, resize_image
from videottt.models.baselines.deeplabv3plus import load_deeplabv3plus_r101
from videottt.models.baselines.fixed import FixedMethod
from videottt.models.baselines.segformer import load_segformer_b4
from videottt.models.inputs import normalise
from videottt.store.frames import FrameStore


@dataclass(frozen=True)
class Tiles:
    """Overlapping square tiles of an image; logits are averaged where tiles overlap.

    Attributes:
        side: of a tile, in pixels; an edge of the image that is shorter is not cut.
        stride: from one tile to the next, in pixels; the last tile is moved back into the image.
    """

    side: int
    stride: int


@dataclass(frozen=True)
class Segmenter:
    """A published segmentation network with its authors' test settings.

    Attributes:
        load: reads the published file and returns the network in eval mode. The network maps
            normalised images, float [B, 3, h, w], to logits of Cityscapes' classes, float
            [B, 19, h', w'].
        tiles: into which a frame is cut; None segments the whole frame at once.
    """

    load: Callable[[Path], nn.Module]
    tiles: Tiles | None


SEGMENTERS = {
    # local_configs/segformer/B4/segformer.b4.1024x1024.city.160k.py in NVlabs/SegFormer
    "segformer_b4": Segmenter(load_segformer_b4, Tiles(side=1024, stride=768)),
    "deeplabv3plus_r101": Segmenter(load_deeplabv3plus_r101, None),
}


@torch.inference_mode()
def segment(
    network: nn.Module,
    frame: np.ndarray,
    shortest_edge: int,
    longest_edge: int,
    tiles: Tiles | None,
) -> np.ndarray:
    """Return the most likely class of each pixel of a frame: uint8 [H, W].

    Args:
        network: maps normalised images to logits, in eval mode.
        frame: RGB, uint8 [H, W, 3].
        shortest_edge: of the resized frame, in pixels.
        longest_edge: upper limit of the resized frame's longest edge, in pixels.
        tiles: into which the resized frame is cut; None segments the whole frame at once.
    """
    device = next(network.parameters()).device
    image = resize_image(frame, input_size(frame.shape[:2], shortest_edge, longest_edge))
    logits = tiled(network, normalise(torch.from_numpy(image[None]).to(device)), tiles)
    scores = _resized(logits, frame.shape[:2])[0]
    return scores.max(dim=0).indices.to(torch.uint8).cpu().numpy()


def tiled(network: Callable[[Tensor], Tensor], images: Tensor, tiles: Tiles | None) -> Tensor:
    """Return logits at the size of the images, averaged over tiles: float [B, classes, h, w].

    Args:
        network: maps images to logits of any size.
        images: float [B, 3, h, w], normalised.
        tiles: None runs the network on the whole images.
    """
    height, width = images.shape[2:]
    total: Tensor | float = 0.0
    times = images.new_zeros(1, 1, height, width)
    for top, bottom in spans(height, tiles):
        for left, right in spans(width, tiles):
            logits = network(images[:, :, top:bottom, left:right])
            logits = _resized(logits, (bottom - top, right - left))
            margins = (left, width - right, top, height - bottom)
            total = total + functional.pad(logits, margins)
            times[:, :, top:bottom, left:right] += 1
    return total / times


def spans(length: int, tiles: Tiles | None) -> list[tuple[int, int]]:
    """Return (start, end) of every tile along an edge of `length` pixels."""
    if tiles is None or length <= tiles.side:
        return [(0, length)]
    last = length - tiles.side
    starts = [*range(0, last, tiles.stride), last]
    return [(start, start + tiles.side) for start in starts]


def _resized(logits: Tensor, size: tuple[int, int]) -> Tensor:
    return functional.interpolate(logits, size=size, mode="bilinear", align_corners=False)


def segmenter(
    store: FrameStore,
    *,
    network: str,
    method: str,
    weights: Path,
    shortest_edge: int,
    longest_edge: int,
) -> FixedMethod:
    """Return the fixed method that segments a video with a published network.

    Args:
        store: frame store of the video.
        network: one of `SEGMENTERS`.
        method: id of the method.
        weights: published file of weights.
        shortest_edge: of the network's input, in pixels.
        longest_edge: upper limit of the input's longest edge, in pixels.

    Raises:
        InputError: the video's classes are not the 19 classes of Cityscapes in the order of their
            train ids, or the weights are those of another network.
    """
    if store.space.classes != CITYSCAPES:
        raise InputError(
            f"{store.path}: its classes are not the {len(CITYSCAPES)} of Cityscapes in the order "
            f"of their train ids, which '{network}' predicts; use a data set with these classes, "
            "such as KITTI-STEP, or another method"
        )
    chosen = SEGMENTERS[network]
    loaded = chosen.load(weights)
    edges = {"shortest_edge": shortest_edge, "longest_edge": longest_edge}
    tiles = chosen.tiles

    def predict(frame: np.ndarray) -> np.ndarray:
        return segment(loaded, frame, shortest_edge, longest_edge, tiles)

    return FixedMethod(
        "semantic",
        method,
        "classes",
        predict,
        loaded,
        settings={
            "segmenter": network,
            **edges,
            "tiles": None if tiles is None else dataclasses.asdict(tiles),
        },
        weights={"weights": sha256(weights)},
    )
