"""Make drop path in transformers' Swin encoder behave as in the authors' model."""

import contextlib
import functools
from collections.abc import Iterator

from torch import Tensor, nn
from transformers.models.swin.modeling_swin import SwinDropPath, SwinLayer


def drop_path_on_feedforward(encoder: nn.Module) -> None:
    """Apply each Swin block's drop path to its feed-forward branch as well.

    transformers applies drop path to the attention branch only; Swin Transformer and the authors'
    model apply it to both branches.
    """
    for block in encoder.modules():
        if isinstance(block, SwinLayer) and not isinstance(block.drop_path, nn.Identity):
            # copy.deepcopy copies the drop path inside a partial; a lambda would keep the original.
            block.mlp.register_forward_hook(functools.partial(_dropped, block.drop_path))


def _dropped(drop_path: nn.Module, _mlp: nn.Module, _inputs: object, output: Tensor) -> Tensor:
    dropped: Tensor = drop_path(output)
    return dropped


@contextlib.contextmanager
def drop_path(encoder: nn.Module, on: bool) -> Iterator[None]:
    """Switch the encoder's drop path on or off inside the block; all else stays in eval mode."""
    modules = [module for module in encoder.modules() if isinstance(module, SwinDropPath)]
    for module in modules:
        module.train(on)
    try:
        yield
    finally:
        for module in modules:
            module.train(False)
