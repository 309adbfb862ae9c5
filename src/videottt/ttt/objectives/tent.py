"""Tent: adapt the affine parameters of the norms by entropy minimisation (paper appendix A.3).

Wang et al., "Tent: Fully Test-Time Adaptation by Entropy Minimization", ICLR 2021. The original
adapts batch norms. Here the norms are layer norms and group norms, which the model has, and batch
norms, for encoders that have them.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from videottt.core.errors import InputError
from videottt.models.class_scores import class_log_probabilities
from videottt.models.y_shaped import QueryOutputs, YShapedModel
from videottt.ttt.objectives.objective import Objective
from videottt.ttt.optimizer import NORMS


@dataclass(frozen=True)
class EntropyMinimization(Objective, name="tent"):
    """Mean entropy, in nats, of the class distribution of each pixel of h(f(x)).

    Updates the scale and shift of every norm of f and h. Two choices differ from the original: the
    explicit and the implicit memory are those of the stream loop, as in the paper ("in the same
    loop as our method"), and a frame is predicted after the update, where the original returns the
    logits from before the update. The statistics of a layer norm need no update, because each token
    has its own. Dropout is off; drop path is a setting of the method.

    The objective has no options.
    """

    needs_classes: ClassVar[bool] = True

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
