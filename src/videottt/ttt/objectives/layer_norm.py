"""LN Adapt: accumulate the statistics of the layer norms over frames (paper appendix A.2).

Batch norm stores one mean and variance per channel, measured on the training data; Schneider et al.
(NeurIPS 2020) and Volpi et al. (CVPR 2022) replace them by those of the test data, accumulated with
a forward pass on each frame. Layer norm stores nothing: each token is normalised by the mean and
variance over its own channels. So "statistics of a layer norm" has to be given a meaning, and the
paper does not say which. Here it is this:

    the statistics of a layer norm are the mean and the variance over channels that it computes;
    accumulated, they are averages of these over frames, either of each position (a token of the
    encoder, a query of the head) or of all positions of the layer together.

The head's last layer norm follows every layer of its decoder: its statistics are averages over
these too. When a frame is predicted, each token is normalised by a mixture of its own statistics
and the accumulated ones, as Schneider et al. mix source and test statistics: (1 - weight) · own +
weight · accumulated. With weight 0 it is the fixed model; nothing with a gradient changes.

What was tried, on CamVid's dusk sequence with the tiny model and seed 0 (mIoU 21.35 without): each
position with weight 0.03 (21.34) and 0.3 (21.12), the whole layer with 0.03 (21.39) and 0.3
(20.72). Nothing helped, as in the paper. Replacing a token's own statistics altogether (weight 1)
is a different model, and was not tried.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from videottt.core.errors import InputError, nearest
from videottt.models.y_shaped import YShapedModel
from videottt.ttt.objectives.objective import Objective

SCOPES = ("position", "layer")
# Of one layer: the number of frames accumulated, and the means and variances, None before any.
LayerStatistics = tuple[int, Tensor | None, Tensor | None]


class AccumulatingLayerNorm(nn.LayerNorm):
    """A layer norm that can also remember its statistics, and use what it remembers.

    Takes over the parameters of the layer norm that it replaces. Accumulated means and variances
    are [..., 1] as the layer computes them, or 0-dimensional for scope "layer".
    """

    def __init__(self, replaced: nn.LayerNorm, scope: str, weight: float) -> None:
        super().__init__(replaced.normalized_shape, replaced.eps, elementwise_affine=False)
        self.weight, self.bias = replaced.weight, replaced.bias
        self._scope = scope
        self._share = weight
        self.observing = False
        self.forget()

    def forget(self) -> None:
        """Be the layer norm that was replaced again."""
        self._count = 0
        self._mean: Tensor | None = None
        self._variance: Tensor | None = None

    @property
    def statistics(self) -> LayerStatistics:
        """Return what is accumulated."""
        return self._count, self._mean, self._variance

    @statistics.setter
    def statistics(self, saved: LayerStatistics) -> None:
        self._count, *moments = saved
        self._mean, self._variance = (m if m is None else m.to(self.weight.device) for m in moments)

    def forward(self, tokens: Tensor) -> Tensor:
        """Normalise tokens [..., channels]."""
        if self.observing:
            self._accumulate(*self._statistics(tokens))
        if self.observing or self._mean is None or self._variance is None:
            return super().forward(tokens)
        mean, variance = self._statistics(tokens)
        if self._scope == "position" and self._mean.shape != mean.shape:
            raise InputError(
                "objective 'layer_norm': statistics of each position need frames of one size, one "
                "at a time; use the scope 'layer'"
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


@dataclass(frozen=True)
class LayerNormAdaptation(Objective, name="layer_norm"):
    """Accumulated layer norm statistics in the encoder f and the head h; trains no parameter.

    Attributes:
        weight: of the accumulated statistics when a frame is predicted, 0..1.
        scope: over which tokens they are averaged: "position" or "layer".
    """

    weight: float = 0.1
    scope: str = "position"

    def __post_init__(self) -> None:
        """Check the options."""
        if not 0 <= self.weight <= 1:
            raise InputError(
                f"objective 'layer_norm': weight is {self.weight}, but must be between 0 and 1"
            )
        if self.scope not in SCOPES:
            raise InputError(
                f"objective 'layer_norm': scope is '{self.scope}'; {nearest(self.scope, SCOPES)}"
            )

    def prepare(self, model: YShapedModel) -> None:
        """Replace every layer norm of f and h by one that can accumulate, with its parameters.

        Raises:
            InputError: there is none.
        """
        places = [
            (parent, name, child)
            for branch in (model.encoder, model.head)
            for parent in branch.modules()
            for name, child in parent.named_children()
            if isinstance(child, nn.LayerNorm)
        ]
        if not places:
            raise InputError("objective 'layer_norm': the model has no LayerNorm; use another one")
        for parent, name, child in places:
            setattr(parent, name, AccumulatingLayerNorm(child, self.scope, self.weight))

    def trainable(self, model: YShapedModel) -> list[torch.nn.Parameter]:
        """Return no parameter."""
        return []

    def loss(self, model: YShapedModel, images: Tensor, generator: torch.Generator) -> Tensor:
        """Return 0; the stream loop does not ask, because nothing is trainable."""
        return torch.zeros(())

    @torch.inference_mode()
    def observe(self, model: YShapedModel, image: Tensor) -> None:
        """Accumulate the statistics of one frame, each layer seeing it as the fixed model does."""
        layers = _layers(model)
        for layer in layers:
            layer.observing = True
        try:
            model.predict(image)
        finally:
            for layer in layers:
                layer.observing = False

    def forget(self, model: YShapedModel) -> None:
        """Drop all accumulated statistics."""
        for layer in _layers(model):
            layer.forget()

    def state(self, model: YShapedModel) -> list[LayerStatistics]:
        """Return the accumulated statistics of every layer."""
        return [layer.statistics for layer in _layers(model)]

    def restore(self, model: YShapedModel, state: list[LayerStatistics]) -> None:
        """Go on from saved statistics."""
        for layer, statistics in zip(_layers(model), state, strict=True):
            layer.statistics = statistics


def _layers(model: YShapedModel) -> list[AccumulatingLayerNorm]:
    return [module for module in model.modules() if isinstance(module, AccumulatingLayerNorm)]
