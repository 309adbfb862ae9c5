"""Test colorization: the model's input, its training and the decoding of its outputs."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from PIL import Image
from skimage.color import lab2rgb, rgb2lab

from support import SMALLEST, SPACE, store_frames, train_small, weights_of
from videottt.cli import main
from videottt.core.cielab import coloured, grey_frame, lab_of
from videottt.core.errors import InputError
from videottt.core.ids import JobKey
from videottt.evaluation.metrics import label_of, labelled
from videottt.models.checkpoint import load_checkpoint, save_checkpoint
from videottt.models.inputs import Placement
from videottt.models.y_shaped import YShapedModel
from videottt.settings.decoding import Decoding
from videottt.settings.method import method_from
from videottt.store.frames import FrameStore
from videottt.store.source_frame import SourceFrame
from videottt.tasks import head_of, model_classes, task_named
from videottt.tasks.colorization import UNIT
from videottt.tasks.task import LabelMaps
from videottt.ttt.stream import Stream

KEY = JobKey("synthetic", "semantic", "online_ttt_mae", 0, "video")
TASK = task_named("colorization", SPACE)


def colour_model(seed=0):
    return YShapedModel(SMALLEST, 0, seed, head_of("colorization"))


def pixels(size=(64, 96), seed=0):
    """Return an image with smooth colours of many hues."""
    draws = np.random.default_rng(seed)
    coarse = torch.from_numpy(draws.uniform(0, 255, (1, 3, 5, 7)))
    smooth = torch.nn.functional.interpolate(coarse, size=size, mode="bicubic")
    return smooth[0].clamp(0, 255).byte().permute(1, 2, 0).contiguous().numpy()


def method(**changes):
    settings = {"objective": "mae", "window": 4, "batch": 2, "shortest_edge": 64}
    return method_from({**settings, "longest_edge": 128, **changes})


# Colour spaces


def test_cielab_agrees_with_scikit_image_in_both_directions():
    image = pixels()
    ours = lab_of(torch.from_numpy(image[None]))[0].permute(1, 2, 0).numpy()
    reference = rgb2lab(image)
    assert ours == pytest.approx(reference, abs=2e-3)
    ab = torch.from_numpy(reference[None, ..., 1:]).permute(0, 3, 1, 2).float()
    back = coloured(torch.from_numpy(image[None]), ab)[0].numpy()
    assert np.abs(back.astype(int) - image).max() <= 1


def test_a_grey_frame_keeps_its_lightness_and_has_no_colour():
    image = pixels()
    grey = grey_frame(image)
    assert (grey == grey[..., :1]).all()
    lightness = rgb2lab(image)[..., 0]
    # Half a level of grey is at most this much lightness.
    assert rgb2lab(grey)[..., 0] == pytest.approx(lightness, abs=0.3)
    assert np.array_equal(grey_frame(grey), grey)
    levels = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    assert np.array_equal(grey_frame(levels), levels)


# What the model is shown


def test_a_stream_cannot_see_the_colours_that_it_predicts():
    frames = [pixels(seed=seed) for seed in range(3)]
    found = {}
    for name, video in (("colour", frames), ("grey", [grey_frame(each) for each in frames])):
        model = colour_model()
        stream = Stream(model, TASK, method(), KEY)
        results = [stream.step(frame) for frame in video]
        found[name] = results, weights_of(model)
    (colour, learned), (grey, again) = found["colour"], found["grey"]
    assert [each.loss for each in colour] == [each.loss for each in grey]
    assert all(torch.equal(learned[name], again[name]) for name in learned)
    for one, other in zip(colour, grey, strict=True):
        # The lightness of a grey frame is rounded to its 8 bits.
        assert np.abs(one.prediction.astype(int) - other.prediction).max() <= 3
        # Nothing is black or white here, so that every lightness can have every small colour.
        assert (
            np.abs(grey_frame(one.prediction).astype(int) - grey_frame(frames[one.index])).max()
            <= 2
        )


def test_training_hides_the_colours_and_learns_them(tmp_path):
    # Light is red, dark is blue.
    draws = np.random.default_rng(0)
    light = np.kron(draws.integers(0, 2, (4, 4)), np.ones((16, 16))).astype(bool)
    image = np.where(light[..., None], (250, 120, 110), (30, 20, 120)).astype(np.uint8)
    void = np.full(light.shape, 255, np.uint8)
    path = store_frames(tmp_path / "stills.h5", [SourceFrame("0", image, void)])
    settings = {"iterations": 80, "batch": 4, "learning_rate": 3e-3}
    run = train_small(colour_model(), [path], task="colorization", **settings)
    losses = [row["main_task"] for row in run.history]
    # Not 0: the recipe changes the colours of every sample.
    assert np.mean(losses[-5:]) < 0.4 * np.mean(losses[:5])
    stream = Stream(run.model, TASK, method(objective="none"), KEY)
    found = stream.step(grey_frame(image)).prediction.astype(int)
    assert np.median(found[light][:, 0] - found[light][:, 2]) > 60
    assert np.median(found[~light][:, 2] - found[~light][:, 0]) > 40


# What becomes of what it says


@pytest.mark.parametrize("inner", [(32, 48), (24, 36)])
def test_predicted_colours_are_put_on_the_frame_without_the_padding(inner):
    frame, (a, b) = pixels((48, 72)), (12.0, -9.0)
    said = torch.full((1, 2, 32, 64), 99.0)
    said[0, 0, : inner[0], : inner[1]] = a / UNIT
    said[0, 1, : inner[0], : inner[1]] = b / UNIT
    found = TASK.decode(said, Placement((32, 64), inner, (48, 72)), frame)
    lab = rgb2lab(frame)
    lab[..., 1:] = a, b
    expected = np.clip(lab2rgb(lab), 0, 1) * 255
    assert found == pytest.approx(expected, abs=1)
    assert found.dtype == np.uint8


def test_the_loss_is_the_mean_squared_error_of_both_planes():
    images = torch.from_numpy(np.stack([pixels(seed=seed) for seed in (1, 2)]))
    labels = torch.zeros(2, 64, 96)
    maps = LabelMaps(labels.byte(), labels.int(), images)
    loss = TASK.main_task_loss(colour_model())
    truth = torch.from_numpy(rgb2lab(images.numpy())[..., 1:]).permute(0, 3, 1, 2)
    assert loss(torch.zeros(2, 2, 64, 96), maps).item() == pytest.approx(
        float((truth / UNIT).square().mean()), rel=1e-3
    )
    assert loss(truth.float() / UNIT, maps).item() < 1e-6


# The model


def test_the_head_paints_two_planes_at_the_size_of_the_input():
    model = colour_model()
    images = torch.randn(2, 3, 64, 96)
    with torch.inference_mode():
        assert model.predict(images).shape == (2, 2, 64, 96)
        assert model.reconstruct(images, torch.ones(2, 1, 64, 96)).shape == (2, 3, 64, 96)
    with pytest.raises(InputError, match="did you mean 'colours'"):
        YShapedModel(SMALLEST, 0, head="colour")


def test_a_checkpoint_keeps_the_kind_of_its_head(tmp_path):
    model = colour_model(3)
    path = tmp_path / "colours.safetensors"
    save_checkpoint(path, model, [], SPACE, decoder=True, provenance={})
    found = load_checkpoint(path)
    assert found.model.head_kind == "colours"
    assert found.classes == []
    images = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        assert torch.equal(found.model.predict(images), model.eval().predict(images))


def test_methods_and_checkpoints_that_need_classes_are_refused():
    assert model_classes("colorization", SPACE) == ()
    with pytest.raises(InputError, match="trained for colorization"):
        task_named("colorization", SPACE, SPACE.classes, Decoding())
    with pytest.raises(InputError, match="counts predicted classes"):
        Stream(colour_model(), TASK, method(reset="class_collapse"), KEY)
    with pytest.raises(InputError, match="smoothing and votes"):
        Stream(colour_model(), TASK, dataclasses.replace(method(), smoothing=2), KEY)


def test_frames_in_colour_are_the_ground_truth_of_colorization(store_path):
    with FrameStore(store_path) as store:
        assert labelled(store, "colorization").all()
        assert np.array_equal(label_of(store, 1, "colorization"), store.frame(1))


def test_a_folder_of_unlabelled_images_is_trained_on_without_ingesting_it(tmp_path, capfd):
    folder = tmp_path / "train"
    for number, size in enumerate([(70, 80), (64, 120), (90, 66)]):
        path = folder / f"n0000000{number}" / "image.JPEG"
        path.parent.mkdir(parents=True)
        Image.fromarray(pixels(size, number)).save(path)
    recipe = {"crop": [64, 64], "shortest_edge": 64, "longest_edge": 128, "colour": 0}
    training = {"iterations": 2, "batch": 2, "learning_rate": 1e-3, "workers": 2}
    settings = json.dumps({"training": training, "augmentation": recipe})
    train = ["train", "--model", "tiny", "--settings", settings, "--seed", "0", "--device", "cpu",
             "--history", str(tmp_path / "history.csv"), "--frames", str(folder)]  # fmt: skip
    main([*train, "--task", "colorization", "--output", str(tmp_path / "colours.safetensors")])
    found = load_checkpoint(tmp_path / "colours.safetensors")
    assert (found.model.head_kind, found.has_decoder) == ("colours", True)
    assert found.provenance["frames"].keys() == {"train"}
    with pytest.raises(SystemExit):
        main([*train, "--task", "semantic", "--output", str(tmp_path / "classes.safetensors")])
    assert "the data set has no classes" in capfd.readouterr().err
    assert not (tmp_path / "classes.safetensors").exists()
