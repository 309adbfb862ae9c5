"""Keep constants that depend on sizes and devices alone: window layouts, positions, grids."""

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

import torch

Arguments = ParamSpec("Arguments")
Value = TypeVar("Value")

# Sizes of frames, stages and batches that one process meets; older constants are dropped.
LARGEST = 128


def computed_once(function: Callable[Arguments, Value]) -> Callable[Arguments, Value]:
    """Return `function` with a cache: a constant is computed once for each of its arguments.

    Args:
        function: pure, with hashable arguments; its tensors must not be changed.
    """

    # A tensor made in inference mode could not be used in a training step later.
    @functools.lru_cache(LARGEST)
    @torch.inference_mode(False)
    @torch.no_grad()
    def compute(*arguments: Arguments.args, **named: Arguments.kwargs) -> Value:
        return function(*arguments, **named)

    return cast("Callable[Arguments, Value]", functools.wraps(function)(compute))
