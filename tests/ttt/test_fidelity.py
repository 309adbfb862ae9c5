"""Compare our model with the authors' number by number, on a tiny model with seeded weights.

The reference was made with the authors' code at 7059c7b on a CPU in float32. It has a checkpoint,
the inputs, and every output, gradient and weight. Random draws (masks, drop path) are taken from
the reference.
"""

import dataclasses
import json

import numpy as np
import pytest
import torch
from torch import nn

import videottt.ttt.objectives.mae
import videottt.ttt.update
from support import DATA, SIZE, SPACE, VIDEO, store_frames
from videottt.cli import main
from videottt.core.ids import JobKey, MethodId
from videottt.core.randomness import generator, seed_of
from videottt.core.settings import with_values
from videottt.models.checkpoint import load_checkpoint
from videottt.models.class_scores import semantic_scores
from videottt.models.convert.exporting import detectron2_arrays, stacked
from videottt.models.convert.layouts import DETECTRON2
from videottt.models.inputs import (
    PIXEL_MEAN,
    PIXEL_STD,
    Placement,
    normalise,
    pad_to_stride,
    to_input,
)
from videottt.models.masking import reconstruction_loss
from videottt.models.swin import DropPath
from videottt.models.y_shaped import YShapedModel
from videottt.settings.method import OptimizerSettings, method_from
from videottt.settings.presets import PRESETS
from videottt.store.predictions import PredictionReader
from videottt.study.job_settings import method_settings_in
from videottt.tasks import task_named
from videottt.ttt.memory import ExplicitMemory
from videottt.ttt.observation import Observation
from videottt.ttt.optimizer import gradient_norm, optimizer_for
from videottt.ttt.predictor import Predictor
from videottt.ttt.stream import Stream

pytestmark = pytest.mark.shared_data
CLASSES = json.dumps(dataclasses.asdict(SPACE))
KEY = JobKey("reference", "semantic", "online_ttt_mae", 0, "crops")
PATCH = 16
# Of features, logits and masks; of losses; of gradient norms.
CLOSE = {"rtol": 0, "atol": 5e-5}
LOSS, NORM = 1e-5, 1e-3


@pytest.fixture(scope="module")
def folder():
    if not (DATA / "reference").is_dir():
        pytest.skip(f"no reference in {DATA}: set VIDEOTTT_SHARED_DATA to the folder that has it")
    return DATA / "reference"


@pytest.fixture(scope="module")
def reference(folder):
    with np.load(folder / "reference.npz", allow_pickle=False) as arrays:
        return dict(arrays)


@pytest.fixture(scope="module")
def checkpoint_path(folder, tmp_path_factory):
    path = tmp_path_factory.mktemp("imported") / "reference.safetensors"
    main([
        "import-checkpoint", "--from", str(folder / "checkpoint.pkl"), "--task", "semantic",
        "--settings", CLASSES, "--output", str(path),
    ])  # fmt: skip
    return path


@pytest.fixture
def model(checkpoint_path):
    checkpoint = load_checkpoint(checkpoint_path)
    assert checkpoint.has_decoder
    assert checkpoint.model.preset.encoder.drop_path_rate == 0.3
    return checkpoint.model


@pytest.fixture(scope="module")
def crops(reference):
    """uint8 [8, 96, 160, 3]."""
    return np.ascontiguousarray(reference["crops"].transpose(0, 2, 3, 1))


def visible_pixels(patches):
    """Enlarge one value for each patch, [B, rows, columns], to pixels, float [B, 1, H, W]."""
    grid = torch.from_numpy(patches).float()[:, None]
    return grid.repeat_interleave(PATCH, 2).repeat_interleave(PATCH, 3)


def in_bytes(images):
    """Return normalised images in 0..255, clamped."""
    mean, std = (torch.tensor(each).view(3, 1, 1) for each in (PIXEL_MEAN, PIXEL_STD))
    return (images * std + mean).clamp(0, 255)


def compare(found, expected, **tolerance):
    found = torch.as_tensor(found).detach().numpy()
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, **(tolerance or CLOSE))


# The forward pass


def check_features(features, reference, mode):
    for level, found in enumerate(features, start=2):
        compare(found, reference[f"{mode}.feat.res{level}"])


@torch.inference_mode()
def test_predictions_of_every_layer_equal_the_authors(model, reference, crops):
    images = normalise(torch.from_numpy(crops[:2]))
    features = model.features(images, torch.ones_like(images[:, :1]))
    check_features(features, reference, "eval")
    pixels = model.head.pixel_decoder(features)
    compare(pixels.mask_features, reference["eval.mask_features"])
    for scale, (tokens, size) in enumerate(zip(pixels.levels, pixels.sizes, strict=True)):
        found = tokens.unflatten(1, size).permute(0, 3, 1, 2)
        compare(found, reference[f"eval.multi_scale.{scale}"])
    outputs = model.predict(images)
    compare(outputs.class_logits[-1], reference["eval.pred_logits"])
    compare(outputs.mask_logits[-1], reference["eval.pred_masks"])
    layers = list(zip(outputs.class_logits[:-1], outputs.mask_logits[:-1], strict=True))
    assert len(layers) == sum(name.startswith("eval.aux_logits") for name in reference)
    for layer, (classes, masks) in enumerate(layers):
        compare(classes, reference[f"eval.aux_logits.{layer}"])
        compare(masks[:1], reference[f"eval.aux_masks.{layer}"])
    compare(semantic_scores(outputs, tuple(images.shape[-2:])), reference["eval.sem_seg"])


@torch.inference_mode()
def test_the_reconstruction_equals_the_authors(model, reference, crops):
    images = normalise(torch.from_numpy(crops[:2]))
    visible = visible_pixels(reference["crop_masks"][:2])
    check_features(model.features(images, visible, "mean"), reference, "recon")
    pixels = model.reconstruct(images, visible, "mean")
    compare(nn.functional.pixel_unshuffle(pixels, 4), reference["recon.pred_masks"])
    loss = float(reconstruction_loss(pixels, images, visible, "all"))
    assert loss == pytest.approx(float(reference["recon.loss"]), rel=LOSS)
    # 5e-5 in units of the deviation of pixels.
    compare(in_bytes(pixels), reference["recon.image"], rtol=0, atol=5e-5 * max(PIXEL_STD))


@torch.inference_mode()
def test_a_padded_and_resized_frame_is_predicted_as_the_authors_do_pixel_for_pixel(
    model, reference
):
    image = np.ascontiguousarray(reference["frame.image"].transpose(1, 2, 0))
    size = reference["frame.argmax"].shape
    task = task_named("semantic", SPACE)
    predictor = Predictor(model, task, method_from({"objective": "none"}), KEY)
    frame = np.zeros((*size, 3), np.uint8)
    images = to_input(torch.from_numpy(image[None]), torch.device("cpu"))
    found = predictor.predict_frame(Observation(0, frame, image, image, images))
    assert np.array_equal(found, reference["frame.argmax"])

    images = pad_to_stride(normalise(torch.from_numpy(image[None])))
    place = Placement(tuple(images.shape[-2:]), image.shape[:2], size)
    assert place.padded == (96, 160)
    compare(task.scores(model.predict(images), place), reference["frame.sem_seg"])

    visible = visible_pixels(reference["frame.mask"][None])
    pixels = in_bytes(model.reconstruct(images, visible, "mean"))
    inner = pixels[:, :, : image.shape[0], : image.shape[1]]
    resized = nn.functional.interpolate(inner, size=size, mode="bilinear")[0]
    compare(resized, reference["frame.recon"], rtol=0, atol=5e-5 * max(PIXEL_STD))


# The optimizer


def test_every_parameter_has_the_learning_rate_and_decay_that_the_authors_give_it(model, reference):
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    found = {
        DETECTRON2.theirs(names[id(parameter)]): (group["lr"], group["weight_decay"])
        for group in optimizer_for(model, OptimizerSettings()).param_groups
        for parameter in group["params"]
    }
    # The norm of the encoder that transformers adds and nobody uses.
    del found[None]
    columns = (reference[f"ttt.group_{name}"] for name in ("lr", "weight_decay"))
    expected = dict(zip(reference["ttt.group_names"], zip(*columns, strict=True), strict=True))
    assert found == {name: pytest.approx(values) for name, values in expected.items()}


# Updates


@pytest.fixture(scope="module")
def release_settings(config):
    """Return the settings of the study with the release's protocol, at the reference's size."""
    study = next(each for each in config["studies"].values() if each["protocol"] == "release")
    return method_settings_in(config, study, MethodId("online_ttt_mae")) | {
        "batch": 8, "micro_batch": 2, "shortest_edge": 96, "longest_edge": 160,
        "crop": None, "views": None, "precision": "float32", "drop_path": False,
    }  # fmt: skip


@pytest.fixture
def learn(model, reference, crops, release_settings, monkeypatch):
    """Return a function that runs updates of a stream on the authors' crops and masks."""
    monkeypatch.setattr(ExplicitMemory, "batch", lambda *_: list(torch.from_numpy(crops)))
    masks = []

    def next_masks(batch, size, patch, ratio, _):
        assert (size, patch, ratio) == (crops.shape[1:3], PATCH, 0.85)
        drawn = masks[:batch]
        del masks[:batch]
        return visible_pixels(np.stack(drawn))

    monkeypatch.setattr(videottt.ttt.objectives.mae, "random_visible", next_masks)
    gradients, clipped = {}, []

    def clip(parameters, norm, largest):
        found = {name: each.grad for name, each in model.named_parameters()}
        gradients.update({k: g.clone() for k, g in found.items() if g is not None})
        original(parameters, norm, largest)
        clipped.append(float(gradient_norm(parameters)))

    original = videottt.ttt.update.clip_gradients
    monkeypatch.setattr(videottt.ttt.update, "clip_gradients", clip)

    def run(frames, **changes):
        method = method_from(release_settings | changes)
        stream = Stream(model, task_named("semantic", SPACE), method, KEY)
        results = []
        for frame in range(frames):
            masks.extend(reference["crop_masks"])
            results.append(stream.step(crops[0], frame))
            assert not masks
        return results, stacked(gradients), clipped

    return run


def norms(tensors):
    return {name: float(torch.linalg.vector_norm(tensor)) for name, tensor in tensors.items()}


def check_gradient_norms(found, reference, mode):
    expected = dict(
        zip(reference[f"{mode}.grad_names"], reference[f"{mode}.grad_norms"], strict=True)
    )
    assert norms(found) == {name: pytest.approx(norm, rel=NORM) for name, norm in expected.items()}


def test_one_update_has_the_authors_loss_gradients_and_weights(model, reference, learn):
    before = detectron2_arrays(model, decoder=True)
    before = {name: array.copy() for name, array in before.items()}
    [result], gradients, [clipped] = learn(1)
    assert result.loss == pytest.approx(float(reference["ttt.loss"]), rel=LOSS)
    total = float(reference["ttt.grad_total_norm"])
    assert result.gradient_norm == pytest.approx(total, rel=NORM)
    assert clipped == pytest.approx(float(reference["ttt.clipped_total_norm"]), rel=NORM)
    check_gradient_norms(gradients, reference, "ttt")
    whole = [name for name in reference if name.startswith("grad.")]
    assert whole
    for name in whole:
        found, expected = gradients[name.removeprefix("grad.")], reference[name]
        compare(found, expected, rtol=NORM, atol=NORM * np.abs(expected).max())

    after = detectron2_arrays(model, decoder=True)
    kept = {name for name in after if np.array_equal(before[name], after[name])}
    assert {name for name in after if name.startswith("sem_seg_head.")} <= kept
    expected = {n.removeprefix("after."): a for n, a in reference.items() if n.startswith("after.")}
    errors = np.concatenate([np.abs(after[name] - expected[name]).ravel() for name in expected])
    assert errors.size > 100_000
    assert errors.max() < 2e-4
    # The first step of AdamW is almost the sign of the gradient: rounding turns a few around.
    assert (errors > 1e-6).mean() < 1e-4
    for name, norm in zip(reference["ttt.grad_names"], reference["ttt.delta_norms"], strict=True):
        moved = float(np.linalg.norm((after[name] - before[name]).astype(np.float64)))
        assert moved == pytest.approx(norm, rel=NORM), name


def test_after_one_update_the_prediction_equals_the_authors(model, reference, crops, learn):
    learn(1)
    with torch.inference_mode():
        outputs = model.predict(normalise(torch.from_numpy(crops[:2])))
        image = reference["frame.image"].transpose(1, 2, 0)
        images = pad_to_stride(normalise(torch.from_numpy(image[None].copy())))
        place = Placement((96, 160), (90, 150), (45, 75))
        scores = task_named("semantic", SPACE).scores(model.predict(images), place)
    compare(outputs.class_logits[-1], reference["after_step.pred_logits"])
    compare(outputs.mask_logits[-1][:1], reference["after_step.pred_masks"])
    compare(scores, reference["after_step.frame_sem_seg"])


@pytest.mark.parametrize(("between", "curve"), [("kept", "keep"), ("rebuilt", "restart")])
def test_five_updates_have_the_authors_losses(model, reference, learn, between, curve):
    results, _, _ = learn(5, optimizer_between_frames=between)
    losses = [result.loss for result in results]
    # What rounding changes in the weights grows from step to step.
    assert losses == pytest.approx(reference[f"ttt.losses5.{curve}"].tolist(), rel=1e-4)
    assert losses[:2] == pytest.approx(reference[f"ttt.losses5.{curve}"][:2].tolist(), rel=LOSS)
    weights = stacked(dict(model.named_parameters()))
    expected = reference[f"ttt.param_norms5.{curve}"]
    for name, norm in zip(reference["ttt.grad_names"], expected, strict=True):
        assert float(weights[name].detach().norm()) == pytest.approx(norm, rel=1e-4, abs=1e-5), name


def test_drop_path_drops_the_same_branches_as_the_authors(reference, learn, monkeypatch):
    keep, probabilities = reference["drop.keep"], reference["drop.keep_prob"]
    draws = [(k, p) for micro in keep for k, p in zip(micro, probabilities, strict=True)]

    def dropped(module, states):
        if not module.training:
            return states
        kept, probability = draws.pop(0)
        assert 1 - module.drop_prob == pytest.approx(probability)
        kept = torch.from_numpy(kept).float().view(-1, *[1] * (states.ndim - 1))
        return states / float(probability) * kept

    monkeypatch.setattr(DropPath, "forward", dropped)
    [result], gradients, _ = learn(1, drop_path=True)
    assert not draws
    assert result.loss == pytest.approx(reference["drop.micro_losses"].mean(), rel=LOSS)
    assert result.loss != pytest.approx(float(reference["ttt.loss"]), rel=1e-3)
    check_gradient_norms(gradients, reference, "drop")


# Names


@pytest.mark.parametrize("size", ["tiny", "full"])
def test_parameters_equal_the_authors_by_name_and_shape(folder, model, size):
    rows = [line.split("\t") for line in (folder / f"keys_{size}.txt").read_text().splitlines()[1:]]
    expected = {name: json.loads(shape) for name, shape, _, kind in rows if kind == "parameter"}
    with torch.device("meta"):
        ours = model if size == "tiny" else YShapedModel(PRESETS["swin_small"], 19)
    found = {
        name: list(each.shape) for name, each in stacked(dict(ours.named_parameters())).items()
    }
    assert found == expected
    stored = {name for name, *_ in rows}
    assert {name for name in stored - expected.keys() if not DETECTRON2.is_dropped(name)} == set()


# Both protocols, from the authors' checkpoint to predictions

FRAMES, BATCH, MICRO_BATCH, CROP = 3, 4, 2, (64, 64)
SMALL = {
    "batch": BATCH, "micro_batch": MICRO_BATCH, "crop": list(CROP), "views": None,
    "shortest_edge": 64, "longest_edge": 96,
}  # fmt: skip
# What the protocols decide, and the first frame whose loss shows it.
DECIDED = {
    "options.mask_ratio": 0,
    "options.loss_on": 0,
    "options.masked_with": 0,
    "drop_path": 0,
    "sampling": 0,
}


@pytest.fixture(scope="module")
def protocols(config):
    study = next(each for each in config["studies"].values() if each["protocol"] == "release")
    method = MethodId("online_ttt_mae")
    return {
        name: method_settings_in(config, study | {"protocol": name}, method) | SMALL
        for name in ("paper", "release")
    }


@pytest.fixture(scope="module")
def losses(checkpoint_path, source_frames, tmp_path_factory):
    """Return a function from settings to the loss of every frame of a short video."""
    folder = tmp_path_factory.mktemp("protocols")
    frames = store_frames(folder / "frames.h5", source_frames[:FRAMES])

    def run(settings):
        output = folder / "predictions.h5"
        main([
            "predict", "--frames", str(frames), "--checkpoint", str(checkpoint_path), "--task",
            "semantic", "--method", "online_ttt_mae", "--settings", json.dumps(settings), "--seed",
            "0", "--looks", "0", "--output", str(output),
        ])  # fmt: skip
        with PredictionReader(output) as reader:
            assert len(reader) == FRAMES
            assert reader.prediction(FRAMES - 1).shape == SIZE
            return reader.number("loss").tolist()

    return run


def flat(settings, prefix=""):
    pairs = {}
    for name, value in settings.items():
        nested = isinstance(value, dict)
        pairs |= flat(value, f"{prefix}{name}.") if nested else {f"{prefix}{name}": value}
    return pairs


@torch.no_grad()
def first_loss_by_hand(model, frame):
    """Return the release's loss on crops of one frame, with the draws of a stream."""
    key = ("stream", 0, "synthetic", VIDEO, 0, 0)
    draws, total = generator(*key), 0.0
    for _ in range(BATCH):
        torch.randperm(1, generator=draws)
    crops = []
    for _ in range(BATCH):
        top, left = (
            int(torch.randint(edge - part + 1, (1,), generator=draws))
            for edge, part in zip(frame.shape, CROP, strict=False)
        )
        crop = frame[top : top + CROP[0], left : left + CROP[1]].astype(np.float32)
        crops.append(((crop - PIXEL_MEAN) / PIXEL_STD).transpose(2, 0, 1))
    images = torch.from_numpy(np.stack(crops)).float()
    # Drop path; every other dropout is 0.
    model.encoder.train()
    for number, part in enumerate(images.split(MICRO_BATCH)):
        # 15 % of 16 patches are 2.
        shown = torch.zeros(MICRO_BATCH, 16)
        for patches in shown:
            patches[torch.rand(16, generator=draws).argsort()[:2]] = 1
        visible = visible_pixels(shown.view(-1, 4, 4).numpy())
        torch.manual_seed(seed_of(*key, "drop path", number))
        features = model.encoder(torch.cat([part * visible, visible], 1))
        total += float(((model.decoder(features) - part) ** 2).mean()) / (BATCH / MICRO_BATCH)
    return total


def test_the_first_loss_of_the_release_protocol_equals_a_loss_computed_by_hand(
    model, protocols, losses, source_frames
):
    found = losses(protocols["release"] | {"precision": "float32"})
    expected = first_loss_by_hand(model, source_frames[0].image)
    assert found[0] == pytest.approx(expected, rel=LOSS)


def test_every_key_in_which_the_protocols_differ_changes_the_losses(protocols, losses):
    paper, release = (flat(protocols[name]) for name in ("paper", "release"))
    assert paper.keys() == release.keys()
    differing = {name for name in paper if paper[name] != release[name]}
    assert differing == {*DECIDED, "precision"}
    whole = protocols["release"] | {"precision": "float32"}
    curve = losses(whole)
    assert np.isfinite(curve).all()
    for name, frame in DECIDED.items():
        changed = losses(with_values(whole, {name: paper[name]}))
        assert changed[:frame] == curve[:frame], name
        assert changed[frame] != pytest.approx(curve[frame], rel=1e-4), name
    both = with_values(whole, {name: paper[name] for name in DECIDED})
    assert losses(both) == losses(protocols["paper"] | {"precision": "float32"})
