"""Sketch long gradients as short vectors with the same inner products on average (CountSketch)."""

from collections.abc import Sequence

import torch
from torch import Tensor

from videottt.core.randomness import generator


class CountSketch:
    """A seeded random linear map from R^size to R^dimension.

    Every coordinate is added, with a random sign, to one random bucket (Charikar, Chen and
    Farach-Colton 2002). The inner product of the sketches of any a and b by the same map is
    unbiased, with a variance of at most (‖a‖²‖b‖² + ⟨a, b⟩²) / dimension. With a dimension of at
    least `size`, it is exact.

    Args:
        size: number of coordinates.
        dimension: length of a sketch.
        seed: of the buckets and the signs.
        device: of the vectors.
    """

    def __init__(self, size: int, dimension: int, seed: int, device: torch.device) -> None:
        self.size = size
        self.dimension = dimension
        draws = generator("theory", seed, "sketch")
        exact = dimension >= size
        buckets = (
            torch.arange(size) if exact else torch.randint(dimension, (size,), generator=draws)
        )
        signs = torch.ones(size) if exact else torch.randint(2, (size,), generator=draws) * 2.0 - 1
        self._buckets = buckets.to(device)
        self._signs = signs.to(device)

    def __call__(self, tensors: Sequence[Tensor]) -> Tensor:
        """Return the sketch of concatenated tensors: float64 [dimension], on the CPU."""
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors]) * self._signs
        result = torch.zeros(self.dimension, dtype=torch.float64, device=flat.device)
        return result.index_add_(0, self._buckets, flat.double()).cpu()
