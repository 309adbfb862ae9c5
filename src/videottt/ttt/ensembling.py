"""Combine predictions over time and over augmented copies of a frame (paper section 5.1).

Temporal smoothing and the majority vote with augmentation leave the model unchanged; both work with
any method, fixed models and online TTT alike.
"""

from collections import deque
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from videottt.core.randomness import numpy_generator
from videottt.core.segments import VOID
from videottt.data.transforms.recipe import draw_view
from videottt.data.transforms.view import apply_view, invert_view
from videottt.settings.augmentation import Augmentation

# Augmented copies in one forward pass; another number changes predictions by rounding only.
AT_ONCE = 8


class TemporalSmoothing:
    """Average the scores of the last frames, the current frame included.

    Args:
        frames: length of the sliding window, at least 1; 1 does not smooth.
    """

    def __init__(self, frames: int) -> None:
        self._scores: deque[Tensor] = deque(maxlen=frames)

    def __call__(self, scores: Tensor) -> Tensor:
        """Add the scores of the current frame, float [classes, H, W]; return the average."""
        self._scores.append(scores)
        return torch.stack(list(self._scores)).mean(dim=0)

    def state(self) -> list[Tensor]:
        """Return the scores in the sliding window, the oldest first."""
        return list(self._scores)

    def restore(self, state: list[Tensor]) -> None:
        """Restore the scores in the sliding window."""
        self._scores.extend(state)


def majority_vote(
    frame: np.ndarray,
    plain: np.ndarray,
    predict: Callable[[np.ndarray], Sequence[np.ndarray]],
    classes: int,
    recipe: Augmentation,
    votes: int,
    key: tuple[str | int, ...],
) -> Tensor:
    """Return each class's share of the votes at each pixel: float32 [classes, H, W], 0..1.

    One vote is the prediction of the frame itself. The other votes are predictions of copies of the
    frame, augmented by the recipe of joint training; each prediction is mapped back to the frame
    and votes on the pixels that the copy shows. Of classes with equal shares, the class with the
    lowest index is predicted.

    Args:
        frame: RGB, uint8 [H, W, 3].
        plain: prediction of the frame itself, uint8 [H, W].
        predict: returns a prediction, uint8 [h, w], for each image of uint8 [B, h, w, 3].
        classes: number of classes.
        recipe: augmentation of the copies.
        votes: number of votes, the frame itself included; 100 in the paper.
        key: key of the random draws.
    """
    size = frame.shape[:2]
    counts = np.zeros((classes, *size), np.int32)
    _count(counts, plain)
    views = [
        draw_view(size, recipe, numpy_generator(*key, "vote", vote)) for vote in range(1, votes)
    ]
    for start in range(0, len(views), AT_ONCE):
        batch = views[start : start + AT_ONCE]
        predictions = predict(np.stack([apply_view(frame, view) for view in batch]))
        for view, prediction in zip(batch, predictions, strict=True):
            _count(counts, invert_view(prediction, view, size))
    return torch.from_numpy(counts / counts.sum(axis=0)).float()


def _count(counts: np.ndarray, labels: np.ndarray) -> None:
    """Add one vote for each pixel's class; void pixels do not vote."""
    rows, columns = np.nonzero(labels != VOID)
    counts[labels[rows, columns], rows, columns] += 1
