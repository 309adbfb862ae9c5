import copy

import pytest
import torch
from torch import nn

from videottt.settings.method import OptimizerSettings
from videottt.ttt.optimizer import optimizer_for

OPTIMIZERS = [
    OptimizerSettings(),
    OptimizerSettings(name="sgd"),
    OptimizerSettings(name="sgd", momentum=0.9),
]


class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Linear(3, 17)
        self.decoder = nn.Linear(17, 5)


def small(settings):
    torch.manual_seed(0)
    model = Small()
    return model, optimizer_for(model, settings)


def learn(model, optimizer, number, skip=0.0, poison=1.0):
    draws = torch.Generator().manual_seed(number)
    for parameter in model.parameters():
        parameter.grad = torch.randn(parameter.shape, generator=draws) * poison
    optimizer.step(torch.tensor(skip))


def weights(model):
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


@pytest.mark.parametrize("settings", OPTIMIZERS)
@pytest.mark.parametrize("first", [True, False], ids=["first", "later"])
def test_a_skipped_step_leaves_no_trace(settings, first):
    (model, optimizer), (other, of_other) = small(settings), small(settings)
    for number in range(4):
        if number == (0 if first else 2):
            before = weights(model)
            learn(model, optimizer, 9, skip=1.0, poison=float("nan"))
            assert torch.equal(weights(model), before)
        learn(model, optimizer, number)
        learn(other, of_other, number)
    assert torch.equal(weights(model), weights(other))


@pytest.mark.parametrize("settings", OPTIMIZERS)
def test_an_optimizer_without_moments_is_as_a_new_one(settings):
    model, optimizer = small(settings)
    learn(model, optimizer, 0)
    learned = {name: value.clone() for name, value in model.state_dict().items()}
    optimizer.forget()
    other = Small()
    other.load_state_dict(learned)
    new = optimizer_for(other, settings)
    for number in (1, 2):
        learn(model, optimizer, number)
        learn(other, new, number)
    assert torch.equal(weights(model), weights(other))


def of_torch(settings, groups):
    if settings.name == "adamw":
        return torch.optim.AdamW(groups, fused=True)
    return torch.optim.SGD(groups, momentum=settings.momentum, fused=True)


@pytest.mark.parametrize("settings", OPTIMIZERS)
def test_the_steps_are_those_of_torch(settings):
    (model, optimizer), (other, theirs) = small(settings), small(settings)
    theirs = of_torch(settings, theirs.param_groups)
    for number in range(4):
        learn(model, optimizer, number)
        draws = torch.Generator().manual_seed(number)
        for parameter in other.parameters():
            parameter.grad = torch.randn(parameter.shape, generator=draws)
        theirs.step()
    assert torch.equal(weights(model), weights(other))


@pytest.mark.parametrize("settings", OPTIMIZERS)
def test_a_restored_optimizer_goes_on_as_the_saved_one(settings):
    (model, optimizer), (other, restored) = small(settings), small(settings)
    learn(model, optimizer, 0)
    other.load_state_dict(model.state_dict())
    restored.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    for number in (1, 2):
        learn(model, optimizer, number)
        learn(other, restored, number)
    assert torch.equal(weights(model), weights(other))


def test_a_parameter_without_a_gradient_stays_as_it_is():
    model, optimizer = small(OptimizerSettings())
    before = model.decoder.weight.clone()
    model.encoder.weight.grad = torch.ones_like(model.encoder.weight)
    optimizer.step()
    assert torch.equal(model.decoder.weight, before)
