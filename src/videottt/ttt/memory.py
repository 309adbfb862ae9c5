"""Explicit memory (a sliding window) and implicit memory (carried-over weights), section 4.2."""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from videottt.data.transforms.resize import STRIDE
from videottt.data.transforms.update_views import random_crop, random_view
from videottt.settings.method import Method


class ExplicitMemory:
    """The sliding window: the last k frames, the current frame included (equation 2).

    A frame stays on the device where it was put, so that a GPU receives it once and not each time
    that a batch draws it.

    Args:
        window: size k of the window in frames, at least 1; None keeps all frames, so that memory
            use grows with the video.
    """

    def __init__(self, window: int | None) -> None:
        self._frames: deque[Tensor] = deque(maxlen=window)
        self._indices: deque[int] = deque(maxlen=window)

    def append(self, frame: Tensor, index: int) -> None:
        """Add the current frame; a full window drops its oldest frame.

        Args:
            frame: uint8 [H, W, 3].
            index: of the frame in its video.
        """
        self._frames.append(frame)
        self._indices.append(index)

    @property
    def indices(self) -> list[int]:
        """Return the video's indices of the frames in the window, the oldest first."""
        return list(self._indices)

    def __len__(self) -> int:
        return len(self._frames)

    def batch(self, indices: list[int]) -> list[Tensor]:
        """Return the frames at positions `indices` of the window, 0 = oldest: [H, W, 3] each."""
        return [self._frames[index] for index in indices]


class WholeVideo:
    """All frames of a video, in place of the window, for offline TTT (section 6.1).

    Frames are read when a batch draws them.

    Args:
        length: number of frames.
        read: returns frame `index`, uint8 [H, W, 3].
    """

    def __init__(self, length: int, read: Callable[[int], np.ndarray]) -> None:
        self._length = length
        self._read = read

    def __len__(self) -> int:
        return self._length

    @property
    def indices(self) -> list[int]:
        """Return an empty list: a saved state does not need the indices of a whole video."""
        return []

    def frame(self, index: int) -> np.ndarray:
        """Return a frame: uint8 [H, W, 3]."""
        return self._read(index)

    def batch(self, indices: list[int]) -> list[Tensor]:
        """Return the frames `indices`, on the CPU: uint8 [H, W, 3] each."""
        return [torch.from_numpy(self._read(index)) for index in indices]


def sample_indices(length: int, batch: int, sampling: str, generator: torch.Generator) -> list[int]:
    """Draw the frames of a batch from the window.

    Args:
        length: number of frames in the window.
        batch: number of frames to draw.
        sampling: "with_replacement" draws uniformly (paper section 4.2); "permutations"
            concatenates random permutations (the release), so that a batch of 32 from 16 frames
            contains each frame twice.
        generator: source of the random draws.

    Returns:
        `batch` positions in the window, 0..length - 1.
    """
    if sampling == "with_replacement":
        return torch.randint(length, (batch,), generator=generator).tolist()
    rounds = -(-batch // length)
    drawn = [torch.randperm(length, generator=generator) for _ in range(rounds)]
    return torch.cat(drawn)[:batch].tolist()


def shown_to_update(frame: Tensor, method: Method, draws: torch.Generator) -> Tensor:
    """Return what an update is shown of a frame: all of it, a random crop or a random view.

    Args:
        frame: uint8 [H, W, 3]; at the model's input size on any device, but with `method.views` at
            its own size on the CPU.
        method: its `crop` and `views`.
        draws: where random draws come from; the whole frame needs none.

    Returns:
        uint8 [h, w, 3] on the frame's device, h and w multiples of 32, padded with black.
    """
    if method.views is not None:
        return torch.from_numpy(random_view(frame.numpy(), method.views, draws))
    # A crop is a slice, of a tensor as of an array.
    cut: Any = random_crop
    shown: Tensor = frame if method.crop is None else cut(frame, method.crop, draws)
    below, right = -shown.shape[0] % STRIDE, -shown.shape[1] % STRIDE
    return torch.nn.functional.pad(shown, (0, 0, 0, right, 0, below)) if below or right else shown


class ImplicitMemory:
    """A copy of the initial weights f₀ and g₀ for resets; without a reset, weights carry over.

    Args:
        parameters: those that updates change, with their initial values.
    """

    def __init__(self, parameters: Sequence[Tensor]) -> None:
        self._initial = [parameter.detach().clone() for parameter in parameters]

    @torch.no_grad()
    def forget(self, parameters: Sequence[Tensor]) -> None:
        """Reset the parameters to their initial values, bit for bit."""
        if self._initial:
            torch._foreach_copy_(list(parameters), self._initial)
