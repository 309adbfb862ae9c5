"""Tent: adapt the affine parameters of the norms by entropy minimisation (paper appendix A.3).

Wang et al., "Tent: Fully Test-Time Adaptation by Entropy Minimization", ICLR 2021. The original
adapts batch norms. Here the norms are layer norms and group norms, which the paper's model has, and
batch norms, for encoders that have them.
"""

from typing import ClassVar, Literal

import torch
from torch import Tensor

from videottt.core.annotations import Fraction
from videottt.core.errors import InputError
from videottt.core.settings import settings
from videottt.models.class_scores import class_log_probabilities
from videottt.models.y_shaped import QueryOutputs, YShapedModel
from videottt.ttt.objectives.layer_norm import NormStatistics, accumulate_statistics
from videottt.ttt.objectives.objective import Objective
from videottt.ttt.optimizer import NORMS


@settings
class EntropyMinimization(NormStatistics, Objective, name="tent"):
    """Mean entropy, in nats, of the class distribution of each pixel of h(f(x)).

    Updates the scale and shift of every norm of f and h, and the statistics of the norms ("We
    update the LN statistics and parameters with Tent", appendix A.3): they are accumulated over
    frames as those of LN Adapt are (videottt.ttt.objectives.norm_statistics), with the weights of
    the frame; those of f's batch norms, or without any those of the layer norms of f and h. Two
    choices differ from the original: the explicit and the implicit memory are those of the stream
    loop, as in the paper ("in the same loop as our method"), and a frame is predicted after the
    update, where the original returns the logits from before it (`predict: before`). Dropout is
    off; drop path is a setting of the method.

    Attributes:
        statistics_weight: weight of the accumulated statistics in the normalisation of a token,
            0..1; 0 leaves every token its own. Appendix A.3 gives no value.
        statistics_scope: tokens that share accumulated statistics: "layer" (all tokens) or
            "position", which needs updates on whole frames of one size. It has no meaning for batch
            norms.
    """

    statistics_weight: Fraction = 0.1
    statistics_scope: Literal["layer", "position"] = "layer"
    needs_classes: ClassVar[bool] = True

    def prepare(self, model: YShapedModel) -> None:
        """Let the batch norms of f accumulate statistics; without any, the layer norms."""
        if self.statistics_weight:
            accumulate_statistics(model, self.statistics_scope, self.statistics_weight)

    def trainable(self, model: YShapedModel) -> list[torch.nn.Parameter]:
        """Return the affine parameters of the norms of f and h.

        Raises:
            InputError: f and h have no norm with affine parameters.
        """
        parameters = [
            parameter
            for branch in (model.encoder, model.head)
            for module in branch.modules()
            if isinstance(module, NORMS)
            for parameter in module.parameters(recurse=False)
        ]
        if not parameters:
            raise InputError(
                "objective 'tent': the model has no LayerNorm, GroupNorm or BatchNorm with affine "
                "parameters, so nothing can be updated; use another objective"
            )
        return parameters

    def loss(self, model: YShapedModel, images: Tensor, generator: torch.Generator) -> Tensor:
        """Return the mean entropy over pixels and images, in nats; nothing is drawn at random."""
        outputs = model.predict_final(images)
        assert isinstance(outputs, QueryOutputs)
        log = class_log_probabilities(outputs)
        return -(log.exp() * log).sum(dim=1).mean()
