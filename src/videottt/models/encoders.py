"""Adapt the encoder f, a Swin Transformer of transformers, to what the authors' model does."""

import contextlib
import functools
from collections.abc import Iterator

from torch import Tensor, nn
from transformers.models.swin.modeling_swin import SwinDropPath, SwinLayer


def drop_path_on_feedforward(encoder: nn.Module) -> None:
    """Apply each Swin block's drop path to its feed-forward branch too.

    transformers drops only the attention branch; Swin, and the authors' model, drop both.
    """
    for block in encoder.modules():
        if isinstance(block, SwinLayer) and not isinstance(block.drop_path, nn.Identity):
            # A partial, because copy.deepcopy copies what a partial holds, but not a lambda's.
            block.mlp.register_forward_hook(functools.partial(_dropped, block.drop_path))


def _dropped(drop_path: nn.Module, _mlp: nn.Module, _inputs: object, output: Tensor) -> Tensor:
    dropped: Tensor = drop_path(output)
    return dropped


@contextlib.contextmanager
def drop_path(encoder: nn.Module, on: bool) -> Iterator[None]:
    """Switch the encoder's drop path on inside the block, and nothing else to training mode."""
    modules = [module for module in encoder.modules() if isinstance(module, SwinDropPath)]
    for module in modules:
        module.train(on)
    try:
        yield
    finally:
        for module in modules:
            module.train(False)
