import copy
import dataclasses

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import nn
from transformers import Mask2FormerForUniversalSegmentation

from support import SMALLEST, SPACE, changed, small_model, weights_of
from videottt.core.errors import InputError
from videottt.core.randomness import generator, global_draws
from videottt.data.layouts.kitti_step import CITYSCAPES
from videottt.models.checkpoint import load_checkpoint, save_checkpoint
from videottt.models.class_scores import semantic_scores
from videottt.models.inputs import Placement
from videottt.models.mask2former_config import mask2former_config
from videottt.models.masking import random_visible
from videottt.models.y_shaped import QueryOutputs, YShapedModel
from videottt.settings.presets import PRESETS, preset_named
from videottt.tasks import task_named
from videottt.tasks.task import LabelMaps
from videottt.ttt.objectives import list_objectives, objective_named
from videottt.ttt.optimizer import clip_gradients, gradient_norm, parameter_groups


def size_of(module):
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.fixture(scope="module")
def swin_small():
    """Return the paper's model on the device "meta", without memory for weights."""
    with torch.device("meta"):
        return YShapedModel(PRESETS["swin_small"], 19)


# Sizes


def test_swin_small_has_the_sizes_of_the_authors_model(swin_small):
    # docs/fidelity.md; transformers adds a norm of 2 x 768 that the encoder never uses.
    assert size_of(swin_small.encoder) == 48_840_138 + 2 * 768
    assert size_of(swin_small.head) == 19_885_268
    assert size_of(swin_small.decoder) == 19_853_504
    assert round((size_of(swin_small.encoder) + size_of(swin_small.head)) / 1e6) == 69


def test_tiny_has_about_two_million_parameters():
    assert 1.8e6 < size_of(YShapedModel(PRESETS["tiny"], 19)) < 2.2e6


def test_an_unknown_preset_or_objective_is_answered_with_the_nearest_name():
    with pytest.raises(InputError, match="did you mean 'swin_small'"):
        preset_named("swin-smal")
    with pytest.raises(InputError, match="did you mean 'mae'"):
        objective_named("mea", {})
    with pytest.raises(InputError, match="did you mean 'mask_ratio'"):
        objective_named("mae", {"mask_ration": 0.5})
    with pytest.raises(InputError, match="semantic"):
        task_named("depth", SPACE)
    assert {"mae", "none"} <= set(list_objectives())


@pytest.mark.parametrize("options", [{"loss_on": "maskd"}, {"mask_ratio": 1.5}], ids=str)
def test_an_option_out_of_range_is_refused(options):
    with pytest.raises(InputError, match=next(iter(options))):
        objective_named("mae", options)


def test_initial_weights_depend_on_the_seed_alone():
    first, same, other = small_model(0), small_model(0), small_model(1)
    assert changed(weights_of(first), same) == set()
    assert changed(weights_of(first), other)
    assert all(torch.isfinite(tensor).all() for tensor in first.state_dict().values())


# Decoding


def enlarged(maps, size):
    """Enlarge maps bilinearly with aligned areas, by two matrix products."""

    def matrix(old, new):
        places = np.clip((np.arange(new) + 0.5) * old / new - 0.5, 0, old - 1)
        low = np.floor(places).astype(int)
        weights = np.zeros((new, old))
        weights[np.arange(new), low] += 1 - (places - low)
        weights[np.arange(new), np.minimum(low + 1, old - 1)] += places - low
        return weights

    rows, columns = matrix(maps.shape[-2], size[0]), matrix(maps.shape[-1], size[1])
    return np.einsum("Hh,bqhw,Ww->bqHW", rows, maps, columns)


def test_semantic_scores_are_class_times_mask_probabilities_without_the_last_class():
    draws = np.random.default_rng(0)
    classes, masks = draws.normal(size=(2, 5, 4)) * 2, draws.normal(size=(2, 5, 3, 4)) * 4
    outputs = QueryOutputs(
        (torch.zeros(2, 5, 4), torch.tensor(classes)),
        (torch.zeros(2, 5, 3, 4), torch.tensor(masks)),
    )
    shares = np.exp(classes) / np.exp(classes).sum(axis=-1, keepdims=True)
    inside = 1 / (1 + np.exp(-enlarged(masks, (12, 16))))
    expected = np.einsum("bqc,bqhw->bchw", shares[..., :3], inside)
    assert semantic_scores(outputs, (12, 16)).numpy() == pytest.approx(expected, abs=1e-5)


def test_padding_is_cut_before_a_prediction_is_enlarged():
    # Class 0 in the left three of four columns, where the image is; class 1 in the padding.
    classes = torch.full((1, 2, 3), -9.0)
    classes[0, 0, 0] = classes[0, 1, 1] = 9.0
    masks = torch.full((1, 2, 8, 8), -9.0)
    masks[0, 0, :, :6] = masks[0, 1, :, 6:] = 9.0
    decoded = task_named("semantic", SPACE).decode(
        QueryOutputs((classes,), (masks,)),
        Placement(padded=(32, 32), inner=(32, 24), size=(80, 60)),
        np.zeros((80, 60, 3), np.uint8),
    )
    assert decoded.shape == (80, 60)
    assert decoded.dtype == np.uint8
    assert (decoded == 0).all()


def test_targets_are_one_mask_for_each_class_in_an_image_and_void_is_in_none():
    labels = torch.tensor([[[3, 3], [255, 7]], [[255, 255], [255, 255]]], dtype=torch.uint8)
    labels = LabelMaps(labels, torch.zeros_like(labels).int())
    masks, classes = task_named("semantic", SPACE).targets(labels)
    assert [each.tolist() for each in classes] == [[3, 7], []]
    assert masks[0].tolist() == [[[1, 1], [0, 0]], [[0, 0], [0, 1]]]
    assert masks[1].shape == (0, 2, 2)


# Parameter groups


def test_groups_scale_the_encoder_and_spare_norms_embeddings_and_position_tables(swin_small):
    model = swin_small
    groups = parameter_groups(model, 1e-3, 0.1, 0.05)
    found = {}
    for group in groups:
        for parameter in group["params"]:
            assert id(parameter) not in found, "a parameter is in two groups"
            found[id(parameter)] = (group["lr"], group["weight_decay"])
    named = dict(model.named_parameters())
    assert found.keys() == {id(parameter) for parameter in named.values()}
    for name, parameter in named.items():
        rate, decay = found[id(parameter)]
        assert rate == pytest.approx(1e-4 if name.startswith("encoder.") else 1e-3), name
        module = model.get_submodule(name.rpartition(".")[0])
        spared = isinstance(module, torch.nn.LayerNorm | torch.nn.GroupNorm | torch.nn.Embedding)
        spared |= "relative_position_bias_table" in name
        assert decay == (0.0 if spared else 0.05), name
    for wanted, decay in (
        ("relative_position_bias_table", 0.0),
        ("mlp.fc1.bias", 0.05),
        ("queries_features.weight", 0.0),
        ("layernorm_before.weight", 0.0),
    ):
        assert {found[id(p)][1] for name, p in named.items() if name.endswith(wanted)} == {decay}


def test_groups_count_as_many_parameters_as_the_authors_optimizer():
    # docs/fidelity.md: with and without decay, backbone 197 + 136, decoder 197 + 93. One q, k and v
    # of transformers is one qkv there, and two parameters of the encoder's last norm are unused.
    with torch.device("meta"):
        model = YShapedModel(PRESETS["swin_small"], 19)
    model.head.requires_grad_(False)
    groups = {
        (group["lr"] < 1e-3, group["weight_decay"] > 0): len(group["params"])
        for group in parameter_groups(model, 1e-3, 0.1, 0.05)
    }
    blocks, decoder_layers = 24, 9
    assert groups[True, False] == 136 + 2
    assert groups[True, True] == 197 + 2 * 2 * blocks
    assert groups[False, False] == 93
    assert groups[False, True] == 197 + 2 * 2 * decoder_layers


def test_frozen_parameters_are_in_no_group():
    model = small_model().requires_grad_(False)
    assert parameter_groups(model, 1e-3, 0.1, 0.05) == []
    model.decoder.requires_grad_(True)
    grouped = [p for group in parameter_groups(model, 1e-3, 0.1, 0.05) for p in group["params"]]
    assert {id(p) for p in grouped} == {id(p) for p in model.decoder.parameters()}


def test_clipping_scales_all_gradients_by_one_factor():
    parameters = [torch.nn.Parameter(torch.zeros(2)), torch.nn.Parameter(torch.zeros(1))]
    unused = torch.nn.Parameter(torch.zeros(3))

    def clipped(largest):
        parameters[0].grad, parameters[1].grad = torch.tensor([3.0, 0.0]), torch.tensor([4.0])
        norm = gradient_norm([*parameters, unused])
        clip_gradients([*parameters, unused], norm, largest)
        return float(norm), [*parameters[0].grad.tolist(), *parameters[1].grad.tolist()]

    assert clipped(None) == (5.0, [3.0, 0.0, 4.0])
    assert clipped(10.0) == (5.0, [3.0, 0.0, 4.0])
    assert clipped(1.0)[1] == pytest.approx([0.6, 0.0, 0.8], rel=1e-4)
    assert gradient_norm([unused]) == 0


# Drop path


def test_drop_path_rates_grow_linearly_over_the_blocks(swin_small):
    blocks = [block for stage in swin_small.encoder.swin.encoder.layers for block in stage.blocks]
    rates = [getattr(block.drop_path, "drop_prob", 0.0) for block in blocks]
    assert rates == pytest.approx(np.linspace(0, 0.3, 24).tolist())


@pytest.mark.parametrize("copied", [False, True], ids=["built", "copied"])
def test_drop_path_drops_the_attention_and_the_feed_forward_branch_separately(copied):
    model = small_model(drop_path_rate=0.5)
    if copied:
        model = copy.deepcopy(model)
    block = model.encoder.swin.encoder.layers[-1].blocks[-1]
    channels = block.layernorm_before.normalized_shape[0]
    same = torch.randn(1, 4, channels, generator=generator("input")).expand(64, -1, -1)

    def outcomes(training):
        model.train(training)
        with torch.no_grad(), global_draws("drop path"):
            output = block(same, (2, 2))
        return len({tuple(np.round(each.flatten().tolist(), 4)) for each in output})

    assert outcomes(training=True) == 4
    assert outcomes(training=False) == 1


# Checkpoints


def test_a_checkpoint_is_read_back_bit_for_bit(tmp_path):
    model = small_model(seed=3, queries=5)
    made = {"seed": 3, "settings": {"rate": 1e-3}}
    path = tmp_path / "new" / "model.safetensors"
    save_checkpoint(path, model, list(CITYSCAPES), SPACE, decoder=True, provenance=made)
    read = load_checkpoint(path)
    assert changed(weights_of(model), read.model) == set()
    assert read.model.preset == model.preset
    assert (read.classes, read.has_decoder, read.provenance) == (list(CITYSCAPES), True, made)
    assert not read.model.training
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_equal_models_make_equal_files(tmp_path):
    model, files = small_model(), set()
    for _ in range(4):
        path = tmp_path / "model.safetensors"
        save_checkpoint(path, model, list(CITYSCAPES), SPACE, decoder=True, provenance={})
        files.add(path.read_bytes())
    assert len(files) == 1


def test_a_main_task_checkpoint_carries_no_decoder(main_task_checkpoint, joint_checkpoint):
    names = safetensors.torch.load_file(main_task_checkpoint).keys()
    assert {name.split(".")[0] for name in names} == {"encoder", "head"}
    read, joint = load_checkpoint(main_task_checkpoint), load_checkpoint(joint_checkpoint)
    assert (read.has_decoder, joint.has_decoder) == (False, True)
    assert {n.split(".")[0] for n in changed(weights_of(joint.model), read.model)} == {"decoder"}


FIRST = "encoder.swin.embeddings.patch_embeddings.projection.weight"


def remove(tensors, metadata):
    del tensors[FIRST]


def add(tensors, metadata):
    tensors["encoder.extra"] = torch.zeros(1)


def reshape(tensors, metadata):
    tensors[FIRST] = tensors[FIRST][:, :3].contiguous()


def age(tensors, metadata):
    metadata["version"] = "0"


def disown(tensors, metadata):
    metadata.clear()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (remove, f"missing {FIRST}"),
        (add, "unknown encoder.extra"),
        (reshape, rf"misshapen {FIRST} \[16, 3, 4, 4\], expected \[16, 4, 4, 4\]"),
        (age, "is not a 'videottt checkpoint' of version 3"),
        (disown, "is not a 'videottt checkpoint' of version 3"),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_refused(joint_checkpoint, tmp_path, spoil, message):
    tensors = safetensors.torch.load_file(joint_checkpoint)
    with safetensors.safe_open(joint_checkpoint, "pt") as file:
        metadata = file.metadata()
    spoil(tensors, metadata)
    path = tmp_path / "spoilt.safetensors"
    safetensors.torch.save_file(tensors, path, metadata=metadata or None)
    with pytest.raises(InputError, match=message) as caught:
        load_checkpoint(path)
    assert str(path) in str(caught.value)


def test_every_parameter_that_does_not_fit_is_listed(joint_checkpoint, tmp_path):
    tensors = safetensors.torch.load_file(joint_checkpoint)
    with safetensors.safe_open(joint_checkpoint, "pt") as file:
        metadata = file.metadata()
    for spoil in (remove, add):
        spoil(tensors, metadata)
    safetensors.torch.save_file(tensors, tmp_path / "x.safetensors", metadata=metadata)
    with pytest.raises(InputError) as caught:
        load_checkpoint(tmp_path / "x.safetensors")
    assert all(text in str(caught.value) for text in (f"missing {FIRST}", "unknown encoder.extra"))


@pytest.mark.parametrize("content", [None, b"", b"no safetensors at all"], ids=str)
def test_a_file_that_is_no_checkpoint_is_refused(tmp_path, content):
    path = tmp_path / "x.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"x\.safetensors"):
        load_checkpoint(path)


def test_presets_are_read_back_unchanged():
    from videottt.settings.presets import preset_from, sizes_of

    for preset in PRESETS.values():
        assert sizes_of(preset_from(sizes_of(preset))) == sizes_of(preset)
        assert "weights" not in sizes_of(preset)["encoder"]


# Against transformers


def hugging_face(model):
    """transformers' Mask2Former with the weights of f and h, or of f and g."""
    found = []
    for queries, branch in ((model.preset.queries, model.head), (48, model.decoder)):
        other = Mask2FormerForUniversalSegmentation(
            mask2former_config(model.preset, queries, model.classes)
        ).eval()
        other.model.pixel_level_module.encoder.load_state_dict(model.encoder.state_dict())
        other.model.pixel_level_module.decoder.load_state_dict(branch.pixel_decoder.state_dict())
        other.model.transformer_module.load_state_dict(branch.query_decoder.state_dict())
        found.append(other)
    found[0].class_predictor.load_state_dict(model.head.class_predictor.state_dict())
    return found


def apart(found, expected, largest=None):
    """The largest difference, relative to the largest value."""
    with torch.no_grad():
        return float((found - expected).abs().max()) / (largest or float(expected.abs().max()))


@pytest.mark.parametrize("size", [(64, 96), (224, 32), (96, 320)])
@pytest.mark.parametrize("depths", [(1, 1, 2, 1), (2, 2, 2, 2)], ids=["short", "deep"])
def test_outputs_and_gradients_are_those_of_transformers(size, depths):
    encoder = dataclasses.replace(SMALLEST.encoder, depths=depths)
    model = small_model(encoder=encoder, pixel_decoder_layers=2, decoder_layers=4).eval()
    draws = generator("weights")
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.05 * torch.randn(parameter.shape, generator=draws)
    main, reconstruction = hugging_face(model)
    images = torch.randn(2, 3, *size, generator=draws)
    visible = random_visible(2, size, 8, 0.5, draws)
    everything = torch.cat([images, torch.ones_like(visible)], dim=1)
    found, expected = model.predict(images), main(everything, output_auxiliary_logits=True)
    auxiliary = expected.auxiliary_logits
    masks = [*(each["masks_queries_logits"] for each in auxiliary), expected.masks_queries_logits]
    for ours, theirs in zip(found.mask_logits, masks[-len(found.mask_logits) :], strict=True):
        assert apart(ours, theirs) < 1e-5
    final = model.predict_final(images)
    for ours, theirs in (
        (final.class_logits[0], expected.class_queries_logits),
        (final.mask_logits[0], expected.masks_queries_logits),
    ):
        assert apart(ours, theirs) < 1e-5
    shown = torch.cat([images * visible, visible], dim=1)
    painted = nn.functional.pixel_shuffle(reconstruction(shown).masks_queries_logits, 4)
    pixels = model.reconstruct(images, visible)
    assert apart(pixels, painted) < 1e-5
    for each in (pixels, painted):
        ((each - images) ** 2).mean().backward()
    names = {
        "encoder.": reconstruction.model.pixel_level_module.encoder,
        "decoder.pixel_decoder.": reconstruction.model.pixel_level_module.decoder,
        "decoder.query_decoder.": reconstruction.model.transformer_module,
    }
    gradients = {
        prefix + name: each.grad
        for prefix, module in names.items()
        for name, each in module.named_parameters()
        if each.grad is not None
    }
    ours = {n: p.grad for n, p in model.named_parameters() if p.grad is not None}
    assert ours.keys() == gradients.keys()
    largest = max(float(each.abs().max()) for each in gradients.values())
    for name, theirs in gradients.items():
        # The gradient of a key's bias is 0 but for rounding.
        assert apart(ours[name], theirs, largest) < 1e-4, name
