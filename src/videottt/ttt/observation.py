"""Turn a frame into what a model observes of it: without what is to be predicted, and resized."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from videottt.data.transforms.resize import frame_size, input_size, resize_image
from videottt.models.inputs import to_input
from videottt.tasks.task import Task
from videottt.ttt.method import Method


@dataclass(frozen=True)
class Observation:
    """One frame of a video, as it is stored and as a model observes it.

    Attributes:
        index: of the frame in its video, from 0.
        frame: uint8 [H, W, 3], RGB, as it is stored; no more of it may be used than is observed.
        image: uint8 [h, w, 3], what is observed of it, resized. Nothing else reaches the model.
        remembered: uint8, what the window keeps of it; see `remembered`.
        images: float [1, 3, H', W'], the image as the model takes it: normalised and padded.
    """

    index: int
    frame: np.ndarray
    image: np.ndarray
    remembered: np.ndarray
    images: Tensor


def observe(
    frame: np.ndarray, index: int, task: Task, method: Method, device: torch.device
) -> Observation:
    """Return what a model observes of a frame.

    Args:
        frame: uint8 [H, W, 3], RGB.
        index: of the frame in its video, from 0.
        task: hides from the model what is to be predicted.
        method: its input size.
        device: of the model.
    """
    full = _observable(frame, task)
    image = _resized(full, method)
    images = to_input(torch.from_numpy(image[None]), device)
    return Observation(index, frame, image, full if method.views else image, images)


def remembered(frame: np.ndarray, task: Task, method: Method) -> np.ndarray:
    """Return what updates learn from: what is observed of a frame, uint8.

    At the frame's own size, [H, W, 3], where updates draw views of it, else resized, [h, w, 3].
    """
    full = _observable(frame, task)
    return full if method.views else _resized(full, method)


def _observable(frame: np.ndarray, task: Task) -> np.ndarray:
    return task.observable(torch.from_numpy(frame[None]))[0].numpy()


def _resized(full: np.ndarray, method: Method) -> np.ndarray:
    size = input_size(frame_size(full), method.shortest_edge, method.longest_edge)
    return resize_image(full, size)
