"""LN Adapt: accumulate the statistics of the norms over frames (paper appendix A.2).

Schneider et al. (NeurIPS 2020) and Volpi et al. (CVPR 2022) replace the statistics of batch norms
by those of the test data, accumulated with a forward pass on each frame. The paper's encoder has
layer norms instead, and the paper does not define their statistics;
`videottt.ttt.objectives.norm_statistics` does. An encoder with batch norms is adapted exactly as
Schneider et al. do.

Of layer norms, weight 1 discards a token's own statistics altogether, and is nearest to what
appendix A.2 says; a small weight is nearly the fixed model by construction. The weight is selected
on validation videos.
"""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn

from videottt.core.annotations import Fraction
from videottt.core.errors import InputError
from videottt.core.settings import settings
from videottt.models.y_shaped import YShapedModel
from videottt.ttt.objectives.norm_statistics import (
    AccumulatingBatchNorm,
    AccumulatingLayerNorm,
    AccumulatingNorm,
    Statistics,
)
from videottt.ttt.objectives.objective import Objective


class NormStatistics:
    """The part of an objective that learns statistics of norms by forward passes.

    A base class next to `Objective`; `prepare` is to call `accumulate_statistics`.
    """

    def observe(self, model: YShapedModel, image: Tensor) -> None:
        """Accumulate the statistics of a frame, float [1, 3, H, W], in a forward pass.

        While they accumulate, layer norms normalise as the ones that they replaced, and batch norms
        by a mixture to which the frame belongs.
        """
        norms = _accumulating(model)
        if not norms:
            return
        for norm in norms:
            norm.observing = True
        try:
            with torch.no_grad():  # not inference_mode: Tent's updates read what is accumulated
                model.predict_final(image)
        finally:
            for norm in norms:
                norm.observing = False

    def forget(self, model: YShapedModel) -> None:
        """Drop all accumulated statistics."""
        for norm in _accumulating(model):
            norm.forget()

    def state(self, model: YShapedModel) -> list[Statistics]:
        """Return the accumulated statistics of every norm."""
        return [norm.statistics for norm in _accumulating(model)]

    def restore(self, model: YShapedModel, state: list[Statistics]) -> None:
        """Restore the accumulated statistics of every norm, on the device of the model."""
        device = next(model.parameters()).device
        for norm, (count, *moments) in zip(_accumulating(model), state, strict=True):
            mean, variance = (None if each is None else each.to(device) for each in moments)
            norm.statistics = (count, mean, variance)


@settings
class LayerNormAdaptation(NormStatistics, Objective, name="layer_norm"):
    """Accumulate the statistics of norms in the encoder f and the head h; train no parameter.

    Attributes:
        weight: weight of the accumulated statistics in the normalisation of a token, 0..1; 0 gives
            the fixed model. Appendix A.2 gives no value; the mixture follows Schneider et al.
        scope: tokens that share accumulated statistics: "position" (one token of the encoder or
            query of the head in all frames) or "layer" (all tokens). Appendix A.2 does not say. It
            has no meaning for batch norms, whose statistics are of a channel at all positions.
    """

    weight: Fraction = 0.1
    scope: Literal["position", "layer"] = "position"

    def prepare(self, model: YShapedModel) -> None:
        """Let the batch norms of f accumulate statistics; without any, the layer norms.

        Raises:
            InputError: f has neither.
        """
        if not accumulate_statistics(model, self.scope, self.weight):
            raise InputError(
                "objective 'layer_norm': the encoder has no BatchNorm and no LayerNorm; use "
                "another objective"
            )

    def trainable(self, model: YShapedModel) -> list[torch.nn.Parameter]:
        """Return an empty list: no parameter is updated."""
        return []

    def loss(self, model: YShapedModel, images: Tensor, generator: torch.Generator) -> Tensor:
        """Return 0; the stream loop never calls this, because nothing is trainable."""
        return torch.zeros(())


def accumulate_statistics(model: YShapedModel, scope: str, weight: float) -> int:
    """Let the batch norms of f accumulate; if it has none, the layer norms of f and h.

    Args:
        model: its norms are replaced; those of an earlier call are replaced anew.
        scope: of layer norms, "position" or "layer".
        weight: of the accumulated statistics, 0..1.

    Returns:
        the number of norms of f that accumulate.
    """

    def batch_norm(norm: nn.Module) -> nn.Module | None:
        # Without running statistics a batch norm normalises by those of its input, always.
        if isinstance(norm, nn.BatchNorm2d) and norm.running_mean is not None:
            return AccumulatingBatchNorm(norm, weight)
        return None

    def layer_norm(norm: nn.Module) -> nn.Module | None:
        if isinstance(norm, nn.LayerNorm):
            return AccumulatingLayerNorm(norm, scope, weight)
        return None

    _replace(model.encoder, _restored)
    of_encoder = _replace(model.encoder, batch_norm)
    if not of_encoder:
        of_encoder = _replace(model.encoder, layer_norm)
        _replace(model.head, layer_norm)
    return of_encoder


def _restored(norm: nn.Module) -> nn.Module | None:
    """Return the batch norm that an earlier stream replaced, with its training statistics."""
    if not isinstance(norm, AccumulatingBatchNorm):
        return None
    norm.forget()
    return norm.replaced


def _replace(branch: nn.Module, replacement: Callable[[nn.Module], nn.Module | None]) -> int:
    """Replace all modules for which there is a replacement; return their number."""
    places = [
        (parent, name, child)
        for parent in branch.modules()
        for name, child in parent.named_children()
    ]
    # One replacement of a module, although it may have several places.
    replacements = {child: replacement(child) for _, _, child in places}
    for parent, name, child in places:
        if replacements[child] is not None:
            setattr(parent, name, replacements[child])
    return sum(each is not None for each in replacements.values())


def _accumulating(model: YShapedModel) -> list[AccumulatingNorm]:
    return [module for module in model.modules() if isinstance(module, AccumulatingNorm)]
