"""Define norms that accumulate statistics over the frames of a stream, for LN Adapt and Tent.

Which norms do so depends on the encoder f:

Batch norms: a batch norm stores one mean and variance per channel, measured on the training data.
If f has batch norms, theirs are mixed with those of the test data, exactly as Schneider et al.
(NeurIPS 2020) do: (1 - weight) · training + weight · test. The test statistics are pooled over all
positions of all frames so far. All other norms are left alone, also the layer norms of the head h.

Layer norms: otherwise those of f and h accumulate. A layer norm stores nothing: each token is
normalised by the mean and variance over its own channels. The definition here:

    The statistics of a layer norm are the mean and the variance over channels that it computes for
    each token. Accumulated statistics are averages over frames, either for each position (a token
    of the encoder, a query of the head) or for all positions of the layer together.

The head applies its last layer norm after every decoder layer; the statistics of this norm are also
averages over the decoder layers. When a frame is predicted, each token is normalised by a mixture
of its own and the accumulated statistics: (1 - weight) · own + weight · accumulated.

Layer norms of maps: those of timm's convolutional backbones take maps with channels first. A
position of the map is a token.

Weight 0 gives the fixed model in all cases. No trainable parameter changes.
"""

import sys

import torch
from torch import Tensor, nn

from videottt.core.errors import InputError

# A norm's number of accumulated frames, means and variances; None before the first frame.
Statistics = tuple[int, Tensor | None, Tensor | None]
# Layer norms of timm that take maps with channels first.
CHANNELS_FIRST = ("LayerNorm2d", "LayerNorm2dFp32", "LayerNormAct2d", "LayerNormAct2dFp32")


class AccumulatingNorm(nn.Module):
    """What batch norms and layer norms that accumulate statistics have in common.

    Attributes:
        observing: whether a forward pass accumulates statistics.
    """

    _mean: Tensor | None
    _variance: Tensor | None

    def _begin(self, weight: float) -> None:
        """Begin without statistics; `weight` is that of the accumulated ones, 0..1."""
        self.observing = False
        self._share = weight
        # Buffers, so that they move with the model; a checkpoint has no place for them.
        self.register_buffer("_mean", None, persistent=False)
        self.register_buffer("_variance", None, persistent=False)
        self.forget()

    def forget(self) -> None:
        """Drop all statistics, so that the layer normalises as the norm that it replaced."""
        self.statistics = (0, None, None)

    @property
    def statistics(self) -> Statistics:
        """Return the accumulated statistics."""
        return self._count, self._mean, self._variance

    @statistics.setter
    def statistics(self, statistics: Statistics) -> None:
        self._count, self._mean, self._variance = statistics
        self._follow()

    def _follow(self) -> None:
        """Do what must follow a change of the statistics."""


class AccumulatingBatchNorm(AccumulatingNorm):
    """A batch norm of maps whose statistics are a mixture of those of training and of frames.

    It is to be used in eval mode. Accumulated means and variances have the shape [channels].

    Args:
        replaced: the batch norm, which still normalises, with its own parameters and activation;
            the mixture is written into its running statistics.
        weight: of the accumulated statistics, 0..1.

    Attributes:
        observing: whether a forward pass accumulates statistics; what is observed is normalised by
            a mixture to which it already belongs.
        replaced: the batch norm.
    """

    training_mean: Tensor
    training_variance: Tensor

    def __init__(self, replaced: nn.BatchNorm2d, weight: float) -> None:
        super().__init__()
        self.replaced = replaced
        mean, variance = self._running()
        self.register_buffer("training_mean", mean.clone(), persistent=False)
        self.register_buffer("training_variance", variance.clone(), persistent=False)
        self._begin(weight)

    def forward(self, maps: Tensor) -> Tensor:
        """Normalise maps, float [B, channels, H, W]."""
        if self.observing:
            self._accumulate(maps)
        normalised: Tensor = self.replaced(maps)
        return normalised

    def _accumulate(self, maps: Tensor) -> None:
        values = maps.to(self.training_mean.dtype)
        variance, mean = torch.var_mean(values, dim=(0, 2, 3), correction=0)
        count = self._count + 1
        if self._mean is not None and self._variance is not None:
            # Averages of E[x] and of E[x²], without the difference of two large numbers.
            share = 1 / count
            between = share * (1 - share) * (mean - self._mean).square()
            variance = torch.lerp(self._variance, variance, share) + between
            mean = torch.lerp(self._mean, mean, share)
        self.statistics = (count, mean, variance)

    def _follow(self) -> None:
        trained = (self.training_mean, self.training_variance)
        accumulated = (self._mean, self._variance)
        for running, training, test in zip(self._running(), trained, accumulated, strict=True):
            running.copy_(training if test is None else torch.lerp(training, test, self._share))

    def _running(self) -> tuple[Tensor, Tensor]:
        mean, variance = self.replaced.running_mean, self.replaced.running_var
        assert mean is not None, "without running statistics there is nothing to mix"
        assert variance is not None
        return mean, variance


class AccumulatingLayerNorm(AccumulatingNorm, nn.LayerNorm):
    """A layer norm that can accumulate its statistics and mix them into its normalisation.

    Accumulated means and variances have the shape [..., 1] of the layer's own statistics, or are
    0-dimensional for the scope "layer".

    Args:
        replaced: layer norm whose parameters, and activation if it has one, are taken over.
        scope: "position" or "layer".
        weight: of the accumulated statistics, 0..1.

    Attributes:
        observing: whether a forward pass accumulates statistics and normalises as `replaced` does.
        channels_first: whether tokens are the positions of maps, [B, channels, H, W].
        act: activation after the norm, if any.
    """

    def __init__(self, replaced: nn.LayerNorm, scope: str, weight: float) -> None:
        super().__init__(replaced.normalized_shape, replaced.eps, elementwise_affine=False)
        self.weight, self.bias = replaced.weight, replaced.bias
        self.channels_first = _is_channels_first(replaced)
        self.act: nn.Module | None = getattr(replaced, "act", None)
        self._scope = scope
        self._begin(weight)

    def forward(self, tokens: Tensor) -> Tensor:
        """Normalise tokens, float [..., channels], or [B, channels, H, W] with channels first.

        Raises:
            InputError: statistics of each position were accumulated on frames of another size.
        """
        if self.channels_first:
            normalised = self._normalised(tokens.movedim(1, -1)).movedim(-1, 1)
        else:
            normalised = self._normalised(tokens)
        return normalised if self.act is None else self.act(normalised)

    def _normalised(self, tokens: Tensor) -> Tensor:
        if self.observing:
            self._accumulate(*self._own(tokens))
        if self.observing or self._mean is None or self._variance is None:
            return super().forward(tokens)
        mean, variance = self._own(tokens)
        if self._scope == "position" and self._mean.shape != mean.shape:
            raise InputError(
                "objective 'layer_norm': the scope 'position' needs frames of one size, one at a "
                "time; use the scope 'layer'"
            )
        mean = torch.lerp(mean, self._mean.expand_as(mean), self._share)
        variance = torch.lerp(variance, self._variance.expand_as(variance), self._share)
        normalised = (tokens - mean) * torch.rsqrt(variance + self.eps)
        for parameter, function in ((self.weight, torch.mul), (self.bias, torch.add)):
            if parameter is not None:
                normalised = function(normalised, parameter)
        return normalised

    def _own(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Return each token's own mean and variance."""
        over = tuple(range(-len(self.normalized_shape), 0))
        variance, mean = torch.var_mean(tokens, dim=over, correction=0, keepdim=True)
        return mean, variance

    def _accumulate(self, mean: Tensor, variance: Tensor) -> None:
        if self._scope == "layer":
            mean, variance = mean.mean(), variance.mean()
        count = self._count + 1
        if self._mean is not None and self._variance is not None:
            mean = torch.lerp(self._mean, mean, 1 / count)
            variance = torch.lerp(self._variance, variance, 1 / count)
        self.statistics = (count, mean, variance)


def _is_channels_first(norm: nn.LayerNorm) -> bool:
    if isinstance(norm, AccumulatingLayerNorm):
        return norm.channels_first
    # Without an import: a model without a backbone of timm does not wait for it.
    layers = sys.modules.get("timm.layers")
    kinds = tuple(getattr(layers, name) for name in CHANNELS_FIRST if hasattr(layers, name))
    return isinstance(norm, kinds)
