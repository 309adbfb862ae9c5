import dataclasses
import json
import re
import time

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from support import (
    SMALLEST,
    SPACE,
    changed,
    small_model,
    store_frames,
    train_small,
    weights_of,
)
from videottt.cli import main
from videottt.core.errors import InputError
from videottt.core.randomness import global_draws, numpy_generator
from videottt.core.segments import VOID
from videottt.core.settings import build_settings
from videottt.data.synthetic import render_stills
from videottt.data.transforms.recipe import augment
from videottt.models.checkpoint import load_checkpoint, save_checkpoint
from videottt.models.inputs import normalise
from videottt.models.y_shaped import QueryOutputs, YShapedModel, main_task_criterion
from videottt.runtime.saved_state import SavedState
from videottt.settings.augmentation import Augmentation
from videottt.settings.presets import PRESETS
from videottt.settings.training import TrainingSettings
from videottt.store.source_frame import SourceFrame
from videottt.tasks import task_named
from videottt.tasks.task import LabelMaps
from videottt.training.cost import MeasuredRate
from videottt.training.joint import start_run, train
from videottt.training.schedule import rate_factor
from videottt.training.stills import StillImages
from videottt.ttt.objectives.mae import MaskedAutoencoding

SETTINGS = TrainingSettings(iterations=6, batch=2, learning_rate=1e-3)


@pytest.fixture(scope="module")
def stills_path(tmp_path_factory):
    frames = [
        SourceFrame(f"{index:06d}", each.image, each.semantic, each.instance)
        for index, each in enumerate(render_stills(6, (64, 96), seed=0))
    ]
    return store_frames(tmp_path_factory.mktemp("stills") / "stills.h5", frames, video="stills")


class Interrupted(Exception):
    pass


def dropping():
    """Return a model whose training draws from every source of randomness."""
    return small_model(drop_path_rate=0.3)


# Resume


@pytest.mark.parametrize(
    ("reconstruction", "micro_batch"),
    [(True, None), (True, 1), (False, None)],
    ids=["joint", "joint in parts", "main task"],
)
def test_a_resumed_training_equals_an_uninterrupted_one_bit_for_bit(
    stills_path, tmp_path, reconstruction, micro_batch
):
    changes = {"iterations": 5, "reconstruction": reconstruction, "micro_batch": micro_batch}
    whole = train_small(dropping(), [stills_path], **changes)
    saved = SavedState(tmp_path / "states", tmp_path / "out", {})

    def save_then_go_on_and_die(run):
        if run.iteration == 2:
            saved.save(run.state(), run.history)
        if run.iteration == 3:
            raise Interrupted

    with pytest.raises(Interrupted):
        train_small(dropping(), [stills_path], save_then_go_on_and_die, **changes)
    state = saved.load()
    [history] = saved.parts()
    iterations = []
    resumed = train_small(
        small_model(seed=9, drop_path_rate=0.3),
        [stills_path],
        lambda run: iterations.append(run.iteration),
        resume=(state, history),
        **changes,
    )
    assert iterations == [3, 4, 5]
    assert changed(weights_of(whole.model), resumed.model) == set()
    assert resumed.history == whole.history
    assert [row["iteration"] for row in whole.history] == list(range(5))
    assert all(("reconstruction" in row) == reconstruction for row in whole.history)


# What is learned


def test_joint_training_lowers_both_losses(stills_path):
    run = train_small(
        small_model(), [stills_path], iterations=24, batch=4, learning_rate=2e-3, warmup=2
    )
    for loss in ("main_task", "reconstruction"):
        values = [row[loss] for row in run.history]
        assert np.mean(values[-6:]) < 0.85 * np.mean(values[:6]), loss
    assert all(np.isfinite(row["gradient_norm"]) for row in run.history)


def test_only_joint_training_changes_the_decoder(stills_path):
    for reconstruction, branches in ((False, {"encoder", "head"}),
                                     (True, {"encoder", "head", "decoder"})):  # fmt: skip
        model = small_model()
        before = weights_of(model)
        train_small(model, [stills_path], iterations=2, reconstruction=reconstruction)
        assert {name.split(".")[0] for name in changed(before, model)} == branches


def test_training_depends_on_seed_and_images_and_not_on_global_state(stills_path, store_path):
    torch.manual_seed(1)
    first = train_small(dropping(), [stills_path], iterations=2)
    torch.manual_seed(2)
    same = train_small(dropping(), [stills_path], iterations=2)
    other = train_small(dropping(), [store_path], iterations=2)
    assert changed(weights_of(first.model), same.model) == set()
    assert other.history != first.history


def test_images_without_labels_can_be_trained_on(tmp_path):
    image = np.zeros((64, 64, 3), np.uint8)
    void = np.full((64, 64), VOID, np.uint8)
    path = store_frames(tmp_path / "void.h5", [SourceFrame("0", image, void)])
    run = train_small(small_model(), [path], iterations=2)
    assert all(np.isfinite(list(row.values())).all() for row in run.history)


def test_the_main_task_loss_is_small_for_perfect_outputs_and_counts_every_layer():
    labels = torch.zeros(1, 32, 32, dtype=torch.uint8)
    labels[:, :, 16:] = 2
    maps = LabelMaps(labels, torch.zeros_like(labels).int())
    preset = dataclasses.replace(PRESETS["tiny"], queries=2, loss_points=256)
    _, weights = main_task_criterion(preset, 3)
    assert weights == {"loss_cross_entropy": 2.0, "loss_mask": 5.0, "loss_dice": 5.0}
    masks = torch.full((1, 2, 8, 8), -20.0)
    masks[0, 0, :, :4] = masks[0, 1, :, 4:] = 20.0
    classes = torch.full((1, 2, 4), -20.0)
    classes[0, 0, 0] = classes[0, 1, 2] = 20.0

    main_task_loss = task_named("semantic", SPACE).main_task_loss(YShapedModel(preset, 3))

    def loss(*layers):
        outputs = QueryOutputs(*(tuple(each) for each in zip(*layers, strict=True)))
        with global_draws("points"):
            return main_task_loss(outputs, maps).item()

    perfect, wrong = (classes, masks), (classes, -masks)
    # Not 0: points are sampled where masks are uncertain, at the border.
    assert 0 < loss(perfect) < 0.05 * loss(wrong)
    assert loss(wrong, perfect) == pytest.approx(loss(wrong) + loss(perfect), rel=0.1)


@pytest.fixture
def faulty(monkeypatch):
    """Make ℓ_s fail: out of memory from a number of images on, or NaN at chosen calls."""
    plan = {"fits": 10**6, "nan": set(), "shown": []}
    loss = MaskedAutoencoding.loss

    def fails(self, model, images, generator):
        plan["shown"].append(len(images))
        if len(images) > plan["fits"]:
            loss(self, model, images[:1], generator).backward()
            raise torch.OutOfMemoryError("CUDA out of memory.")
        found = loss(self, model, images, generator)
        return found * float("nan") if len(plan["shown"]) in plan["nan"] else found

    monkeypatch.setattr(MaskedAutoencoding, "loss", fails)
    return plan


def test_steps_that_are_not_finite_are_skipped_up_to_a_limit(stills_path, faulty):
    changes = {"iterations": 4, "skipped_limit": 1}
    clean = train_small(small_model(), [stills_path], **changes)
    assert [row["skipped"] for row in clean.history] == [0] * 4
    before = []
    faulty.update(nan={2, 4}, shown=[])
    run = train_small(
        small_model(), [stills_path], lambda run: before.append(weights_of(run.model)), **changes
    )
    assert [row["skipped"] for row in run.history] == [0, 1, 0, 1]
    assert run.history[0] == clean.history[0]
    assert np.isnan(run.history[1]["reconstruction"])
    for place, moved in ((1, False), (2, True), (3, False)):
        weights = before[place - 1]
        now = before[place]
        assert any(not torch.equal(weights[name], now[name]) for name in weights) == moved
    faulty.update(nan={2, 3}, shown=[])
    with pytest.raises(InputError, match=r"2 iterations in a row, up to iteration 2, was not fin"):
        train_small(small_model(), [stills_path], **changes)


def test_a_training_that_diverges_ends_with_advice(stills_path):
    model = small_model()
    with torch.no_grad():
        model.head.class_predictor.bias.fill_(float("inf"))
    with pytest.raises(InputError, match="lower the checkpoint's learning_rate"):
        train_small(model, [stills_path], iterations=3, skipped_limit=2)


def test_out_of_memory_cuts_the_batch_into_parts_like_the_setting_micro_batch(
    stills_path, faulty, caplog
):
    changes = {"iterations": 3, "batch": 8}
    asked = train_small(small_model(), [stills_path], micro_batch=2, **changes)
    faulty.update(fits=2, shown=[])
    found = train_small(small_model(), [stills_path], **changes)
    assert faulty["shown"] == [8, 4, *[2] * 12]
    assert found.history == asked.history
    assert changed(weights_of(asked.model), found.model) == set()
    assert [r.message.split(" ran out")[0] for r in caplog.records] == ["iteration 0: cpu"] * 2
    assert "going on with parts of 2, as with micro_batch: 2" in caplog.text
    # A state remembers it.
    faulty["shown"].clear()
    train_small(
        small_model(), [stills_path], resume=(found.state(), []), **{**changes, "iterations": 4}
    )
    assert faulty["shown"] == [2] * 4
    faulty["fits"] = 0
    with pytest.raises(InputError, match=r"not enough memory for parts of 1 image\(s\) at iterat"):
        train_small(small_model(), [stills_path], **changes)


# Parts of a batch


def test_a_batch_of_one_part_equals_a_whole_batch_bit_for_bit(stills_path):
    whole, one = (
        train_small(dropping(), [stills_path], batch=2, micro_batch=micro_batch)
        for micro_batch in (None, 2)
    )
    assert one.history == whole.history
    assert changed(weights_of(whole.model), one.model) == set()


def test_parts_have_the_gradient_of_their_batch(stills_path):
    # Colours are compared pixel by pixel, without any draw.
    whole, parts = (
        train_small(
            YShapedModel(SMALLEST, 0, head="colours"),
            [stills_path],
            task="colorization",
            reconstruction=False,
            iterations=3,
            batch=4,
            learning_rate=1e-5,
            micro_batch=micro_batch,
        )
        for micro_batch in (None, 1)
    )
    for name in ("main_task", "gradient_norm"):
        found = [row[name] for row in parts.history]
        assert found == pytest.approx([row[name] for row in whole.history], rel=1e-4), name


def sample(*classes):
    """Return an image with one column for each class; without classes all pixels are void."""
    semantic = torch.full((64, 64), VOID, dtype=torch.uint8)
    for column, name in enumerate(classes):
        semantic[:, 32 * column : 32 * (column + 1)] = name
    return torch.full((64, 64, 3), 90, dtype=torch.uint8), semantic, torch.zeros(64, 64).int()


def trained_once(samples, **changes):
    """Return the losses of one iteration on all samples."""
    settings = TrainingSettings(1, len(samples), 1e-3, **changes)
    run = start_run(small_model(), settings)
    train(
        run,
        task_named("semantic", SPACE),
        samples,
        settings,
        ("training", 0),
        lambda run, stop: None,
    )
    return run.history[0]


def test_each_part_draws_its_own_masks():
    one, two = (
        trained_once([sample(0)] * batch, micro_batch=1)["reconstruction"] for batch in (1, 2)
    )
    assert one != two


def test_masks_are_averaged_over_the_whole_batch_and_not_over_each_part():
    # Two masks and none: one a part on average, as Mask2Former counts them over its GPUs.
    samples = [sample(0, 3), sample()]
    model, task = small_model(), task_named("semantic", SPACE)
    main_task_loss = task.main_task_loss(model)
    expected = []
    for part, (image, semantic, instance) in enumerate(samples):
        labels = LabelMaps(semantic[None], instance[None])
        assert task.count_targets(labels) == (2, 0)[part]
        outputs = model.train().predict(normalise(image[None]))
        with global_draws("training", 0, "iteration", 0, *[part] * part):
            expected.append(main_task_loss(outputs, labels, 1.0).item())
    found = trained_once(samples, micro_batch=1, reconstruction=False)["main_task"]
    assert found == pytest.approx(np.mean(expected), rel=1e-5)


@pytest.mark.parametrize("targets", [0.25, 1.0, 1.5, 8.0])
def test_the_losses_of_masks_are_divided_by_the_targets_they_are_averaged_over(targets):
    draws = torch.Generator().manual_seed(0)
    shapes = (2, 8, len(SPACE.classes) + 1), (2, 8, 16, 16)
    outputs = QueryOutputs(*((torch.randn(shape, generator=draws),) for shape in shapes))
    semantic = torch.zeros(2, 64, 64, dtype=torch.uint8)
    semantic[0, :32] = 3
    labels = LabelMaps(semantic, torch.zeros_like(semantic).int())
    main_task_loss = task_named("semantic", SPACE).main_task_loss(small_model())

    def loss(targets=None):
        with global_draws("points"):
            return main_task_loss(outputs, labels, targets).item()

    assert loss(3.0) == loss()
    of_classes = loss(1e12)
    assert 0.1 < of_classes < loss() - 0.1
    # As in Mask2Former, at least 1.
    expected = of_classes + (loss() - of_classes) * 3 / max(targets, 1)
    assert loss(targets) == pytest.approx(expected, rel=1e-5)


def test_the_learning_rate_warms_up_and_falls_to_nothing():
    settings = dataclasses.replace(SETTINGS, iterations=100, warmup=9, power=0.9)
    factors = [rate_factor(iteration, settings) for iteration in range(100)]
    assert factors[0] == pytest.approx(0.1)
    assert factors[4] == pytest.approx(0.5 * 0.96**0.9)
    assert factors[50] == pytest.approx(0.5**0.9)
    assert np.argmax(factors) == 9
    assert 0 < factors[-1] < 0.02


def test_the_learning_rate_falls_by_steps():
    # Mask2Former's for COCO, whose warm-up with a factor of 1 is none.
    settings = dataclasses.replace(
        SETTINGS,
        iterations=368_750,
        schedule="steps",
        milestones=(327_778, 355_092),
        warmup=10,
        warmup_factor=1.0,
    )
    factors = {
        iteration: rate_factor(iteration, settings)
        for iteration in (0, 5, 327_777, 327_778, 355_091, 355_092, 368_749)
    }
    assert list(factors.values()) == pytest.approx([1, 1, 1, 0.1, 0.1, 0.01, 0.01], rel=1e-12)


def test_the_warm_up_is_linear_from_its_factor():
    settings = dataclasses.replace(SETTINGS, iterations=100, power=0, warmup=4, warmup_factor=0.2)
    factors = [rate_factor(iteration, settings) for iteration in range(6)]
    assert factors == pytest.approx([0.2, 0.4, 0.6, 0.8, 1, 1])
    assert rate_factor(0, dataclasses.replace(settings, warmup=0)) == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch": 16, "micro_batch": 3}, "16 images cannot be cut into parts of 3"),
        ({"schedule": "step"}, "schedule: 'step' .*; did you mean 'steps'"),
        ({"schedule": "steps"}, "'steps' with 0 milestones; 'steps' needs some"),
        ({"milestones": (3,)}, "'poly' with 1 milestones; .*'poly' has none"),
        ({"schedule": "steps", "milestones": (5, 3)}, r"\[5, 3\]; write them in ascending order"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(changes, message):
    with pytest.raises(InputError, match=message):
        dataclasses.replace(SETTINGS, **changes)


def test_errors_name_unknown_and_missing_settings():
    with pytest.raises(InputError, match="unknown setting 'iteration'; did you mean 'iterations'"):
        build_settings(TrainingSettings, {"iteration": 5}, "here")
    with pytest.raises(InputError, match="'learning_rate' is missing"):
        build_settings(TrainingSettings, {"iterations": 5, "batch": 1}, "here")


# Cost, and where it starts from


def test_the_cost_is_reported_once_when_the_rate_is_measured():
    settings = dataclasses.replace(SETTINGS, iterations=36_000, batch=16)
    rate = MeasuredRate(settings, 8, torch.device("cpu"), seconds=0)
    said = []
    for iteration in range(18_000, 18_012):
        time.sleep(0.01)
        said.append(rate.after(iteration))
    [line] = [line for line in said if line]
    found = re.match(
        r"36,000 iterations take about (.+) at the measured (\S+) s an iteration "
        r"\((\S+) images/s\), (.+) of them still to come; \S+ [MG]B of memory in each of 8",
        line,
    )
    whole, left = (
        sum(
            int(n) * {"hour": 60, "minute": 1}[unit]
            for n, unit in re.findall(r"(\d+) (\w+?)s?\b", said)
        )
        for said in found.group(1, 4)
    )
    seconds, images = map(float, found.group(2, 3))
    assert seconds >= 0.01
    assert whole == pytest.approx(36_000 * seconds / 60, rel=0.05, abs=1)
    assert left == pytest.approx(whole / 2, rel=0.05, abs=1)
    assert images == pytest.approx(16 / seconds, rel=0.02)


def test_a_training_starts_from_f_and_h_of_a_checkpoint_but_a_new_g(stills_path, tmp_path):
    model = YShapedModel(PRESETS["tiny"], len(SPACE.classes), seed=5)
    settings = {
        "training": {"iterations": 1, "batch": 1, "learning_rate": 1e-12},
        "augmentation": {"shortest_edge": 64, "longest_edge": 96, "crop": [64, 64]},
    }
    trained = []
    for decoder in (True, False):
        path, output = tmp_path / f"from_{decoder}.safetensors", tmp_path / f"{decoder}.safetensors"
        names = list(SPACE.classes)
        save_checkpoint(path, model, names, SPACE, decoder=decoder, provenance={})
        main([
            "train", "--frames", str(stills_path), "--task", "semantic", "--model", "tiny",
            "--settings", json.dumps(settings), "--seed", "0", "--initial", str(path),
            "--device", "cpu", "--history", str(tmp_path / "x.csv"), "--output", str(output),
        ])  # fmt: skip
        trained.append(load_checkpoint(output).model)
    assert changed(weights_of(trained[0]), trained[1]) == set()
    for name, tensor in model.state_dict().items():
        kept = torch.allclose(trained[0].state_dict()[name], tensor, atol=1e-6)
        if not name.startswith("decoder."):
            assert kept, name
    new = trained[0].decoder.state_dict()
    assert any(not torch.allclose(new[n], t) for n, t in model.decoder.state_dict().items())


# Augmentation


def coded(labels):
    """Return an image whose pixels encode their labels."""
    return np.repeat((labels * 60 + 20)[..., None], 3, axis=2).astype(np.uint8)


BLOCKS = np.kron(np.random.default_rng(1).integers(0, 4, (5, 7)), np.ones((16, 16))).astype(
    np.uint8
)


@pytest.mark.parametrize("flip", [0.0, 1.0])
@pytest.mark.parametrize("scales", [(0.5, 0.5), (1.0, 1.0), (0.5, 2.0), (1.7, 1.7)], ids=str)
def test_augmentation_keeps_image_and_labels_together(flip, scales):
    recipe = Augmentation(80, 200, (64, 96), scales=scales, flip=flip, colour=0.0)
    wrong, seen, two = 0, 0, BLOCKS // 2
    for index in range(12):
        layers = coded(two), two, two.astype(np.uint16) * 300
        image, labels, numbers = augment(*layers, recipe, numpy_generator("align", index))
        assert image.shape == (64, 96, 3)
        assert labels.shape == (64, 96)
        assert (numbers == np.where(labels == VOID, 0, labels.astype(int) * 300)).all()
        inside = labels != VOID
        assert (image[~inside] == 0).all()
        # Enlarged colours are blended at borders, where they must still be nearer to their label.
        wrong += (abs(image[..., 0].astype(int) - coded(labels)[..., 0]) > 32)[inside].sum()
        seen += inside.sum()
    assert wrong < 0.0005 * seen
    assert seen > 0.3 * 12 * 64 * 96


def test_a_flip_mirrors_and_a_small_image_is_padded_with_black_and_void():
    still = {"scales": (1.0, 1.0), "colour": 0.0}
    draws = lambda: numpy_generator("flip", 0)  # noqa: E731
    plain, mirrored = (
        augment(
            coded(BLOCKS), BLOCKS, BLOCKS, Augmentation(80, 200, (64, 96), flip=f, **still), draws()
        )
        for f in (0.0, 1.0)
    )
    for one, other in zip(plain, mirrored, strict=True):
        assert np.array_equal(one[:, ::-1], other)
    image, labels, _ = augment(
        coded(BLOCKS), BLOCKS, BLOCKS, Augmentation(80, 200, (96, 128), flip=0.0, **still), draws()
    )
    assert np.array_equal(labels[:80, :112], BLOCKS)
    assert np.array_equal(image[:80, :112], coded(BLOCKS))
    assert (labels[80:] == VOID).all()
    assert (labels[:, 112:] == VOID).all()


def test_colour_jitter_changes_the_image_and_not_the_labels():
    image = np.random.default_rng(0).integers(0, 256, (80, 112, 3)).astype(np.uint8)

    def colours(strength, index):
        recipe = Augmentation(80, 200, (64, 96), scales=(1.0, 1.0), flip=0.0, colour=strength)
        return augment(image, BLOCKS, BLOCKS, recipe, numpy_generator("colour", index))

    plain, strong, other = colours(0.0, 0), colours(0.5, 0), colours(0.5, 1)
    assert np.array_equal(plain[1], strong[1])
    assert 1 < abs(plain[0].astype(int) - strong[0]).mean() < 100
    assert not np.array_equal(strong[0], other[0])


@pytest.mark.parametrize("size", [(80, 112), (200, 60)])
def test_large_scale_jitter_fits_the_crop_at_scale_1_and_is_grey_beyond_the_image(size):
    image = np.full((*size, 3), 7, np.uint8)
    labels = np.zeros(size, np.uint8)

    def share_seen(scale):
        recipe = Augmentation(
            800, 1333, (64, 64), scales=(scale, scale), colour=0.0, scale_to="crop", padding=128
        )
        found, seen, _ = augment(image, labels, labels, recipe, numpy_generator("jitter"))
        assert (found[seen == VOID] == 128).all()
        assert (found[seen != VOID] == 7).all()
        return (seen != VOID).any(axis=1).mean(), (seen != VOID).any(axis=0).mean()

    height, width = share_seen(1.0)
    assert max(height, width) == 1
    assert min(height, width) == pytest.approx(min(size) / max(size), abs=0.02)
    assert max(share_seen(0.25)) == 0.25
    assert share_seen(4.0) == (1, 1)


@pytest.fixture
def stills(stills_path, store_path):
    from videottt.store.frames import FrameStore

    recipe = Augmentation(64, 256, (64, 64))
    with FrameStore(stills_path) as first, FrameStore(store_path) as second:
        yield lambda seed=0, samples=40, stage="joint": StillImages(
            [first, second], recipe, (stage, seed), samples
        )


def test_a_sample_depends_only_on_stage_seed_and_index(stills):
    forwards = [stills()[index] for index in range(5)]
    again = stills(samples=10_000)
    for index in reversed(range(5)):
        for one, other in zip(again[index], forwards[index], strict=True):
            assert torch.equal(one, other)
    assert not torch.equal(stills(seed=1)[0][0], forwards[0][0])
    # Joint training does not see once more what the training of the main task saw.
    replayed = stills(stage="main_task")
    assert not any(torch.equal(replayed[i][0], forwards[i][0]) for i in range(5))


def test_every_epoch_is_another_permutation_of_the_labelled_frames(tmp_path):
    from videottt.store.frames import FrameStore

    # Frame i is grey of brightness 10 i; every third has no labels.
    frames = [
        SourceFrame(
            str(index),
            np.full((64, 64, 3), 10 * index, np.uint8),
            None if index % 3 == 2 else np.zeros((64, 64), np.uint8),
        )
        for index in range(9)
    ]
    recipe = Augmentation(64, 64, (64, 64), scales=(1.0, 1.0), colour=0.0)
    with FrameStore(store_frames(tmp_path / "grey.h5", frames)) as store:
        samples = StillImages([store], recipe, ("joint", 0), 18)
        shown = [int(samples[index][0][0, 0, 0]) // 10 for index in range(18)]
    epochs = [shown[start : start + 6] for start in (0, 6, 12)]
    assert all(sorted(epoch) == [0, 1, 3, 4, 6, 7] for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) > 1


def test_worker_processes_change_no_sample(stills):
    batches = [
        list(DataLoader(stills(samples=8), batch_size=4, num_workers=workers)) for workers in (0, 2)
    ]
    for one, other in zip(*batches, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_frames_without_labels_cannot_be_trained_on(tmp_path):
    from videottt.store.frames import FrameStore

    image = np.zeros((64, 64, 3), np.uint8)
    with (
        FrameStore(store_frames(tmp_path / "x.h5", [SourceFrame("0", image)])) as store,
        pytest.raises(InputError, match=r"x\.h5: no labelled frame to train on"),
    ):
        StillImages([store], Augmentation(64, 64, (64, 64)), ("joint", 0), 1)
