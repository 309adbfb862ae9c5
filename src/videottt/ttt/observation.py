"""Prepare a frame for the model: remove the predicted quantity, resize and normalise."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from videottt.data.transforms.resize import frame_size, input_size, resize_image
from videottt.models.inputs import to_device, to_input
from videottt.settings.method import Method
from videottt.tasks.task import Task


@dataclass(frozen=True)
class Observation:
    """A frame of a video in the forms that prediction and updates need.

    Attributes:
        index: of the frame in its video, from 0.
        frame: the stored frame, RGB uint8 [H, W, 3]; only its observable part may be used.
        image: the observable part of the frame, resized, uint8 [h, w, 3].
        remembered: the image that the window keeps, uint8: see `remembered`. On the model's device,
            but on the CPU if updates draw random views of it.
        images: the model's input: `image` normalised and padded, float32 [1, 3, H', W'].
    """

    index: int
    frame: np.ndarray
    image: np.ndarray
    remembered: Tensor
    images: Tensor


def observe(
    frame: np.ndarray, index: int, task: Task, method: Method, device: torch.device
) -> Observation:
    """Prepare a frame for the model.

    Args:
        frame: RGB, uint8 [H, W, 3].
        index: of the frame in its video, from 0.
        task: removes the predicted quantity from the frame: for colorization, the colours.
        method: sets the size of the model's input.
        device: of the model.
    """
    full = _observable(frame, task)
    image = _resized(full, method)
    shown = to_device(torch.from_numpy(image), device)
    images = to_input(shown[None], device)
    return Observation(
        index, frame, image, torch.from_numpy(full) if method.views else shown, images
    )


def remembered(frame: np.ndarray, task: Task, method: Method) -> np.ndarray:
    """Return the image that updates learn from: a frame without the predicted quantity.

    Returns:
        uint8 [H, W, 3] at the frame's size if updates draw random views of frames, otherwise
        resized to the model's input, uint8 [h, w, 3].
    """
    full = _observable(frame, task)
    return full if method.views else _resized(full, method)


def _observable(frame: np.ndarray, task: Task) -> np.ndarray:
    return task.observable(torch.from_numpy(frame[None]))[0].numpy()


def _resized(full: np.ndarray, method: Method) -> np.ndarray:
    size = input_size(frame_size(full), method.shortest_edge, method.longest_edge)
    return resize_image(full, size)
