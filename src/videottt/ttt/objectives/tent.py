"""Tent: minimise the entropy of the prediction over the norms' affine parameters.

Paper appendix A.3; Wang et al., "Tent: Fully Test-Time Adaptation by Entropy Minimization", ICLR
2021. Theirs is for batch norm; here are layer norm and group norm, which the model has, and batch
norm, for encoders that have it.
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

    Updates scale and shift of every norm of f and h. Two choices differ from the original: the
    window and the carried-over weights are those of the stream loop, as in the paper ("in the same
    loop as our method"), and the prediction is made after the update, where the original returns
    the logits from before it. A layer norm's mean and deviation need no update: they are those of
    each token. Dropout and drop path are off (set by the method in config.yaml).
    """

    needs_classes: ClassVar[bool] = True

    def trainable(self, model: YShapedModel) -> list[torch.nn.Parameter]:
        """Return the affine parameters of the norms of f and h.

        Raises:
            InputError: there is none.
        """
        found = [
            parameter
            for branch in (model.encoder, model.head)
            for module in branch.modules()
            if isinstance(module, NORMS)
            for parameter in module.parameters(recurse=False)
        ]
        if not found:
            raise InputError(
                "objective 'tent': the model has no LayerNorm, GroupNorm or BatchNorm with affine "
                "parameters, so nothing can be updated; use another objective"
            )
        return found

    def loss(self, model: YShapedModel, images: Tensor, generator: torch.Generator) -> Tensor:
        """Return the mean entropy over pixels and images; nothing is drawn."""
        outputs = model.predict(images)
        assert isinstance(outputs, QueryOutputs)
        log = class_log_probabilities(outputs)
        return -(log.exp() * log).sum(dim=1).mean()
