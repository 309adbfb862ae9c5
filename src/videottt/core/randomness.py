"""Draw random numbers from generators that are seeded by a key, never by earlier draws.

Every generator is seeded from a hash of its key, for example ``(stage, seed, dataset, video, frame,
step)``. The stage, such as "stream" or the id of a checkpoint that is trained, keeps two stages
from the same draws. A draw therefore depends on its place in the video and not on earlier draws, so
a resumed run equals an uninterrupted one. Generators live on the CPU, whatever the model's device
is.
"""

import contextlib
import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


# A key: a stage, a seed, ids, and the numbers of frame and iteration, in this order.
DrawKey = tuple[str | int, ...]


def seed_of(*key: str | int) -> int:
    """Return a 63-bit seed that depends on every part of `key` and on their order."""
    text = "\x1f".join(f"{type(part).__name__}:{part}" for part in key)
    # As a frame store has the name of a video, some bytes of which may be no text.
    content = text.encode(errors="backslashreplace")
    return int.from_bytes(hashlib.sha256(content).digest()[:8], "big") >> 1


def generator(*key: str | int) -> "torch.Generator":
    """Return a torch generator on the CPU, seeded from `key`."""
    # Here, because what renders frames draws with numpy alone.
    import torch

    return torch.Generator().manual_seed(seed_of(*key))


def numpy_generator(*key: str | int) -> np.random.Generator:
    """Return a numpy generator seeded from `key`."""
    return np.random.Generator(np.random.PCG64(seed_of(*key)))


@contextlib.contextmanager
def global_draws(*key: str | int) -> Iterator[None]:
    """Seed torch's global generators from `key` inside the block, and restore them after it.

    For library code that takes no generator: weight initialisation, drop path, the point sampling
    of Mask2Former's loss.
    """
    import torch

    # This process computes on one GPU only; other GPUs keep their generators.
    initialized = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    devices = [torch.cuda.current_device()] if initialized else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed_of(*key))
        yield
