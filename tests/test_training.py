import dataclasses

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from support import SPACE, changed, small_model, store_frames, train_small, weights_of
from videottt.augmentation import Augmentation, StillImages, augmented
from videottt.datasets.synthetic import render_stills
from videottt.errors import InputError
from videottt.frames import VOID, SourceFrame
from videottt.models.presets import PRESETS
from videottt.models.y_shaped import QueryOutputs, YShapedModel, main_task_criterion
from videottt.randomness import global_draws, numpy_generator
from videottt.settings import build_settings
from videottt.tasks import task_named
from videottt.tasks.task import LabelMaps
from videottt.training import TrainingSettings, rate_factor, start_run

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
    """Return a model whose training draws from every source of randomness there is."""
    return small_model(drop_path_rate=0.3)


# Resume


@pytest.mark.parametrize("reconstruction", [True, False], ids=["joint", "main task"])
def test_a_resumed_training_equals_an_uninterrupted_one_bit_for_bit(
    stills_path, tmp_path, reconstruction
):
    changes = {"iterations": 5, "reconstruction": reconstruction}
    whole = train_small(dropping(), [stills_path], **changes)
    state = tmp_path / "states" / "state.pt"

    def save_then_go_on_and_die(run):
        if run.iteration == 2:
            run.save(state)
        if run.iteration == 3:
            raise Interrupted

    with pytest.raises(Interrupted):
        train_small(dropping(), [stills_path], save_then_go_on_and_die, **changes)
    assert [each.name for each in state.parent.iterdir()] == ["state.pt"]
    iterations = []
    resumed = train_small(
        small_model(seed=9, drop_path_rate=0.3),
        [stills_path],
        lambda run: iterations.append(run.iteration),
        resume=state,
        **changes,
    )
    assert iterations == [3, 4, 5]
    assert changed(weights_of(whole.model), resumed.model) == set()
    assert resumed.history == whole.history
    assert [row["iteration"] for row in whole.history] == list(range(5))
    assert all(("reconstruction" in row) == reconstruction for row in whole.history)


def garbage(path):
    path.write_bytes(b"not a state at all" * 50)


def truncated(path):
    run = start_run(small_model(), SETTINGS)
    run.save(path)
    path.write_bytes(path.read_bytes()[:-3000])


def of_another_model(path):
    start_run(small_model(queries=4), SETTINGS).save(path)


def of_something_else(path):
    torch.save({"weights": 1}, path)


@pytest.mark.parametrize("spoil", [garbage, truncated, of_another_model, of_something_else])
def test_a_state_that_is_none_of_this_training_is_refused(tmp_path, spoil):
    path = tmp_path / "state.pt"
    spoil(path)
    with pytest.raises(InputError, match=r"state\.pt: not a state of this training .*delete it"):
        start_run(small_model(), SETTINGS).resume(path)


# What is learned


def test_joint_training_lowers_both_losses(stills_path):
    run = train_small(
        small_model(), [stills_path], iterations=24, batch=4, learning_rate=2e-3, warmup=2
    )
    for loss in ("main_task", "reconstruction"):
        values = [row[loss] for row in run.history]
        assert np.mean(values[-6:]) < 0.85 * np.mean(values[:6]), loss
    assert all(np.isfinite(row["gradient_norm"]) for row in run.history)


def test_main_task_training_leaves_the_decoder_alone_and_joint_training_does_not(stills_path):
    for reconstruction, branches in ((False, {"encoder", "head"}),
                                     (True, {"encoder", "head", "decoder"})):  # fmt: skip
        model = small_model()
        before = weights_of(model)
        train_small(model, [stills_path], iterations=2, reconstruction=reconstruction)
        assert {name.split(".")[0] for name in changed(before, model)} == branches


def test_training_is_keyed_by_its_seed_and_images_and_not_by_global_state(stills_path, store_path):
    torch.manual_seed(1)
    first = train_small(dropping(), [stills_path], iterations=2)
    torch.manual_seed(2)
    same = train_small(dropping(), [stills_path], iterations=2)
    other = train_small(dropping(), [store_path], iterations=2)
    assert changed(weights_of(first.model), same.model) == set()
    assert other.history != first.history


def test_images_without_any_label_still_train(tmp_path):
    image = np.zeros((64, 64, 3), np.uint8)
    void = np.full((64, 64), VOID, np.uint8)
    path = store_frames(tmp_path / "void.h5", [SourceFrame("0", image, void)])
    run = train_small(small_model(), [path], iterations=2)
    assert all(np.isfinite(list(row.values())).all() for row in run.history)


def test_the_main_task_loss_is_small_for_a_perfect_answer_and_counts_every_layer():
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


def test_a_gradient_that_is_not_finite_stops_the_training_with_advice(stills_path):
    model = small_model()
    with torch.no_grad():
        model.head.class_predictor.bias.fill_(float("inf"))
    with pytest.raises((InputError, ValueError)) as caught:
        train_small(model, [stills_path], iterations=1)
    assert isinstance(caught.value, InputError), f"a traceback instead: {caught.value}"


def test_the_learning_rate_warms_up_and_falls_to_nothing():
    settings = dataclasses.replace(SETTINGS, iterations=100, warmup=9, power=0.9)
    factors = [rate_factor(iteration, settings) for iteration in range(100)]
    assert factors[0] == pytest.approx(0.1)
    assert factors[4] == pytest.approx(0.5 * 0.96**0.9)
    assert factors[50] == pytest.approx(0.5**0.9)
    assert np.argmax(factors) == 9
    assert 0 < factors[-1] < 0.02


def test_settings_name_what_is_unknown_or_missing():
    with pytest.raises(InputError, match="unknown setting 'iteration'; did you mean 'iterations'"):
        build_settings(TrainingSettings, {"iteration": 5}, "here")
    with pytest.raises(InputError, match="'learning_rate' is missing"):
        build_settings(TrainingSettings, {"iterations": 5, "batch": 1}, "here")


# Augmentation


def coded(labels):
    """Return an image whose pixels say their label."""
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
        image, labels, numbers = augmented(*layers, recipe, numpy_generator("align", index))
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


def test_a_flip_mirrors_and_a_small_image_is_completed_with_black_and_void():
    still = {"scales": (1.0, 1.0), "colour": 0.0}
    draws = lambda: numpy_generator("flip", 0)  # noqa: E731
    plain, mirrored = (
        augmented(
            coded(BLOCKS), BLOCKS, BLOCKS, Augmentation(80, 200, (64, 96), flip=f, **still), draws()
        )
        for f in (0.0, 1.0)
    )
    for one, other in zip(plain, mirrored, strict=True):
        assert np.array_equal(one[:, ::-1], other)
    image, labels, _ = augmented(
        coded(BLOCKS), BLOCKS, BLOCKS, Augmentation(80, 200, (96, 128), flip=0.0, **still), draws()
    )
    assert np.array_equal(labels[:80, :112], BLOCKS)
    assert np.array_equal(image[:80, :112], coded(BLOCKS))
    assert (labels[80:] == VOID).all()
    assert (labels[:, 112:] == VOID).all()


def test_colour_changes_the_image_and_never_the_labels():
    image = np.random.default_rng(0).integers(0, 256, (80, 112, 3)).astype(np.uint8)

    def colours(strength, index):
        recipe = Augmentation(80, 200, (64, 96), scales=(1.0, 1.0), flip=0.0, colour=strength)
        return augmented(image, BLOCKS, BLOCKS, recipe, numpy_generator("colour", index))

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
        found, seen, _ = augmented(image, labels, labels, recipe, numpy_generator("jitter"))
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
    from videottt.frames import FrameStore

    recipe = Augmentation(64, 256, (64, 64))
    with FrameStore(stills_path) as first, FrameStore(store_path) as second:
        yield lambda seed=0, samples=40: StillImages([first, second], recipe, seed, samples)


def test_a_sample_is_a_function_of_seed_and_index_alone(stills):
    forwards = [stills()[index] for index in range(5)]
    again = stills(samples=10_000)
    for index in reversed(range(5)):
        for one, other in zip(again[index], forwards[index], strict=True):
            assert torch.equal(one, other)
    assert not torch.equal(stills(seed=1)[0][0], forwards[0][0])


def test_each_epoch_shows_every_labelled_frame_once_in_its_own_order(tmp_path):
    from videottt.frames import FrameStore

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
        samples = StillImages([store], recipe, 0, 18)
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
    from videottt.frames import FrameStore

    image = np.zeros((64, 64, 3), np.uint8)
    with (
        FrameStore(store_frames(tmp_path / "x.h5", [SourceFrame("0", image)])) as store,
        pytest.raises(InputError, match=r"x\.h5: no labelled frame to train on"),
    ):
        StillImages([store], Augmentation(64, 64, (64, 64)), 0, 1)
