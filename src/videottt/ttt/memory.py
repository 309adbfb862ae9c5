"""The two memories of the paper's section 4.2: a sliding window, and weights that carry over."""

from collections import deque
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor


class ExplicitMemory:
    """The last k frames, the current one included, as uint8; k = None keeps every frame.

    With a finite k memory use does not grow with the video's length.
    """

    def __init__(self, window: int | None) -> None:
        self._frames: deque[np.ndarray] = deque(maxlen=window)
        self._indices: deque[int] = deque(maxlen=window)

    def append(self, frame: np.ndarray, index: int) -> None:
        """Add the current frame, uint8 [H, W, 3], number `index`; a full window forgets one."""
        self._frames.append(frame)
        self._indices.append(index)

    @property
    def indices(self) -> list[int]:
        """Return which frames of the video are remembered, the oldest first."""
        return list(self._indices)

    def __len__(self) -> int:
        return len(self._frames)

    def batch(self, indices: list[int]) -> np.ndarray:
        """Return the frames at positions `indices` (0 = oldest): uint8 [B, H, W, 3]."""
        return np.stack([self._frames[index] for index in indices])


class WholeVideo:
    """All frames of a video as one memory, read when they are drawn (offline, section 6.1).

    Args:
        length: frames of the video.
        read: returns frame `index` as uint8 [H, W, 3].
    """

    def __init__(self, length: int, read: Callable[[int], np.ndarray]) -> None:
        self._length = length
        self._read = read

    def __len__(self) -> int:
        return self._length

    @property
    def indices(self) -> list[int]:
        """Return nothing: the frames are remembered by the video itself."""
        return []

    def batch(self, indices: list[int]) -> np.ndarray:
        """Return the frames `indices`: uint8 [B, H, W, 3]."""
        return np.stack([self._read(index) for index in indices])


def sample_indices(length: int, batch: int, sampling: str, generator: torch.Generator) -> list[int]:
    """Draw the positions in the window of one batch.

    Args:
        length: frames in the window.
        batch: positions to draw.
        sampling: "with_replacement" draws uniformly (the paper, section 4.2); "permutations"
            concatenates random permutations, so that 32 of 16 holds each frame twice (the release).
        generator: where the draws come from.
    """
    if sampling == "with_replacement":
        return torch.randint(length, (batch,), generator=generator).tolist()
    rounds = -(-batch // length)
    drawn = [torch.randperm(length, generator=generator) for _ in range(rounds)]
    return torch.cat(drawn)[:batch].tolist()


class ImplicitMemory:
    """The weights as joint training left them, kept to go back to on a reset."""

    def __init__(self, parameters: Sequence[Tensor]) -> None:
        self._initial = [parameter.detach().clone() for parameter in parameters]

    @torch.no_grad()
    def forget(self, parameters: Sequence[Tensor]) -> None:
        """Set the parameters back to their initial values, bit for bit."""
        for parameter, initial in zip(parameters, self._initial, strict=True):
            parameter.copy_(initial)
