"""Build the optimizer with the authors' parameter groups, and clip gradients."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from videottt.settings.method import OptimizerSettings

NORMS = (nn.LayerNorm, nn.GroupNorm, nn.BatchNorm2d)


def parameter_groups(
    model: nn.Module, learning_rate: float, encoder_multiplier: float, weight_decay: float
) -> list[dict[str, Any]]:
    """Return the optimizer's groups of the parameters that require a gradient.

    Weight decay is 0 for norms, embeddings and relative position bias tables; biases are decayed
    (the authors' Trainer.build_optimizer).

    Args:
        model: with an attribute `encoder`.
        learning_rate: of every parameter outside the encoder f.
        encoder_multiplier: factor on the learning rate of f.
        weight_decay: of all other parameters.
    """
    groups: dict[tuple[bool, bool], list[Tensor]] = {}
    for module_name, module in model.named_modules():
        for name, parameter in module.named_parameters(recurse=False):
            if parameter.requires_grad:
                decayed = not (
                    isinstance(module, (*NORMS, nn.Embedding))
                    or name == "relative_position_bias_table"
                )
                in_encoder = module_name.split(".")[0] == "encoder"
                groups.setdefault((in_encoder, decayed), []).append(parameter)
    return [
        {
            "params": parameters,
            "lr": rate,
            # The learning rate that the schedule's factor is applied to.
            "initial_lr": rate,
            "weight_decay": weight_decay if decayed else 0.0,
        }
        for (in_encoder, decayed), parameters in sorted(groups.items(), key=lambda item: item[0])
        for rate in [learning_rate * (encoder_multiplier if in_encoder else 1.0)]
    ]


def gradient_norm(parameters: Sequence[Tensor]) -> Tensor:
    """Return the L2 norm of all gradients together, a scalar; 0 without any gradient."""
    gradients = [p.grad for p in parameters if p.grad is not None]
    return nn.utils.get_total_norm(gradients) if gradients else torch.zeros(())


def clip_gradients(parameters: Sequence[Tensor], norm: Tensor, largest: float | None) -> None:
    """Scale all gradients by one factor so that their L2 norm is at most `largest`.

    Args:
        parameters: their gradients are scaled in place.
        norm: L2 norm of all gradients together; see `gradient_norm`.
        largest: upper limit of the norm; None does not clip.
    """
    if largest is not None:
        nn.utils.clip_grads_with_norm_(parameters, largest, norm)


def optimizer_for(model: nn.Module, settings: OptimizerSettings) -> torch.optim.Optimizer:
    """Return the optimizer of test-time updates, for the parameters that require a gradient."""
    groups = parameter_groups(
        model, settings.learning_rate, settings.encoder_multiplier, settings.weight_decay
    )
    if settings.name == "sgd":
        return torch.optim.SGD(groups, momentum=settings.momentum, fused=True)
    return torch.optim.AdamW(groups, fused=True)
