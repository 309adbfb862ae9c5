"""LN Adapt: accumulate the statistics of the layer norms over frames (paper appendix A.2).

Batch norm stores one mean and variance per channel, measured on the training data; Schneider et al.
(NeurIPS 2020) and Volpi et al. (CVPR 2022) replace them by those of the test data, accumulated with
a forward pass on each frame. Layer norm stores nothing: each token is normalised by the mean and
variance over its own channels. The paper does not define the statistics of a layer norm. The
definition here:

    The statistics of a layer norm are the mean and the variance over channels that it computes for
    each token. Accumulated statistics are averages over frames, either for each position (a token
    of the encoder, a query of the head) or for all positions of the layer together.

The head applies its last layer norm after every decoder layer; the statistics of this norm are also
averages over the decoder layers. When a frame is predicted, each token is normalised by a mixture
of its own and the accumulated statistics, as Schneider et al. mix source and test statistics:
(1 - weight) · own + weight · accumulated. Weight 0 gives the fixed model. No trainable parameter
changes.

Weight 1 discards a token's own statistics altogether, and is nearest to what appendix A.2 says; a
small weight is nearly the fixed model by construction. The weight is selected on validation videos.
"""

from typing import Literal

import torch
from torch import Tensor, nn

from videottt.core.annotations import Fraction
from videottt.core.errors import InputError
from videottt.core.settings import settings
from videottt.models.y_shaped import YShapedModel
from videottt.ttt.objectives.objective import Objective

# One layer's number of accumulated frames, means and variances; None before the first frame.
LayerStatistics = tuple[int, Tensor | None, Tensor | None]


class AccumulatingLayerNorm(nn.LayerNorm):
    """A layer norm that can accumulate its statistics and mix them into its normalisation.

    Accumulated means and variances have the shape [..., 1] of the layer's own statistics, or are
    0-dimensional for the scope "layer".

    Args:
        replaced: layer norm whose parameters are taken over.
        scope: "position" or "layer".
        weight: of the accumulated statistics, 0..1.

    Attributes:
        observing: whether a forward pass accumulates statistics and normalises as `replaced` does.
    """

    def __init__(self, replaced: nn.LayerNorm, scope: str, weight: float) -> None:
        super().__init__(replaced.normalized_shape, replaced.eps, elementwise_affine=False)
        self.weight, self.bias = replaced.weight, replaced.bias
        self._scope = scope
        self._share = weight
        self.observing = False
        self.forget()

    def forget(self) -> None:
        """Drop all statistics, so that the layer normalises as the layer norm it replaced."""
        self._count = 0
        self._mean: Tensor | None = None
        self._variance: Tensor | None = None

    @property
    def statistics(self) -> LayerStatistics:
        """Return the accumulated statistics."""
        return self._count, self._mean, self._variance

    @statistics.setter
    def statistics(self, saved: LayerStatistics) -> None:
        self._count, *moments = saved
        self._mean, self._variance = (m if m is None else m.to(self.weight.device) for m in moments)

    def forward(self, tokens: Tensor) -> Tensor:
        """Normalise tokens, float [..., channels].

        Raises:
            InputError: statistics of each position were accumulated on frames of another size.
        """
        if self.observing:
            self._accumulate(*self._statistics(tokens))
        if self.observing or self._mean is None or self._variance is None:
            return super().forward(tokens)
        mean, variance = self._statistics(tokens)
        if self._scope == "position" and self._mean.shape != mean.shape:
            raise InputError(
                "objective 'layer_norm': the scope 'position' needs frames of one size, one at a "
                "time; use the scope 'layer'"
            )
        mean = torch.lerp(mean, self._mean.expand_as(mean), self._share)
        variance = torch.lerp(variance, self._variance.expand_as(variance), self._share)
        return (tokens - mean) * torch.rsqrt(variance + self.eps) * self.weight + self.bias

    def _statistics(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        over = tuple(range(-len(self.normalized_shape), 0))
        variance, mean = torch.var_mean(tokens, dim=over, correction=0, keepdim=True)
        return mean, variance

    def _accumulate(self, mean: Tensor, variance: Tensor) -> None:
        if self._scope == "layer":
            mean, variance = mean.mean(), variance.mean()
        self._count += 1
        if self._mean is None or self._variance is None:
            self._mean, self._variance = mean, variance
        else:
            self._mean = torch.lerp(self._mean, mean, 1 / self._count)
            self._variance = torch.lerp(self._variance, variance, 1 / self._count)


@settings
class LayerNormAdaptation(Objective, name="layer_norm"):
    """Accumulate layer norm statistics in the encoder f and the head h; train no parameter.

    Attributes:
        weight: weight of the accumulated statistics in the normalisation of a token, 0..1; 0 gives
            the fixed model. Appendix A.2 gives no value; the mixture follows Schneider et al.
        scope: tokens that share accumulated statistics: "position" (one token of the encoder or
            query of the head in all frames) or "layer" (all tokens). Appendix A.2 does not say.
    """

    weight: Fraction = 0.1
    scope: Literal["position", "layer"] = "position"

    def prepare(self, model: YShapedModel) -> None:
        """Replace every layer norm of f and h by an `AccumulatingLayerNorm`.

        Raises:
            InputError: f and h have no layer norm.
        """
        if not accumulate_statistics(model, self.scope, self.weight):
            raise InputError(
                "objective 'layer_norm': the model has no LayerNorm; use another objective"
            )

    def trainable(self, model: YShapedModel) -> list[torch.nn.Parameter]:
        """Return an empty list: no parameter is updated."""
        return []

    def loss(self, model: YShapedModel, images: Tensor, generator: torch.Generator) -> Tensor:
        """Return 0; the stream loop never calls this, because nothing is trainable."""
        return torch.zeros(())

    def observe(self, model: YShapedModel, image: Tensor) -> None:
        """Accumulate the statistics of a frame in a forward pass of the fixed model."""
        observe_statistics(model, image)

    def forget(self, model: YShapedModel) -> None:
        """Drop all accumulated statistics."""
        forget_statistics(model)

    def state(self, model: YShapedModel) -> list[LayerStatistics]:
        """Return the accumulated statistics of every layer."""
        return statistics_of(model)

    def restore(self, model: YShapedModel, state: list[LayerStatistics]) -> None:
        """Restore the accumulated statistics of every layer."""
        restore_statistics(model, state)


def accumulate_statistics(model: YShapedModel, scope: str, weight: float) -> int:
    """Replace every layer norm of f and h by an `AccumulatingLayerNorm`; return their number."""
    places = [
        (parent, name, child)
        for branch in (model.encoder, model.head)
        for parent in branch.modules()
        for name, child in parent.named_children()
        if isinstance(child, nn.LayerNorm)
    ]
    for parent, name, child in places:
        setattr(parent, name, AccumulatingLayerNorm(child, scope, weight))
    return len(places)


@torch.no_grad()  # not inference_mode, because Tent's updates read what is accumulated
def observe_statistics(model: YShapedModel, image: Tensor) -> None:
    """Accumulate the statistics of a frame, float [1, 3, H, W], in a forward pass.

    While it accumulates, every layer norm normalises as the one that it replaced.
    """
    layers = _layers(model)
    for layer in layers:
        layer.observing = True
    try:
        model.predict_final(image)
    finally:
        for layer in layers:
            layer.observing = False


def forget_statistics(model: YShapedModel) -> None:
    """Drop the accumulated statistics of every layer."""
    for layer in _layers(model):
        layer.forget()


def statistics_of(model: YShapedModel) -> list[LayerStatistics]:
    """Return the accumulated statistics of every layer."""
    return [layer.statistics for layer in _layers(model)]


def restore_statistics(model: YShapedModel, saved: list[LayerStatistics]) -> None:
    """Restore the accumulated statistics of every layer."""
    for layer, statistics in zip(_layers(model), saved, strict=True):
        layer.statistics = statistics


def _layers(model: YShapedModel) -> list[AccumulatingLayerNorm]:
    return [module for module in model.modules() if isinstance(module, AccumulatingLayerNorm)]
