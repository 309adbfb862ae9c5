"""Fixed networks of others that segment frame by frame, as their authors test them (section 5.1).

The paper says neither at which size it showed them the frames of KITTI-STEP nor whether in tiles.
Here both see what Mask2Former sees, the frame resized to a shortest and a longest edge; 1024 and
2048 are also what their authors resize Cityscapes to. From there on each is tested as its authors
do: normalised alike, not padded, in their tiles or whole, with the logits resized to what the
network saw, then to the frame (mmsegmentation's encoder_decoder.py, which both of them use).
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
    """Overlapping squares of a frame that are segmented one by one, and averaged where they meet.

    Attributes:
        side: in pixels; of a smaller frame what there is.
        stride: from one to the next, in pixels; the last one is moved back into the frame.
    """

    side: int
    stride: int


@dataclass(frozen=True)
class Segmenter:
    """A network of others, and how its authors test it.

    Attributes:
        load: from its published file to the network in eval mode: from normalised images, float
            [B, 3, h, w], to logits of the classes of Cityscapes, float [B, 19, h', w'].
        tiles: that a frame is cut into; None = it is segmented whole.
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
        network: from images to logits, in eval mode.
        frame: RGB, uint8 [H, W, 3].
        shortest_edge: that it is resized to, in pixels.
        longest_edge: that it is at most resized to, in pixels.
        tiles: that it is then cut into; None = it is segmented whole.
    """
    device = next(network.parameters()).device
    image = resize_image(frame, input_size(frame.shape[:2], shortest_edge, longest_edge))
    logits = tiled(network, normalise(torch.from_numpy(image[None]).to(device)), tiles)
    return _resized(logits, frame.shape[:2]).argmax(dim=1)[0].to(torch.uint8).cpu().numpy()


def tiled(network: Callable[[Tensor], Tensor], images: Tensor, tiles: Tiles | None) -> Tensor:
    """Return logits of images at their own size, float [B, classes, h, w], mean over the tiles.

    Args:
        network: from images to logits of any size.
        images: float [B, 3, h, w].
        tiles: None = one, the whole.
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
    """Return the beginning and end of every tile along one edge of a frame, in pixels."""
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
    """Return the method that segments the frames of a video with a published network.

    Args:
        store: the video.
        network: one of `SEGMENTERS`.
        method: id of the method.
        weights: as its authors published them.
        shortest_edge: of a frame as the network sees it, in pixels.
        longest_edge: but no longer than this.

    Raises:
        InputError: the classes of the video are not the 19 train ids of Cityscapes in their order,
            or the weights are not those of the network.
    """
    if store.space.classes != CITYSCAPES:
        raise InputError(
            f"{store.path}: its classes are not the {len(CITYSCAPES)} of Cityscapes in the order "
            f"of their train ids, which '{network}' predicts; use a data set with those classes, "
            "as KITTI-STEP, or another method"
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
