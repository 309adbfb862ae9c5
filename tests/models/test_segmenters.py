"""Test the architectures of section 5.1: published names, arithmetic and predictions.

Weights are random, but have the names and shapes of the published files. `THEIRS` has the outputs
of the authors' own code with the same weights.
"""

import argparse
import zlib
from types import SimpleNamespace

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import nn
from transformers import SegformerConfig, SegformerForSemanticSegmentation

from segmenter_shapes import B4, deeplab_shapes, segformer_shapes
from support import contents, store_frames
from videottt.cli import parser
from videottt.core.errors import InputError
from videottt.core.files import sha256
from videottt.models.baselines.deeplabv3plus import DeepLabV3PlusR101, load_deeplabv3plus_r101
from videottt.models.baselines.published import read_published
from videottt.models.baselines.segformer import SegFormerB4, current_names, load_segformer_b4
from videottt.models.baselines.segmenters import SEGMENTERS, Tiles, segment, spans, tiled
from videottt.store.predictions import PredictionReader
from videottt.store.source_frame import SourceFrame

SMALL = {"widths": (8, 16, 40, 64), "depths": (1, 2, 1, 1), "decoder": 24, "classes": 5}
EDGES = {"shortest_edge": 64, "longest_edge": 2048}


def drawn(shapes):
    return {name: draw(name, shape) for name, shape in shapes.items()}


def draw(name, shape):
    """Return a weight: a window that slides over random numbers, so that files are small.

    The numbers come from RandomState, whose sequence numpy promises to keep.
    """
    if not shape:
        return torch.tensor(7)
    draws = np.random.RandomState(zlib.crc32(name.encode()))
    strides = (3, 1, 7, 5)[: len(shape)]
    length = 1 + sum((n - 1) * stride for n, stride in zip(shape, strides, strict=True))
    numbers = torch.from_numpy(draws.standard_normal(length).astype(np.float32))
    if len(shape) > 1:
        return (numbers * (1 / np.prod(shape[1:])) ** 0.5).as_strided(shape, strides)
    numbers = numbers[::3] / 10
    return numbers.abs() + 0.6 if name.endswith(("weight", "running_var")) else numbers


# Of mmsegmentation (that of NVlabs/SegFormer, 65fa8cf, with mmcv 1.3.0) on `frame` resized to
# 75 x 135, given the weights that `draw` makes: logits of the head at 12 places, first to last,
# and how many pixels it gives each class, whole and in tiles of 64 with a stride of 48.
THEIRS = {
    "segformer_b4": SimpleNamespace(
        logits=[0.482017, 0.489928, 1.128539, 1.062041, -0.160659, -0.586008,
                0.003586, -0.343448, 0.249796, 0.707851, 0.010336, -0.003627],
        whole={3: 2851, 5: 1476, 15: 37, 16: 136},
        tiles={3: 2582, 5: 879, 13: 3, 15: 451, 16: 585},
    ),
    "deeplabv3plus_r101": SimpleNamespace(
        logits=[-0.150545, 0.302252, -0.240665, -0.459264, -0.028355, -0.332432,
                -0.444037, -0.17242, 0.129826, 0.039296, 0.436435, 0.120857],
        whole={7: 4077, 11: 112, 14: 311},
        tiles={1: 3, 7: 3932, 11: 283, 14: 282},
    ),
}  # fmt: skip
RESIZED = {"shortest_edge": 75, "longest_edge": 2048}


@pytest.fixture(scope="module")
def frame():
    return np.random.RandomState(0).randint(0, 256, (50, 90, 3)).astype(np.uint8)


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """Write the files of both networks in their published formats; return the paths."""
    folder = tmp_path_factory.mktemp("published")
    paths = {"segformer_b4": folder / "pytorch_model.bin", "deeplabv3plus_r101": folder / "r.pth"}
    torch.save(drawn(segformer_shapes(**B4)), paths["segformer_b4"])
    notes = {"mmseg_version": "0.5.0", "CLASSES": ("road", "sidewalk"), "PALETTE": [[128, 64, 128]]}
    content = {"meta": notes, "state_dict": drawn(deeplab_shapes())}
    torch.save(content, paths["deeplabv3plus_r101"])
    return paths


@pytest.fixture(scope="module")
def networks(published):
    return {name: SEGMENTERS[name].load(path) for name, path in published.items()}


@pytest.mark.parametrize("name", THEIRS)
def test_the_arithmetic_is_that_of_the_authors(name, networks, frame):
    network, theirs = networks[name], THEIRS[name]
    assert not network.training
    seen = []
    hook = network.register_forward_hook(lambda _, inputs, logits: seen.append((*inputs, logits)))
    whole = segment(network, frame, **RESIZED, tiles=None)
    in_tiles = segment(network, frame, **RESIZED, tiles=Tiles(64, 48))
    hook.remove()
    (images, logits), *of_tiles = seen
    assert images.shape == (1, 3, 75, 135)
    assert logits.shape == (1, 19, 19, 34)
    places = torch.linspace(0, logits.numel() - 1, 12).long()
    found = logits.flatten()[places].tolist()
    assert found == pytest.approx(theirs.logits, abs=5e-5)
    assert [tuple(each.shape[2:]) for each, _ in of_tiles] == [(64, 64)] * 6
    for classes, expected in ((whole, theirs.whole), (in_tiles, theirs.tiles)):
        assert (classes.shape, classes.dtype) == (frame.shape[:2], np.uint8)
        counts = np.bincount(classes.ravel(), minlength=19)
        wanted = np.bincount([*expected], [*expected.values()], minlength=19)
        # A pixel between two classes may fall to either on another processor.
        assert np.abs(counts - wanted).max() <= 5


def test_the_numbers_of_parameters_are_those_of_the_paper_with_150_classes():
    def millions(network):
        return round(sum(parameter.numel() for parameter in network.parameters()) / 1e6, 2)

    with torch.device("meta"):
        auxiliary = nn.Sequential(
            nn.Conv2d(1024, 256, 3, bias=False), nn.BatchNorm2d(256), nn.Conv2d(256, 150, 1)
        )
        sizes = {c: (SegFormerB4(c), DeepLabV3PlusR101(c)) for c in (19, 150)}
    assert [millions(network) for network in sizes[19]] == [64.01, 60.22]
    segformer, deeplab = sizes[150]
    assert round(millions(segformer), 1) == 64.1
    assert round(millions(nn.ModuleList([deeplab, auxiliary])), 1) == 62.7


def test_published_names_become_the_names_of_the_installed_transformers(tmp_path):
    published = {name: each.contiguous() for name, each in drawn(segformer_shapes(**SMALL)).items()}
    config = SegformerConfig(
        depths=SMALL["depths"],
        hidden_sizes=SMALL["widths"],
        decoder_hidden_size=SMALL["decoder"],
        num_labels=SMALL["classes"],
    )
    config.save_pretrained(tmp_path)
    safetensors.torch.save_file(published, tmp_path / "model.safetensors", {"format": "pt"})
    theirs = SegformerForSemanticSegmentation.from_pretrained(tmp_path).state_dict()
    ours = current_names(published)
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_norms_have_the_epsilon_of_the_training(networks):
    stage = networks["segformer_b4"].network.segformer.stages[2]
    block = stage.blocks[5]
    tokens = torch.tensor([1e-3, -1e-3]).repeat(160)
    # Of variance 1e-6, so that an epsilon as large halves the square.
    for norm_ in (block.layernorm_before, block.layernorm_after, stage.layer_norm):
        normed = (norm_(tokens) - norm_.bias) / norm_.weight
        assert torch.allclose(normed, tokens.sign() * 0.5**0.5, atol=1e-4)


def test_tiles_cover_a_frame_as_mmsegmentation_lays_them():
    city = Tiles(side=1024, stride=768)
    assert spans(2048, city) == [(0, 1024), (768, 1792), (1024, 2048)]
    assert spans(1792, city) == [(0, 1024), (768, 1792)]
    assert spans(1025, city) == [(0, 1024), (1, 1025)]
    assert spans(618, city) == spans(618, None) == [(0, 618)]
    assert SEGMENTERS["segformer_b4"].tiles == city


def test_tiles_are_averaged_where_they_meet():
    images = torch.rand(1, 3, 7, 10)
    same = tiled(lambda crop: crop, images, Tiles(4, 3))
    assert torch.allclose(same, images)
    numbers = iter([2.0, 4.0, 8.0])
    # Columns 0 to 3, 3 to 6 and 6 to 9.
    row = tiled(lambda crop: torch.full((1, 1, 2, 2), next(numbers)), images[:, :, :4], Tiles(4, 3))
    assert row[0, 0, 2].tolist() == [2, 2, 2, 3, 4, 4, 6, 8, 8, 8]


def predict(**options):
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    edges = [f"--{name.replace('_', '-')}={value}" for name, value in EDGES.items()]
    parsed = parser().parse_args(["predict-segmenter", "--device", "cpu", *edges, *words])
    parsed.run(parsed)


@pytest.mark.parametrize("name", THEIRS)
def test_the_verb_caches_a_segmented_video_and_what_it_cost(
    name, source_frames, published, networks, tmp_path
):
    frames = store_frames(tmp_path / "frames.h5", source_frames[:2])
    job = {"frames": frames, "network": name, "weights": published[name], "seed": 3}
    for output in ("once.h5", "twice.h5"):
        predict(**job, method="other", output=tmp_path / output)
    with PredictionReader(tmp_path / "once.h5") as found:
        ids = (found.key.dataset, found.key.task, found.key.method, found.key.seed, found.kind)
        assert ids == ("synthetic", "semantic", "other", 3, "classes")
        tiles = {"segformer_b4": {"side": 1024, "stride": 768}}.get(name)
        assert found.settings == {"segmenter": name, **EDGES, "tiles": tiles}
        expected = segment(networks[name], source_frames[1].image, **EDGES, tiles=None)
        assert np.array_equal(found.prediction(1), expected)
        assert (found.wall_time("predict") > 0).all()
        assert found.wall_time("adapt").tolist() == [0, 0]
        assert np.isnan(found.number("loss")).all()
        assert found.provenance["weights"] == sha256(published[name])
    measured = ("wall_time", "memory")
    once, twice = (contents(tmp_path / f"{each}.h5", measured) for each in ("once", "twice"))
    assert once == twice


def test_a_video_of_other_classes_is_refused(source_frames, published, tmp_path):
    classes = ("sidewalk", "road")
    unlabelled = [SourceFrame(each.name, each.image) for each in source_frames[:1]]
    frames = store_frames(tmp_path / "frames.h5", unlabelled, classes=classes, things=())
    job = {"network": "segformer_b4", "weights": published["segformer_b4"], "method": "other"}
    with pytest.raises(InputError, match=r"frames.h5: its classes are not the 19 of Cityscapes"):
        predict(frames=frames, seed=0, output=tmp_path / "out.h5", **job)
    assert not (tmp_path / "out.h5").exists()


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [
        ("segformer_b4", "segformer.stages.0.patch_embeddings.proj.weight", "classifier"),
        ("deeplabv3plus_r101", "backbone.stem.0.weight", "conv_seg"),
    ],
)
def test_weights_of_another_network_are_refused_with_every_name(
    name, first, last, published, tmp_path
):
    content = torch.load(published[name], weights_only=True)
    weights = content.get("state_dict", content)
    missing = next(iter(weights))
    misshapen = f"decode_head.{last}.bias"
    wrong = {**weights, misshapen: torch.zeros(150), "decode_head.more": torch.zeros(1)}
    del wrong[missing]
    path = tmp_path / "wrong.pth"
    torch.save(wrong, path)
    with pytest.raises(InputError) as raised:
        SEGMENTERS[name].load(path)
    message = str(raised.value)
    assert "\n" not in message
    for said in (
        str(path),
        f"missing {first};",
        f"misshapen {misshapen} [150], expected [19];",
        "unknown decode_head.more;",
    ):
        assert said in message
    assert message.count("missing") == message.count("unknown") == 1


def test_a_file_of_weights_runs_no_code_and_its_error_names_the_fault(published, tmp_path):
    path = tmp_path / "wrong.bin"
    for content, message in (
        (argparse.Namespace(), "no weights that can be read safely"),
        (torch.zeros(1), "no weights by name"),
        ({"meta": {}, "state_dict": {"a": "b"}}, "'a' is no array of numbers but a str"),
    ):
        torch.save(content, path)
        with pytest.raises(InputError, match=message):
            load_segformer_b4(path)
    for damaged, message in (
        (b"", "text or empty"),
        (b"<html>", "text or empty"),
        (published["segformer_b4"].read_bytes()[:100_000], "no weights that can be read safely"),
    ):
        path.write_bytes(damaged)
        with pytest.raises(InputError, match=message):
            load_segformer_b4(path)
    with pytest.raises(InputError, match="no such file of weights"):
        load_deeplabv3plus_r101(tmp_path / "absent.pth")


def test_weights_in_half_precision_or_as_safetensors_are_read_as_float32(tmp_path):
    weights = {"weight": torch.tensor([0.5, -2.0]), "seen": torch.tensor(3)}
    half = {**weights, "weight": weights["weight"].half()}
    torch.save(half, tmp_path / "half.bin")
    safetensors.torch.save_file(half, tmp_path / "half.safetensors")
    for name in ("half.bin", "half.safetensors"):
        found = read_published(tmp_path / name)
        assert found.keys() == weights.keys()
        assert found["weight"].dtype == torch.float32
        assert all(torch.equal(found[each], weights[each]) for each in weights)
