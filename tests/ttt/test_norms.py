"""LN Adapt and Tent act on the norms that an encoder has: batch norms, or layer norms of maps."""

import copy
import dataclasses
import io
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from support import SPACE
from videottt.core.errors import InputError
from videottt.core.ids import JobKey
from videottt.core.randomness import generator
from videottt.models.y_shaped import YShapedModel
from videottt.settings.method import Method, OptimizerSettings
from videottt.settings.presets import PRESETS, TimmBackbone
from videottt.tasks import task_named
from videottt.ttt.objectives import objective_named
from videottt.ttt.objectives.norm_statistics import (
    AccumulatingBatchNorm,
    AccumulatingLayerNorm,
    AccumulatingNorm,
)
from videottt.ttt.optimizer import NORMS
from videottt.ttt.stream import Stream

BATCH_NORMS, LAYER_NORMS = "tf_efficientnet_lite0", "convnext_atto"
SIZE = (64, 96)
KEY = JobKey("synthetic", "semantic", "ln_adapt", 0, "tiny_0")
WEIGHTS = {"layer_norm": "weight", "tent": "statistics_weight"}


def model_of(backbone):
    """Return a model with new weights, whose batch norms seem to have seen training data."""
    preset = dataclasses.replace(PRESETS["tiny"], encoder=TimmBackbone(name=backbone))
    model = YShapedModel(preset, len(SPACE.classes), 0).eval()
    draws = generator("running statistics")
    for norm in batch_norms(model.encoder):
        norm.running_mean.normal_(0, 0.3, generator=draws)
        norm.running_var.uniform_(0.5, 1.5, generator=draws)
        with torch.no_grad():
            norm.weight.uniform_(0.5, 1.5, generator=draws)
            norm.bias.normal_(0, 0.3, generator=draws)
    return model


@pytest.fixture(scope="module")
def models():
    return {name: model_of(name) for name in (BATCH_NORMS, LAYER_NORMS)}


@pytest.fixture
def fresh(models):
    """Return a function that makes copies of a model."""
    return lambda backbone=BATCH_NORMS: copy.deepcopy(models[backbone])


@pytest.fixture(scope="module")
def frames():
    """Return frames of different colours, uint8 [H, W, 3]."""
    draws = np.random.default_rng(0)
    limits = ((0, 120), (60, 256), (100, 140), (0, 256))
    return [draws.integers(*limit, (*SIZE, 3), np.uint8) for limit in limits]


def images_of(frames):
    return [torch.from_numpy(frame / 64 - 2).permute(2, 0, 1)[None] for frame in frames]


def batch_norms(module):
    return [each for each in module.modules() if isinstance(each, nn.BatchNorm2d)]


def accumulating(module, kind=AccumulatingNorm):
    return [each for each in module.modules() if isinstance(each, kind)]


def stream_of(model, objective="layer_norm", weight=0.5, **changes):
    options = {WEIGHTS[objective]: weight}
    optimizer = OptimizerSettings(learning_rate=1e-2, encoder_multiplier=1.0, gradient_clip=1.0)
    method = Method(objective=objective, options=options, optimizer=optimizer, window=1, batch=2,
                    shortest_edge=SIZE[0], **changes)  # fmt: skip
    return Stream(model, task_named("semantic", SPACE), method, KEY)


@torch.no_grad()
def outputs(model):
    """Return the model's class and mask logits of an image, flat."""
    said = model.predict_final(torch.randn(1, 3, *SIZE, generator=generator("image")))
    return torch.cat([said.class_logits[0].flatten(), said.mask_logits[0].flatten()])


def schneider(encoder, inputs, weight):
    """Return the maps of the last input, by the formula: the values of all inputs are kept."""
    encoder = copy.deepcopy(encoder)

    def mix(norm, arguments):
        seen[norm].append(arguments[0].numpy())
        test = np.concatenate(seen[norm])
        mean, variance = (torch.from_numpy(m(test, axis=(0, 2, 3))) for m in (np.mean, np.var))
        norm.running_mean = (1 - weight) * trained[norm][0] + weight * mean
        norm.running_var = (1 - weight) * trained[norm][1] + weight * variance

    norms = batch_norms(encoder)
    seen = {norm: [] for norm in norms}
    trained = {norm: (norm.running_mean.clone(), norm.running_var.clone()) for norm in norms}
    for norm in norms:
        norm.register_forward_pre_hook(mix)
    with torch.no_grad():
        return [encoder(each) for each in inputs][-1]


# Batch norms


@pytest.mark.parametrize("objective", ["layer_norm", "tent"])
@pytest.mark.parametrize(("weight", "count"), [(1.0, 1), (0.3, 1), (0.3, 3), (1.0, 2)])
def test_batch_norms_are_adapted_as_schneider_et_al_do(fresh, frames, objective, weight, count):
    model, images = fresh(), images_of(frames[:count])
    # So exact that a wrong term of a small weight would be seen; the head casts to float32.
    model.encoder.double()
    inputs = [torch.cat([image, torch.ones(1, 1, *SIZE)], dim=1).double() for image in images]
    fixed, in_training = copy.deepcopy(model.encoder), copy.deepcopy(model.encoder)
    adapted = objective_named(objective, {WEIGHTS[objective]: weight})
    adapted.prepare(model)
    for image in images:
        adapted.observe(model, image)
    expected = schneider(fixed, inputs, weight)
    for norm in batch_norms(in_training):
        norm.training = True
    with torch.no_grad():
        found, before = model.encoder(inputs[-1]), fixed(inputs[-1])
        by_torch = in_training(inputs[-1])
    for ours, theirs, torchs, old in zip(found, expected, by_torch, before, strict=True):
        assert ours.std() > 0.01
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)
        assert not torch.allclose(ours, old, rtol=1e-2, atol=1e-2)
        equal = torch.allclose(ours, torchs, rtol=1e-9, atol=1e-9)
        assert equal == ((weight, count) == (1.0, 1))


def test_with_weight_0_batch_norms_are_those_of_the_fixed_model_bit_for_bit(fresh, frames):
    model = fresh()
    fixed = outputs(model)
    stream_of(model, weight=0.0).step(frames[0])
    assert torch.equal(outputs(model), fixed)


def test_beside_batch_norms_all_other_norms_are_left_alone(fresh, frames):
    model, untouched = fresh(), fresh()
    model.encoder.added, untouched.encoder.added = nn.LayerNorm(4), nn.LayerNorm(4)
    count = len(batch_norms(model.encoder))
    stream_of(model).step(frames[0])
    assert len(accumulating(model)) == len(accumulating(model, AccumulatingBatchNorm)) == count > 40
    for branch in ("head", "decoder"):
        now, then = (getattr(each, branch) for each in (model, untouched))
        assert [type(module) for module in now.modules()] == [type(m) for m in then.modules()]
        assert all(map(torch.equal, now.state_dict().values(), then.state_dict().values()))
    for norm, original in zip(batch_norms(model), batch_norms(untouched), strict=True):
        assert type(norm) is type(original)  # with the activation
        assert not torch.equal(norm.running_mean, original.running_mean)
        assert norm.num_batches_tracked == original.num_batches_tracked
        assert torch.equal(norm.weight, original.weight)


# Streams


@pytest.mark.parametrize("objective", ["layer_norm", "tent"])
@pytest.mark.parametrize("backbone", [BATCH_NORMS, LAYER_NORMS])
def test_a_stream_resumes_and_starts_again_bit_for_bit(fresh, frames, objective, backbone):
    whole, half, resumed = (fresh(backbone) for _ in range(3))
    fixed = outputs(whole)
    stream = stream_of(whole, objective)
    for frame in frames[:3]:
        stream.step(frame)
    adapted = outputs(whole)
    assert not torch.allclose(adapted, fixed, rtol=1e-3, atol=1e-3)

    # Through a file, as a killed job does.
    stream = stream_of(half, objective)
    for frame in frames[:2]:
        stream.step(frame)
    file = io.BytesIO()
    torch.save(stream.state(), file)
    after_two = outputs(half)
    stream.step(frames[3])  # changes nothing in what was saved
    file.seek(0)
    stream = stream_of(resumed, objective)
    stream.restore(torch.load(file, weights_only=True), frames.__getitem__)
    assert torch.equal(outputs(resumed), after_two)
    stream.step(frames[2])
    assert torch.equal(outputs(resumed), adapted)

    if objective == "layer_norm":
        # Nothing is left for another stream, even on the same model.
        norms = len(accumulating(whole))
        stream = stream_of(whole, objective)
        assert torch.equal(outputs(whole), fixed)
        for frame in frames[:3]:
            stream.step(frame)
        assert torch.equal(outputs(whole), adapted)
        assert len(accumulating(whole)) == norms
        objective_named(objective, {}).forget(whole)
        assert torch.equal(outputs(whole), fixed)


@pytest.mark.parametrize("objective", ["layer_norm", "tent"])
def test_a_reset_before_every_frame_leaves_nothing_of_the_frames_before(fresh, frames, objective):
    several, one = fresh(), fresh()
    stream = stream_of(several, objective, reset="every_frame")
    for frame in frames[:3]:
        stream.step(frame)
    stream_of(one, objective, reset="every_frame").step(frames[2], index=2)
    assert torch.equal(outputs(several), outputs(one))
    initial = fresh()
    objective_named(objective, {}).forget(several)
    for norm, original in zip(batch_norms(several), batch_norms(initial), strict=True):
        assert torch.equal(norm.running_mean, original.running_mean)
        assert torch.equal(norm.running_var, original.running_var)


@pytest.mark.parametrize("weight", [0.0, 0.5])
def test_tent_updates_every_parameter_of_the_norms_of_f_and_h_and_nothing_else(
    fresh, frames, weight
):
    model = fresh()
    before = {name: parameter.clone() for name, parameter in model.named_parameters()}
    norms = {
        f"{name}.{own}"
        for name, module in model.named_modules()
        if isinstance(module, NORMS) and name.startswith(("encoder.", "head."))
        for own, _ in module.named_parameters(recurse=False)
    }
    stream_of(model, "tent", weight).step(frames[0])
    after = {name.replace(".replaced.", "."): p for name, p in model.named_parameters()}
    assert after.keys() == before.keys()
    assert {name for name in before if not torch.equal(after[name], before[name])} == norms
    assert bool(accumulating(model)) == bool(weight)


# Layer norms of maps


def test_the_layer_norms_of_maps_take_part(fresh, frames):
    def adapted(weight, scope):
        model = fresh(LAYER_NORMS)
        objective = objective_named("layer_norm", {"weight": weight, "scope": scope})
        objective.prepare(model)
        assert not [m for m in model.modules() if type(m).__name__ == "LayerNorm2d"]
        norms = accumulating(model.encoder)
        assert len(norms) == 1 + 3 + 12  # of the stem, between stages, of blocks
        assert all(norm.channels_first for norm in norms)
        assert not any(norm.channels_first for norm in accumulating(model.head))
        unseen = outputs(model)
        for image in images_of(frames[:2]):
            objective.observe(model, image.float())
        return unseen, outputs(model)

    fixed = outputs(fresh(LAYER_NORMS))
    for scope in ("position", "layer"):
        unseen, still = adapted(0.0, scope)
        assert torch.equal(unseen, fixed)
        torch.testing.assert_close(still, fixed, rtol=1e-3, atol=1e-3)
        unseen, other = adapted(1.0, scope)
        assert torch.equal(unseen, fixed)
        assert not torch.allclose(other, fixed, rtol=0.1, atol=0.1)


@pytest.mark.parametrize("scope", ["position", "layer"])
def test_a_layer_norm_of_maps_is_one_of_tokens_with_the_channels_first(scope):
    import timm.layers

    replaced = timm.layers.LayerNormAct2d(5, act_layer=nn.ReLU).eval()
    plain = nn.LayerNorm(5, replaced.eps)
    for parameter in (replaced.weight, replaced.bias):
        nn.init.normal_(parameter, generator=generator("affine", parameter is replaced.bias))
    plain.load_state_dict(replaced.state_dict())
    of_maps = AccumulatingLayerNorm(replaced, scope, 0.7)
    # As by another stream on the same model.
    of_maps = AccumulatingLayerNorm(of_maps, scope, 0.7)
    of_tokens = AccumulatingLayerNorm(plain, scope, 0.7)
    first, second = (torch.randn(1, 5, 5, 7, generator=generator("maps", i)) for i in range(2))
    of_maps.observing = of_tokens.observing = True
    torch.testing.assert_close(of_maps(first), replaced(first))
    of_tokens(first.movedim(1, -1))
    of_maps.observing = of_tokens.observing = False
    expected = of_tokens(second.movedim(1, -1)).movedim(-1, 1).relu()
    torch.testing.assert_close(of_maps(second), expected)
    assert not torch.allclose(expected, replaced(second), rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize("affine", [{"bias": False}, {"elementwise_affine": False}])
def test_a_layer_norm_without_bias_or_scale_accumulates_as_well(affine):
    replaced = nn.LayerNorm(5, **affine)
    layer = AccumulatingLayerNorm(replaced, "layer", 0.0)
    tokens = torch.randn(3, 5, generator=generator("tokens"))
    layer.observing = True
    layer(tokens)
    layer.observing = False
    torch.testing.assert_close(layer(tokens), replaced(tokens))


def test_an_encoder_with_neither_kind_of_norm_is_refused_by_ln_adapt_in_one_line():
    model = SimpleNamespace(
        encoder=nn.Sequential(
            nn.Conv2d(4, 4, 1), nn.GroupNorm(1, 4), nn.BatchNorm2d(4, track_running_stats=False)
        ),
        head=nn.Sequential(nn.LayerNorm(4)),
    )
    with pytest.raises(InputError, match="has no BatchNorm and no LayerNorm; use") as caught:
        objective_named("layer_norm", {}).prepare(model)
    assert "\n" not in str(caught.value)
