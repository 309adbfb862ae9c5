import copy
import dataclasses
import io
import json
import os
import pickle
import re
from collections import OrderedDict

import numpy as np
import pytest
import safetensors.torch
import torch
import transformers

from support import (
    SMALLEST,
    SPACE,
    changed,
    import_for,
    small_model,
    weights_of,
    with_drop_path,
)
from videottt.cli import main
from videottt.core.errors import InputError
from videottt.core.randomness import generator
from videottt.core.segments import ClassSpace
from videottt.models.checkpoint import Checkpoint, load_checkpoint
from videottt.models.convert import export_checkpoint
from videottt.models.convert.exporting import detectron2_arrays
from videottt.models.convert.layouts import DETECTRON2, HUGGING_FACE
from videottt.models.mask2former_config import mask2former_config
from videottt.models.pickles import read_pickle
from videottt.models.weights import read_tensors
from videottt.models.y_shaped import YShapedModel
from videottt.settings.presets import PRESETS

PATCHES = "backbone.patch_embed.proj.weight"
# What no file tells: the paper's.
SIZES = dataclasses.replace(with_drop_path(SMALLEST, 0.3), loss_points=12544, mask_patch=16)


@torch.no_grad()
def stirred(model):
    """Give every parameter distinct values: new norms are equal and could be swapped unnoticed."""
    draws = generator("stirred")
    for name, parameter in model.named_parameters():
        if ".swin.layernorm." not in name:
            parameter += 0.05 * torch.randn(parameter.shape, generator=draws)
    return model


@pytest.fixture(scope="module")
def joint():
    model = stirred(small_model(seed=5))
    return Checkpoint(model.eval(), list(SPACE.classes), SPACE, True, {})


@pytest.fixture(scope="module")
def arrays(joint):
    return detectron2_arrays(joint.model, decoder=True)


@pytest.fixture
def zoo(arrays):
    """Return a file of Mask2Former's model zoo: RGB input, no g, the old name of the queries."""
    names = [name for name in arrays if not name.startswith("recon_head.")]
    model = {name.replace(".query_feat.", ".static_query."): arrays[name] for name in names}
    return model | {PATCHES: model[PATCHES][:, :3]}


def pickled(path, model, **others):
    path.write_bytes(pickle.dumps({"model": model, "__author__": "somebody", **others}))
    return path


def images(batch=1):
    return torch.randn(batch, 3, 64, 96, generator=generator("images"))


def same_weights(first, second, parts):
    differing = changed(weights_of(first), second)
    return not {name for name in differing if name.split(".")[0] in parts}


# detectron2


def test_a_model_zoo_checkpoint_with_a_zero_fourth_channel_keeps_its_predictions(
    zoo, joint, tmp_path
):
    path = pickled(tmp_path / "model_final_a407fd.pkl", zoo)
    found = import_for(path, "semantic", SPACE, fourth_channel="zeros")
    assert (found.has_head, found.has_decoder) == (True, False)
    assert found.model.preset == SIZES
    assert found.classes == list(SPACE.classes)
    weights = found.model.encoder.swin.embeddings.patch_embeddings.projection.weight
    assert weights.shape[1] == 4
    assert not weights[:, 3].any()
    without = copy.deepcopy(joint.model)
    without.encoder.swin.embeddings.patch_embeddings.projection.weight.data[:, 3] = 0
    assert same_weights(found.model, without, {"encoder", "head"})
    with torch.inference_mode():
        assert torch.equal(
            found.model.predict(images()).mask_logits[-1], without.predict(images()).mask_logits[-1]
        )


def test_a_fourth_channel_from_scratch_has_new_weights_and_nothing_else_has(zoo, tmp_path):
    path = pickled(tmp_path / "x.pkl", zoo)
    found, same, other = (
        import_for(path, "semantic", SPACE, fourth_channel="scratch", seed=seed).model
        for seed in (3, 3, 4)
    )
    name = "encoder.swin.embeddings.patch_embeddings.projection.weight"
    assert changed(weights_of(found), same) == set()
    assert {each for each in changed(weights_of(found), other) if "decoder." not in each} == {name}
    weights, drawn = found.state_dict()[name], YShapedModel(SIZES, 19, seed=3).state_dict()[name]
    assert torch.equal(weights[:, 3], drawn[:, 3])
    assert torch.equal(weights[:, :3], torch.from_numpy(zoo[PATCHES]))


def test_three_channels_without_the_option_fourth_channel_are_refused(zoo, tmp_path):
    path = pickled(tmp_path / "x.pkl", zoo)
    with pytest.raises(InputError, match=r"three channels.*--fourth-channel scratch"):
        import_for(path, "semantic", SPACE)
    with pytest.raises(InputError, match="did you mean 'zeros'"):
        import_for(path, "semantic", SPACE, fourth_channel="zero")


def doubled(model):
    return {
        name.replace(".pixel_decoder.", ".pixel_decoder.pixel_decoder."): array
        for name, array in model.items()
    }


def wrapped(model):
    return {f"module.{name}": array for name, array in model.items()}


def of_lightning(model):
    """Return weights as of a compiled model in a training program whose loss has weights too."""
    return {f"model._orig_mod.{name}": array for name, array in model.items()} | {
        "loss.class_weights": np.ones(3, np.float32)
    }


def as_tensors(model):
    return {name: torch.from_numpy(np.array(array)) for name, array in model.items()}


def as_parameters(model):
    return OrderedDict(
        (name, torch.nn.Parameter(tensor, requires_grad=tensor.is_floating_point()))
        for name, tensor in as_tensors(model).items()
    )


@pytest.mark.parametrize("variant", [doubled, wrapped, of_lightning, as_tensors, as_parameters])
@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_every_form_in_which_the_authors_may_store_a_checkpoint_is_imported(
    arrays, joint, tmp_path, variant, protocol
):
    content = {"model": variant(arrays), "matching_heuristics": True}
    (tmp_path / "x.pkl").write_bytes(pickle.dumps(content, protocol))
    found = import_for(tmp_path / "x.pkl", "semantic", SPACE)
    assert found.has_decoder
    assert changed(weights_of(joint.model), found.model) == set()


@pytest.mark.parametrize("zipped", [True, False])
def test_a_checkpoint_that_torch_saved_beside_other_training_data_is_imported(
    arrays, joint, tmp_path, zipped
):
    content = {"model": as_tensors(arrays), "iteration": 7, "optimizer": {"state": {}}}
    torch.save(content, tmp_path / "x.pth", _use_new_zipfile_serialization=zipped)
    found = import_for(tmp_path / "x.pth", "semantic", SPACE)
    assert changed(weights_of(joint.model), found.model) == set()


@pytest.mark.parametrize("decoder", [True, False], ids=["joint", "main_task"])
def test_a_model_survives_export_and_import_bit_for_bit(joint, tmp_path, decoder):
    path = tmp_path / "x.pkl"
    export_checkpoint(path, dataclasses.replace(joint, has_decoder=decoder))
    found = import_for(path, "semantic", SPACE)
    assert found.has_decoder == decoder
    assert same_weights(joint.model, found.model, {"encoder", "head", *["decoder"] * decoder})
    again = tmp_path / "again.pkl"
    export_checkpoint(again, Checkpoint(found.model, found.classes, SPACE, decoder, {}))
    assert again.read_bytes() == path.read_bytes()


class OldNumpy(pickle.Unpickler):
    """An unpickler with the names of numpy 1.23, which the authors' release needs."""

    def find_class(self, module, name):
        assert not module.startswith("numpy._core")
        return super().find_class(module, name)


def test_an_exported_file_has_the_structure_that_the_release_loads(joint, tmp_path):
    path = tmp_path / "x.pkl"
    export_checkpoint(path, joint)
    with path.open("rb") as file:
        content = OldNumpy(file, encoding="latin1").load()
    assert content.keys() == {"model", "__author__"}
    model = content["model"]
    assert {type(array) for array in model.values()} == {np.ndarray}
    # Without these versions its head renames the pixel decoder, which then stays random.
    heads = ("sem_seg_head", "recon_head")
    versioned = {name for name, each in model._metadata.items() if each["version"] == 2}
    assert versioned == {*heads, *(f"{head}.predictor" for head in heads)}
    assert {name.rpartition(".")[0] for name in model} <= model._metadata.keys()
    attention = "backbone.layers.0.blocks.0.attn"
    index = model[f"{attention}.relative_position_index"]
    # Of patches (0, 0) and (0, 1), (1, 0); of a patch and itself; of the two corners.
    assert index.dtype == np.int64
    assert index[0, :2].tolist() == [6 * 13 + 6, 6 * 13 + 5]
    assert (index[0, 7], index[48, 0], index[0, 48]) == (5 * 13 + 6, 168, 0)
    assert model["criterion.empty_weight"].tolist() == [1.0] * 19 + [np.float32(0.1)]


# Names


def test_every_parameter_has_one_name_in_detectron2_and_every_rule_is_used(joint):
    assert transformers.__version__.startswith("5.23."), "look whether its names have changed"
    names = list(joint.model.state_dict())
    unnamed = {name for name in names if DETECTRON2.theirs(name) is None}
    assert unnamed == {"encoder.swin.layernorm.weight", "encoder.swin.layernorm.bias"}
    back = {own for name in names if name not in unnamed
            for own in DETECTRON2.ours(DETECTRON2.theirs(name))}  # fmt: skip
    assert back == set(names) - unnamed
    for theirs, ours in DETECTRON2.pairs:
        pattern = re.escape(ours).replace("qkv", "q")
        pattern = re.sub(r"\\\{\w+\\\}", "[0-9a-z_.]+", pattern)
        assert any(re.fullmatch(pattern, name) for name in names), (theirs, ours)


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        (
            "backbone.layers.2.blocks.17.attn.qkv.bias",
            [f"encoder.swin.encoder.layers.2.blocks.17.attention.{e}_proj.bias" for e in "qkv"],
        ),
        ("backbone.norm0.weight", ["encoder.hidden_states_norms.stage1.weight"]),
        (
            "sem_seg_head.predictor.transformer_self_attention_layers.8.self_attn.in_proj_weight",
            [f"head.query_decoder.decoder.layers.8.self_attn.{e}_proj.weight" for e in "qkv"],
        ),
        (
            "recon_head.predictor.transformer_cross_attention_layers.0.multihead_attn.in_proj_bias",
            ["decoder.query_decoder.decoder.layers.0.cross_attn.in_proj_bias"],
        ),
        (
            "recon_head.pixel_decoder.transformer.encoder.layers.5.norm2.bias",
            ["decoder.pixel_decoder.encoder.layers.5.final_layer_norm.bias"],
        ),
        (
            "sem_seg_head.predictor.mask_embed.layers.2.weight",
            ["head.query_decoder.decoder.mask_predictor.mask_embedder.2.0.weight"],
        ),
        ("sem_seg_head.pixel_decoder.adapter_1.weight", ["head.pixel_decoder.adapter_1.0.weight"]),
        ("sem_seg_head.predictor.class_embed.bias", ["head.class_predictor.bias"]),
        ("recon_head.predictor.class_embed.bias", []),
    ],
)
def test_detectron2_names_map_to_our_names(theirs, ours):
    assert list(DETECTRON2.ours(theirs)) == ours
    assert [DETECTRON2.theirs(name) for name in ours] == [theirs] * len(ours)


# Hugging Face


@pytest.fixture(scope="module")
def hugging_face():
    """Return transformers' own model, with RGB input."""
    config = mask2former_config(SMALLEST, SMALLEST.queries, 19)
    config.backbone_config.num_channels = 3
    return stirred(transformers.Mask2FormerForUniversalSegmentation(config)).eval()


def with_published_names(model, folder):
    """Save a model with transformers, which writes the older names of the published files."""
    model.save_pretrained(folder)
    names = safetensors.torch.load_file(folder / "model.safetensors")
    assert any(".attention.self.query." in name for name in names)
    return folder / "model.safetensors"


def with_published_buffers(model, folder):
    tensors = safetensors.torch.load_file(with_published_names(model, folder))
    block = "model.pixel_level_module.encoder.encoder.layers.0.blocks.0.attention.self"
    tensors[f"{block}.relative_position_index"] = torch.zeros(49, 49, dtype=torch.int64)
    tensors["criterion.empty_weight"] = torch.ones(20)
    torch.save(tensors, folder / "pytorch_model.bin")
    return folder / "pytorch_model.bin"


def with_current_names(model, folder):
    folder.mkdir()
    tensors = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    safetensors.torch.save_file(tensors, folder / "model.safetensors")
    return folder / "model.safetensors"


def in_a_training_program(model, folder):
    folder.mkdir()
    tensors = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    held = {"state_dict": tensors, "epoch": 2, "callbacks": {"best": np.float64(0.5)}}
    torch.save(held, folder / "last.ckpt")
    return folder / "last.ckpt"


@pytest.mark.parametrize(
    "write",
    [with_published_names, with_published_buffers, with_current_names, in_a_training_program],
)
def test_an_imported_hugging_face_model_predicts_as_transformers_does(
    hugging_face, tmp_path, write
):
    path = write(hugging_face, tmp_path / "model")
    found = import_for(path, "semantic", SPACE, fourth_channel="zeros")
    assert found.title == HUGGING_FACE.title
    assert (found.has_head, found.has_decoder) == (True, False)
    assert found.model.preset == SIZES
    with torch.inference_mode():
        expected, outputs = hugging_face(images()), found.model.predict(images())
    assert outputs.class_logits[-1] == pytest.approx(expected.class_queries_logits, abs=1e-5)
    assert outputs.mask_logits[-1] == pytest.approx(expected.masks_queries_logits, abs=1e-5)


# Swin Transformer


@pytest.fixture
def imagenet(arrays, tmp_path):
    """Return a checkpoint of Swin Transformer's authors: a classifier, no norms of the maps."""
    names = [n for n in arrays if n.startswith("backbone.") and "backbone.norm" not in n]
    model = {name.removeprefix("backbone."): torch.tensor(arrays[name]) for name in names}
    model["patch_embed.proj.weight"] = model["patch_embed.proj.weight"][:, :3].clone()
    last = len(model["layers.3.blocks.0.norm1.weight"])
    for name in ("norm", "head"):
        model |= {f"{name}.weight": torch.ones(last), f"{name}.bias": torch.ones(last)}
    model["layers.0.blocks.0.attn_mask"] = torch.zeros(64, 49, 49)
    torch.save({"model": model}, tmp_path / "swin_small_patch4_window7_224.pth")
    return tmp_path / "swin_small_patch4_window7_224.pth"


def test_a_swin_transformer_gives_the_encoder_and_both_heads_are_new(imagenet, joint):
    found = import_for(imagenet, "colorization", ClassSpace(()), fourth_channel="zeros", seed=1)
    assert (found.has_head, found.has_decoder) == (False, False)
    assert (found.model.head_kind, found.classes) == ("colours", [])
    # Sizes that an encoder does not tell are the paper's.
    preset = found.model.preset
    assert (preset.encoder.embed_dim, preset.hidden_dim) == (SMALLEST.encoder.embed_dim, 256)
    new = YShapedModel(preset, 0, seed=1, head="colours")
    assert same_weights(new, found.model, {"head", "decoder"})
    norms = {f"hidden_states_norms.stage{n}.{kind}" for n in range(1, 5)
             for kind in ("weight", "bias")}  # fmt: skip
    patches = "swin.embeddings.patch_embeddings.projection.weight"
    assert changed(weights_of(joint.model.encoder), found.model.encoder) == {patches, *norms}
    assert not changed(weights_of(new.encoder), found.model.encoder) & norms


# What does not fit


def test_all_misfits_of_an_imported_file_are_listed_in_one_error(arrays, tmp_path):
    model = dict(arrays)
    for layer in range(4):
        del model[f"backbone.layers.{layer}.blocks.0.mlp.fc2.bias"]
    qkv = "backbone.layers.1.blocks.0.attn.qkv.weight"
    model |= {"recon_head.predictor.class_embed.weight": np.ones(3), qkv: model[qkv][:90]}
    model["sem_seg_head.predictor.level_embed.weight"] = np.ones((3, 5), np.float32)
    with pytest.raises(InputError) as caught:
        import_for(pickled(tmp_path / "x.pkl", model), "semantic", SPACE)
    message = str(caught.value)
    assert "4 missing: backbone.layers.*.blocks.*.mlp.fc2.bias (4); " in message
    assert "1 unknown: recon_head.predictor.class_embed.weight" in message
    assert f"2 misshapen: {qkv} [90, 32], expected [96, 32], " in message
    assert "level_embed.weight [3, 5], expected [3, 32]" in message
    assert "\n" not in message


def without_queries(model):
    del model["sem_seg_head.predictor.query_feat.weight"]
    return "1 missing: sem_seg_head.predictor.query_feat.weight"


def wide_windows(model):
    for name in model:
        if name.endswith("relative_position_bias_table"):
            model[name] = np.zeros((23**2, model[name].shape[1]), np.float32)
    return "windows of 12 patches"


def other_classes(model):
    head = "sem_seg_head.predictor.class_embed"
    model |= {f"{head}.bias": np.zeros(81), f"{head}.weight": np.zeros((81, 32))}
    return "names 80 classes, but the task 'semantic' on this data set has 19"


def twice(model):
    name = "sem_seg_head.predictor.query_feat.weight"
    model[name.replace("query_feat", "static_query")] = model[name]
    return "two tensors for 'sem_seg_head.predictor.query_feat.weight'"


def of_another_program(model):
    weights = dict(model)
    model.clear()
    model |= {f"resnet.{name}": array for name, array in weights.items()}
    return "has none of the names of"


def indivisible(model):
    name = "sem_seg_head.pixel_decoder.transformer.encoder.layers.0.self_attn.attention_weights"
    model[f"{name}.bias"] = np.zeros(12 * 5, np.float32)
    return "its shapes fit no model"


@pytest.mark.parametrize(
    "spoil",
    [without_queries, wide_windows, other_classes, twice, of_another_program, indivisible],
)
def test_a_file_of_another_model_is_refused(arrays, tmp_path, spoil):
    model = dict(arrays)
    message = spoil(model)
    path = pickled(tmp_path / "x.pkl", model)
    with pytest.raises(InputError, match=re.escape(message)) as caught:
        import_for(path, "semantic", SPACE)
    assert str(path) in str(caught.value)


def test_a_preset_is_checked_against_the_file_and_supplies_sizes_without_a_shape(arrays, tmp_path):
    path = pickled(tmp_path / "x.pkl", arrays)
    with pytest.raises(InputError, match=r"depths is \[1, 1, 1, 1\], not \[2, 2, 18, 2\]"):
        import_for(path, "semantic", SPACE, model="swin_small")
    tiny = YShapedModel(PRESETS["tiny"], 19)
    path = pickled(tmp_path / "tiny.pkl", detectron2_arrays(tiny, decoder=False))
    found = import_for(path, "semantic", SPACE, model="tiny")
    assert found.model.preset == PRESETS["tiny"]
    assert import_for(path, "semantic", SPACE).model.preset.encoder.drop_path_rate == 0.3


def test_a_class_head_is_refused_for_colorization_and_a_colour_head_is_not_exported(
    arrays, tmp_path
):
    path = pickled(tmp_path / "x.pkl", arrays)
    with pytest.raises(InputError, match="'colorization' paints"):
        import_for(path, "colorization", SPACE)
    painter = YShapedModel(SMALLEST, 0, head="colours")
    with pytest.raises(InputError, match="paints colours"):
        export_checkpoint(tmp_path / "y.pkl", Checkpoint(painter, [], ClassSpace(()), False, {}))
    assert not (tmp_path / "y.pkl").exists()


# Pickles

HELD = {
    "model": OrderedDict(
        whole=np.arange(6, dtype="<f4").reshape(2, 3),
        turned=np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        swapped=np.arange(3, dtype=">i2"),
        truth=np.array([True, False]),
        number=np.float32(0.5),
        empty=np.zeros((0, 4), np.int64),
    ),
    "more": [1, 2.5, None, True, "text", b"bytes", ("pair", [np.ones(2)])],
}
HELD["model"]._metadata = OrderedDict({"": {"version": 2}})
HELD["again"] = HELD["model"]


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("numpy", ["numpy._core", "numpy.core"])
def test_arrays_and_plain_containers_are_read_unchanged(tmp_path, protocol, numpy):
    content = pickle.dumps(HELD, protocol)
    if protocol < 4:
        content = content.replace(b"cnumpy._core.", f"c{numpy}.".encode())
    (tmp_path / "x.pkl").write_bytes(content)
    found = read_pickle(tmp_path / "x.pkl")
    model = found["model"]
    assert found["again"] is model
    assert model._metadata == {"": {"version": 2}}
    for name, expected in HELD["model"].items():
        assert np.array_equal(model[name], expected), name
        assert np.asarray(model[name]).dtype == np.asarray(expected).dtype.newbyteorder("=") or (
            name == "number"
        )
    model["whole"][0, 0] = 7
    assert found["more"][:6] == HELD["more"][:6]
    assert found["more"][6][1][0].tolist() == [1.0, 1.0]


def test_a_pickle_of_python_2_is_read(tmp_path):
    numbers = np.array([1.5, -2.0], "<f4").tobytes()
    content = (
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
        b"(K\x01K\x02\x85cnumpy\ndtype\nU\x02f4K\x00K\x01\x87R"
        b"(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89U\x08" + numbers + b"tb."
    )
    (tmp_path / "x.pkl").write_bytes(content)
    assert read_pickle(tmp_path / "x.pkl").tolist() == [1.5, -2.0]


class Calls:
    """An object whose pickle asks the reader to call a function."""

    def __init__(self, function, *arguments):
        self._asked = function, arguments

    def __reduce__(self):
        return self._asked


class Elsewhere(pickle.Pickler):
    def persistent_id(self, value):
        return "place" if value == "kept elsewhere" else None


def elsewhere():
    file = io.BytesIO()
    Elsewhere(file, 4).dump(["kept elsewhere"])
    return file.getvalue()


def torch_saved(value):
    """Return a pickle inside a pickle, which torch would read without checking it."""
    file = io.BytesIO()
    torch.save(value, file)
    return pickle.dumps(Calls(torch.storage._load_from_bytes, file.getvalue()))


def enlarged(size):
    """Return the pickle of a tensor of two numbers that claims to have more."""
    storage = torch.ones(2).untyped_storage()
    typed = torch.storage.TypedStorage(wrap_storage=storage, dtype=torch.float32, _internal=True)
    return pickle.dumps(Calls(torch._utils._rebuild_tensor_v2, typed, 0, size, (0,), False, None))


def attributed():
    mapping = OrderedDict(a=1)
    mapping.other = "not a method"
    return pickle.dumps(mapping).replace(b"other", b"items")


ARRAY = pickle.dumps(np.ones(3, "<f4"), 3)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (pickle.dumps(Calls(os.mkdir, "made")), f"asks for '{os.mkdir.__module__}.mkdir'"),
        (pickle.dumps(Calls(eval, "1 + 1")), "asks for 'builtins.eval'"),
        (pickle.dumps({"model": small_model}), "asks for 'support.small_model'"),
        (pickle.dumps(dataclasses.replace(SMALLEST)), "asks for 'videottt.settings.pre"),
        (pickle.dumps({"a": {1, 2}}), "a function or a class"),
        (pickle.dumps({"a": OrderedDict}), "a function or a class"),
        (pickle.dumps({"a": np.ndarray}), "a function or a class"),
        (pickle.dumps({(1, 2): 3}), "names something by other than text"),
        (elsewhere(), "persistent id"),
        (torch_saved(Calls(os.mkdir, "made")), "UnpicklingError"),
        (torch_saved({"a": torch.ones(1)}), "a function or a class"),
        (enlarged((2**40,)), "2 numbers for a tensor of shape [1099511627776]"),
        (attributed(), "sets the attribute 'items'"),
        (pickle.dumps(np.array([small_model, None])), "support.small_model"),
        (pickle.dumps(np.array([None, 1])), "not of numbers"),
        (pickle.dumps(np.zeros(2, [("a", "f4")])), "records"),
        (pickle.dumps(np.array(["text"])), "not of numbers"),
        # Three numbers become 2^31 in the shape; a place beyond the end in the memo; a length.
        (ARRAY.replace(b"K\x03\x85", b"J\xff\xff\xff\x7f\x85"), "12 bytes for an array of shape"),
        (b"\x80\x04]r\xff\xff\xff\x7f.", "fewer values than its place 2147483647"),
        (b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x00abc.", "not a readable pickle"),
        (pickle.dumps(HELD)[:-20], "not a readable pickle"),
        (b"no pickle at all", "not a readable pickle"),
        (b"\x80\x04" + b"(" * 9, "not a readable pickle"),
    ],
    ids=lambda value: value[:24] if isinstance(value, str) else "",
)
def test_other_content_of_a_pickle_is_refused_and_no_code_is_run(
    tmp_path, monkeypatch, content, reason
):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "x.pkl"
    path.write_bytes(content)
    with pytest.raises(InputError, match=re.escape(reason)) as caught:
        read_pickle(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert [each.name for each in tmp_path.iterdir()] == ["x.pkl"]


def test_a_shared_container_is_converted_once(tmp_path):
    held = [np.ones(1)]
    for _ in range(60):
        held = [held, held]
    held[0].append(held)
    (tmp_path / "x.pkl").write_bytes(pickle.dumps(held))
    found = read_pickle(tmp_path / "x.pkl")
    assert found[0][2] is found
    assert found[0] is found[1]


# Files


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"<!DOCTYPE html><html>", "text or empty"),
        (b"version https://git-lfs.github.com/spec/v1\n", "text or empty"),
        (b"", "text or empty"),
        (b"PK\x03\x04 no archive", "cannot|safely"),
        (b"\x10\x00\x00\x00\x00\x00\x00\x00{broken", "not a readable safetensors file"),
        (pickle.dumps([1, 2]), "holds no weights by name"),
        (pickle.dumps({"model": {"a": "text"}}), "entry 'a' is no array of numbers but a str"),
    ],
)
def test_a_file_without_weights_is_refused(tmp_path, content, reason):
    path = tmp_path / "x.pkl"
    path.write_bytes(content)
    with pytest.raises(InputError, match=reason):
        read_tensors(path)
    with pytest.raises(InputError, match="no such file"):
        read_tensors(tmp_path / "absent.pkl")


def test_a_file_that_torch_saved_may_hold_only_tensors(tmp_path):
    torch.save({"model": Calls(os.mkdir, str(tmp_path / "made"))}, tmp_path / "x.pth")
    with pytest.raises(InputError, match="safely"):
        read_tensors(tmp_path / "x.pth")
    assert not (tmp_path / "made").exists()


# The command line


def test_a_checkpoint_is_exported_and_imported_on_the_command_line(joint_checkpoint, tmp_path):
    exported, imported = tmp_path / "x.pkl", tmp_path / "x.safetensors"
    main([
        "export-checkpoint", "--checkpoint", str(joint_checkpoint), "--output", str(exported),
    ])  # fmt: skip
    main([
        "import-checkpoint", "--from", str(exported), "--task", "semantic", "--settings",
        json.dumps(dataclasses.asdict(SPACE)), "--output", str(imported),
    ])  # fmt: skip
    before, after = load_checkpoint(joint_checkpoint), load_checkpoint(imported)
    assert changed(weights_of(before.model), after.model) == set()
    assert (after.classes, after.space, after.has_decoder) == (before.classes, SPACE, True)
    assert after.provenance["imported"] == "x.pkl"
    assert after.provenance["untrained"] == []


def test_a_wrong_file_gives_a_one_line_error_on_the_command_line(tmp_path, capsys):
    path = pickled(tmp_path / "x.pkl", Calls(os.mkdir, "made"))
    with pytest.raises(SystemExit) as caught:
        main([
            "import-checkpoint", "--from", str(path), "--task", "semantic", "--settings", "{}",
            "--output", str(tmp_path / "y.safetensors"),
        ])  # fmt: skip
    assert caught.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith("videottt: error: ")
    assert error.count("\n") == 1
    assert not (tmp_path / "y.safetensors").exists()
