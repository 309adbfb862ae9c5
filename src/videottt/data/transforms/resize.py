"""Resize frames as detectron2 does, and pad them to multiples of the encoder's stride."""

import numpy as np
from PIL import Image

# In pixels; the encoder halves the resolution five times.
STRIDE = 32

Size = tuple[int, int]


def frame_size(frame: np.ndarray) -> Size:
    """Return (H, W) of a frame [H, W, ...]."""
    return frame.shape[0], frame.shape[1]


def input_size(size: tuple[int, int], shortest_edge: int, longest_edge: int) -> tuple[int, int]:
    """Return (H, W) of a frame resized to a shortest edge, but no longer than a longest edge.

    The arithmetic follows detectron2's ResizeShortestEdge operation by operation, because some
    sizes lie so near a half that another order rounds them otherwise (60 x 248 pixels with the
    edges 800 and 1333, for example).
    """
    height, width = size
    scale = shortest_edge / min(height, width)
    if height < width:
        resized = float(shortest_edge), scale * width
    else:
        resized = scale * height, float(shortest_edge)
    if max(resized) > longest_edge:
        scale = longest_edge / max(resized)
        resized = resized[0] * scale, resized[1] * scale
    return int(resized[0] + 0.5), int(resized[1] + 0.5)


def resize_image(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize an image uint8 [H, W, 3] to `size` (H, W), as detectron2's ResizeTransform does.

    PIL's bilinear filter is antialiased: its support grows as an image shrinks. The "bilinear" of
    torch and OpenCV skips pixels instead. Every pixel is rounded to a byte, so resizing after
    normalisation would give other values.
    """
    if image.shape[:2] == size:
        return image
    resized = Image.fromarray(image).resize((size[1], size[0]), Image.Resampling.BILINEAR)
    return np.array(resized)


def scaled_size(size: Size, crop: Size, scale: float) -> Size:
    """Return (H, W) of an image resized to fit into `crop` times `scale`: ResizeScale.

    Each side is at least 1 pixel; detectron2 fails on smaller ones.
    """
    ratio = min(crop[0] * scale / size[0], crop[1] * scale / size[1])
    height, width = (max(1, int(np.round(edge * ratio))) for edge in size)
    return height, width
