"""Test the network of Zhang et al. 2016: published names, arithmetic and colorized frames."""

import argparse
import itertools

import numpy as np
import pytest
import torch

from support import store_frames
from videottt.cli import parser
from videottt.core.cielab import grey_frame, lab_of
from videottt.core.errors import InputError
from videottt.core.files import sha256
from videottt.models.baselines.zhang2016 import Zhang2016, colourise, load_zhang2016
from videottt.store.predictions import PredictionReader

# Channels of the published state dict by stage: in, then out of every convolution, by place.
CONVOLUTIONS = {
    "model1": (1, 64, 64),
    "model2": (64, 128, 128),
    "model3": (128, 256, 256, 256),
    "model4": (256, 512, 512, 512),
    "model5": (512, 512, 512, 512),
    "model6": (512, 512, 512, 512),
    "model7": (512, 512, 512, 512),
}
NORM = ("weight", "bias", "running_mean", "running_var")
DECODER = {
    "model8.0": (512, 256, 4, 4),  # transposed: in before out
    "model8.2": (256, 256, 3, 3),
    "model8.4": (256, 256, 3, 3),
    "model8.6": (313, 256, 1, 1),
}


def published_shapes():
    shapes = {}
    for stage, channels in CONVOLUTIONS.items():
        for place, (before, after) in enumerate(itertools.pairwise(channels)):
            shapes[f"{stage}.{2 * place}.weight"] = (after, before, 3, 3)
            shapes[f"{stage}.{2 * place}.bias"] = (after,)
        norm = f"{stage}.{2 * (len(channels) - 1)}"
        shapes |= {f"{norm}.{name}": (channels[-1],) for name in NORM}
    for name, shape in DECODER.items():
        out = shape[1] if name == "model8.0" else shape[0]
        shapes |= {f"{name}.weight": shape, f"{name}.bias": (out,)}
    return shapes | {"model_out.weight": (2, 313, 1, 1)}


@pytest.fixture(scope="module")
def weights():
    """Return random weights under the published names, with colours that vary over the image."""
    draws = torch.Generator().manual_seed(0)
    tensors = {}
    for name, shape in published_shapes().items():
        size = int(np.prod(shape[1:])) if len(shape) > 1 else 4
        tensors[name] = torch.randn(shape, generator=draws) * (2 / size) ** 0.5
        if name.endswith("running_var"):
            tensors[name] = tensors[name].abs() + 0.5
    tensors["model_out.weight"] *= 10
    return tensors


@pytest.fixture(scope="module")
def path(weights, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "zhang2016.pth"
    torch.save(weights, path)
    return path


@pytest.fixture(scope="module")
def network(path):
    return load_zhang2016(path)


def test_the_published_weights_fit_with_every_name_and_shape(network, weights):
    loaded = network.state_dict()
    assert not network.training
    assert {name: tuple(loaded[name].shape) for name in weights} == published_shapes()
    assert all(torch.equal(loaded[name], weights[name]) for name in weights)
    counters = loaded.keys() - weights.keys()
    assert all(name.endswith("num_batches_tracked") for name in counters)


def test_colours_are_the_mean_of_the_bins_at_their_place(network):
    lightness = torch.full((1, 1, 64, 64), 50.0)
    with torch.inference_mode():
        assert network(lightness.expand(2, 1, 64, 64)).shape == (2, 2, 64, 64)
        blank = Zhang2016().eval()
        for name, tensor in blank.state_dict().items():
            tensor.zero_() if name != "model_out.weight" else tensor.fill_(0.5)
        # Every bin alike, so that 313 of them with a mean of 0.5 give 0.5 in units of 110.
        assert torch.allclose(blank(lightness), torch.tensor(55.0))
        # A bin that is certain is its own colour.
        blank.model8[-1].bias[7] = 100
        blank.model_out.weight[:, 7, 0, 0] = torch.tensor([0.25, -1.0])
        a, b = blank(lightness).unbind(1)
    assert torch.allclose(a, torch.tensor(27.5))
    assert torch.allclose(b, torch.tensor(-110.0))


def test_stages_have_the_receptive_fields_of_their_strides_and_dilations(network):
    stages = torch.nn.Sequential(*[network.get_submodule(f"model{n}") for n in range(1, 8)])
    image = torch.zeros(1, 1, 512, 8)
    with torch.inference_mode():
        before = stages(image)
        image[..., 256, :] = 1
        changed = (stages(image) - before).abs().amax(1)[0, :, 0] > 0
    # 512 / 8 cells. By the stages 1 to 3 row 256 reaches the cells 30 to 34; the stages 4 and 7 add
    # 3 cells at either end, and 5 and 6, of dilation 2, 6 each.
    assert torch.nonzero(changed).flatten().tolist() == list(range(30 - 18, 34 + 18 + 1))


def test_a_frame_is_coloured_by_its_lightness_alone_which_it_keeps(network):
    draws = np.random.default_rng(0)
    # Sizes of no particular multiple, mid-tones: their colours are not cut off.
    frame = draws.integers(80, 176, (50, 91, 3)).astype(np.uint8)
    grey = grey_frame(frame)
    seen = []
    hook = network.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    image, of_grey = colourise(network, frame), colourise(network, grey)
    hook.remove()
    assert seen[0].shape == (1, 1, 256, 256)
    assert torch.equal(*seen)
    assert (image.shape, image.dtype) == (frame.shape, np.uint8)
    assert np.ptp(image.astype(int), axis=2).max() > 10
    # The frame has the lightness of its grey form but for rounding; so have both results.
    lightness = [lab_of(torch.from_numpy(each[None]))[0, 0] for each in (frame, image, of_grey)]
    assert (lightness[0] - lightness[1]).abs().max() < 2
    assert (lightness[0] - lightness[2]).abs().max() < 2


def predict(verb, **options):
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    parsed = parser().parse_args([verb, "--device", "cpu", *words])
    parsed.run(parsed)


def test_the_verb_caches_a_coloured_video_and_what_it_cost(source_frames, path, network, tmp_path):
    frames = store_frames(tmp_path / "frames.h5", source_frames[:2])
    predict("predict-zhang2016", frames=frames, weights=path, seed=3, output=tmp_path / "out.h5")
    with PredictionReader(tmp_path / "out.h5") as found:
        ids = (found.key.dataset, found.key.task, found.key.method, found.key.seed, found.kind)
        assert ids == ("synthetic", "colorization", "zhang2016", 3, "images")
        assert np.array_equal(found.prediction(1), colourise(network, source_frames[1].image))
        assert (found.wall_time("predict") > 0).all()
        assert found.wall_time("adapt").tolist() == [0, 0]
        assert np.isnan(found.number("loss")).all()
        assert found.provenance["weights"] == sha256(path)


def test_a_frame_left_grey_has_no_colour(source_frames, tmp_path):
    frames = store_frames(tmp_path / "frames.h5", source_frames[:2])
    predict("predict-left-grey", frames=frames, seed=0, output=tmp_path / "out.h5")
    with PredictionReader(tmp_path / "out.h5") as found:
        assert (found.key.task, found.key.method) == ("colorization", "left_grey")
        assert np.array_equal(found.prediction(1), grey_frame(source_frames[1].image))


def test_weights_of_another_network_are_refused_in_one_line(weights, path, tmp_path):
    wrong = tmp_path / "wrong.pth"
    for content, message in (
        ({**weights, "model9.weight": torch.zeros(1)}, "1 of its parameters .* model9.weight"),
        ({**weights, "model_out.weight": torch.zeros(2, 312, 1, 1)}, "such as model_out.weight"),
        (argparse.Namespace(), "no weights that can be read safely"),
        (torch.zeros(1), "no weights by name"),
    ):
        torch.save(content, wrong)
        with pytest.raises(InputError, match=message) as raised:
            load_zhang2016(wrong)
        assert "\n" not in str(raised.value)
    for damaged, message in (
        (b"", "text or empty"),
        (b"<html>", "text or empty"),
        (path.read_bytes()[:100_000], "no weights that can be read safely"),
    ):
        wrong.write_bytes(damaged)
        with pytest.raises(InputError, match=message) as raised:
            load_zhang2016(wrong)
        assert "\n" not in str(raised.value)
    with pytest.raises(InputError, match="no such file of weights"):
        load_zhang2016(tmp_path / "absent.pth")
