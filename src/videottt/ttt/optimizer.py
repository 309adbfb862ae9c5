"""Build the optimizer with the authors' parameter groups, and clip gradients."""

import abc
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from videottt.settings.method import OptimizerSettings

NORMS = (nn.LayerNorm, nn.GroupNorm, nn.BatchNorm2d)


def parameter_groups(
    model: nn.Module,
    learning_rate: float,
    encoder_multiplier: float,
    weight_decay: float,
    decoder_multiplier: float = 1.0,
) -> list[dict[str, Any]]:
    """Return the optimizer's groups of the parameters that require a gradient.

    Weight decay is 0 for norms, embeddings and relative position bias tables; biases are decayed
    (the authors' Trainer.build_optimizer).

    Args:
        model: with an attribute `encoder`.
        learning_rate: of the head h.
        encoder_multiplier: factor on the learning rate of the encoder f.
        weight_decay: of all other parameters.
        decoder_multiplier: factor on the learning rate of the decoder g.
    """
    multipliers = {"encoder": encoder_multiplier, "decoder": decoder_multiplier}
    groups: dict[tuple[float, bool, bool], list[Tensor]] = {}
    for module_name, module in model.named_modules():
        for name, parameter in module.named_parameters(recurse=False):
            if parameter.requires_grad:
                decayed = not (
                    isinstance(module, (*NORMS, nn.Embedding))
                    or name == "relative_position_bias_table"
                )
                branch = module_name.split(".")[0]
                rate = learning_rate * multipliers.get(branch, 1.0)
                groups.setdefault((rate, branch == "encoder", decayed), []).append(parameter)
    return [
        {
            "params": parameters,
            "lr": rate,
            # The learning rate that the schedule's factor is applied to.
            "initial_lr": rate,
            "weight_decay": weight_decay if decayed else 0.0,
        }
        for (rate, _, decayed), parameters in sorted(groups.items(), key=lambda item: item[0][1:])
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


class Optimizer(abc.ABC):
    """An optimizer whose steps are one call of torch's fused kernels for each group.

    torch.optim's own classes import torch's compiler when they are first used, which takes longer
    than the first frame of a small job. Steps, moments and skips are theirs, bit for bit.

    Args:
        groups: of `parameter_groups`.

    Attributes:
        param_groups: dictionaries with `params`, `lr`, `initial_lr` and `weight_decay`.
        state: what the optimizer remembers of each parameter, by name; empty before its first step.
    """

    def __init__(self, groups: list[dict[str, Any]]) -> None:
        self.param_groups = groups
        self.state: dict[Tensor, dict[str, Tensor]] = {}

    @torch.no_grad()
    def step(self, skip: Tensor | None = None) -> None:
        """Update all parameters that have a gradient, and what is remembered of them.

        Args:
            skip: float32 scalar on the device of the parameters; with 1 the step leaves no trace.
                The device decides, and nobody waits for it.
        """
        for group in self.param_groups:
            learning = [p for p in group["params"] if p.grad is not None]
            for parameter in learning:
                if parameter not in self.state:
                    self.state[parameter] = self._remembered(parameter)
            if learning:
                states = [self.state[parameter] for parameter in learning]
                gradients = [parameter.grad for parameter in learning]
                self._step(learning, gradients, states, group, skip)

    def zero_grad(self) -> None:
        """Drop all gradients."""
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.grad = None

    @torch.no_grad()
    def forget(self) -> None:
        """Set moments and numbers of steps to those of a new optimizer."""
        for state in self.state.values():
            for value in state.values():
                value.zero_()

    def state_dict(self) -> list[dict[str, Tensor]]:
        """Return what is remembered of each parameter, in the order of the groups."""
        return [self.state.get(p, {}) for group in self.param_groups for p in group["params"]]

    @torch.no_grad()
    def load_state_dict(self, states: list[dict[str, Tensor]]) -> None:
        """Restore what `state_dict` returned, by copies on the device of the parameters."""
        parameters = [p for group in self.param_groups for p in group["params"]]
        self.state = {}
        for parameter, state in zip(parameters, states, strict=True):
            if state:
                self.state[parameter] = self._remembered(parameter)
                for name, value in self.state[parameter].items():
                    value.copy_(state[name])

    @abc.abstractmethod
    def _remembered(self, parameter: Tensor) -> dict[str, Tensor]:
        """Return what is remembered of a parameter before its first step."""

    @abc.abstractmethod
    def _step(
        self,
        parameters: list[Tensor],
        gradients: list[Tensor],
        states: list[dict[str, Tensor]],
        group: dict[str, Any],
        skip: Tensor | None,
    ) -> None:
        """Update parameters and their states in place."""


class AdamW(Optimizer):
    """AdamW (Loshchilov and Hutter, ICLR 2019) with torch's default moments and epsilon."""

    def _remembered(self, parameter: Tensor) -> dict[str, Tensor]:
        return {
            "step": torch.zeros((), dtype=torch.float32, device=parameter.device),
            "mean": torch.zeros_like(parameter),
            "square": torch.zeros_like(parameter),
        }

    def _step(
        self,
        parameters: list[Tensor],
        gradients: list[Tensor],
        states: list[dict[str, Tensor]],
        group: dict[str, Any],
        skip: Tensor | None,
    ) -> None:
        steps = [state["step"] for state in states]
        torch._foreach_add_(steps, 1)
        torch._fused_adamw_(
            parameters,
            gradients,
            [state["mean"] for state in states],
            [state["square"] for state in states],
            [],
            steps,
            lr=group["lr"],
            beta1=0.9,
            beta2=0.999,
            weight_decay=group["weight_decay"],
            eps=1e-8,
            amsgrad=False,
            maximize=False,
            found_inf=skip,
        )
        if skip is not None:
            torch._foreach_sub_(steps, [skip] * len(steps))


class SGD(Optimizer):
    """Stochastic gradient descent with momentum.

    Args:
        groups: of `parameter_groups`.
        momentum: share of the last step in the next one, 0..1.
    """

    def __init__(self, groups: list[dict[str, Any]], momentum: float) -> None:
        super().__init__(groups)
        self.momentum = momentum

    def _remembered(self, parameter: Tensor) -> dict[str, Tensor]:
        return {"momentum": torch.zeros_like(parameter)} if self.momentum else {}

    def _step(
        self,
        parameters: list[Tensor],
        gradients: list[Tensor],
        states: list[dict[str, Tensor]],
        group: dict[str, Any],
        skip: Tensor | None,
    ) -> None:
        torch._fused_sgd_(
            parameters,
            gradients,
            [state["momentum"] for state in states if state],
            weight_decay=group["weight_decay"],
            momentum=self.momentum,
            lr=group["lr"],
            dampening=0.0,
            nesterov=False,
            maximize=False,
            # Momentum begins at 0, so the first step is as all others.
            is_first_step=False,
            found_inf=skip,
        )


def optimizer_for(model: nn.Module, settings: OptimizerSettings) -> Optimizer:
    """Return the optimizer of test-time updates, for the parameters that require a gradient."""
    groups = parameter_groups(
        model,
        settings.learning_rate,
        settings.encoder_multiplier,
        settings.weight_decay,
        settings.decoder_multiplier,
    )
    return AdamW(groups) if settings.name == "adamw" else SGD(groups, settings.momentum)
