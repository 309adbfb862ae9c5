"""Several predictions for one frame: over time, and over augmentations (paper section 5.1).

Neither changes the model; both work on any method, on fixed models and on top of online TTT.
"""

from collections import deque
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from videottt.core.randomness import numpy_generator
from videottt.core.segments import VOID
from videottt.data.transforms.recipe import Augmentation, draw_view
from videottt.data.transforms.view import apply_view, invert_view

# Augmented copies that go through the model at a time; changes no prediction by more than rounding.
AT_ONCE = 8


class TemporalSmoothing:
    """The average of the scores of the last frames, the current one included.

    Args:
        frames: length of the window, at least 1.
    """

    def __init__(self, frames: int) -> None:
        self._scores: deque[Tensor] = deque(maxlen=frames)

    def __call__(self, scores: Tensor) -> Tensor:
        """Add scores of the current frame, float [classes, H, W], and return the average."""
        self._scores.append(scores)
        return torch.stack(list(self._scores)).mean(dim=0)

    def state(self) -> list[Tensor]:
        """Return the scores that the next average is of."""
        return list(self._scores)

    def restore(self, state: list[Tensor]) -> None:
        """Go on from saved scores."""
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
    """Return each class's share of the votes of each pixel: float32 [classes, H, W].

    One vote is the prediction of the frame itself; the others are predictions of augmented copies,
    made by the recipe of joint training and carried back to the frame. A copy votes on the pixels
    that it shows. Of classes with equal shares, the one with the lowest index is predicted.

    Args:
        frame: uint8 [H, W, 3].
        plain: the prediction of the frame itself, uint8 [H, W].
        predict: returns predictions uint8 [h, w] of images uint8 [B, h, w, 3].
        classes: their number.
        recipe: of the augmentation.
        votes: predictions in all.
        key: what random draws are keyed by.
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
    """Add one vote for the class of each pixel that is not void."""
    rows, columns = np.nonzero(labels != VOID)
    counts[labels[rows, columns], rows, columns] += 1
