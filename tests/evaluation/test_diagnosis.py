import dataclasses
import json

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from support import SMALLEST, SPACE, changed, contents, store_frames, weights_of
from videottt.cli import main
from videottt.core.errors import InputError
from videottt.core.ids import JobKey
from videottt.core.randomness import global_draws, numpy_generator
from videottt.evaluation.diagnosis import inpainting, steps
from videottt.evaluation.diagnosis.gradients import GradientProducts, gradient_products
from videottt.evaluation.diagnosis.labelled import chosen_frames, labelled_frames, spread_evenly
from videottt.evaluation.diagnosis.record import read_diagnosis
from videottt.evaluation.diagnosis.sampling import Sampling, draws_of
from videottt.evaluation.diagnosis.summary import quantities
from videottt.evaluation.metrics import headline, statistics_of
from videottt.models.y_shaped import YShapedModel
from videottt.settings.method import Method, OptimizerSettings
from videottt.store.frames import FrameStore
from videottt.tasks import head_of, model_classes, task_named
from videottt.ttt.objectives import objective_named
from videottt.ttt.stream import Stream

KEY = JobKey("synthetic", "semantic", "online_ttt_mae", 0, "tiny_0")
METHOD = Method(objective="mae", batch=3, window=4, shortest_edge=64, longest_edge=256)
# So short that the loss is straight along it.
SHORT = dataclasses.replace(METHOD, optimizer=OptimizerSettings(learning_rate=1e-6))
FEW = Sampling(frames_used=2, masks=2, point_draws=2, random_steps=2)
MAE = objective_named("mae", {})
SEMANTIC = task_named("semantic", SPACE)
DEVICE = torch.device("cpu")


def random_images(*shape):
    return numpy_generator("test", "images").normal(size=shape)


# --- inpainting -----------------------------------------------------------------------------------

FILLINGS = (inpainting.filled_with_mean, inpainting.filled_by_inverse_distance)


@pytest.mark.parametrize("filled", FILLINGS)
def test_inpainting_of_one_colour_is_exact_and_keeps_what_is_visible(filled):
    visible = random_images(2, 1, 12, 20) > 0.8
    colours = np.array([0.3, -2.0, 1e3])[:, None, None]
    constant = np.broadcast_to(colours, (2, 3, 12, 20))
    assert np.allclose(filled(constant, visible), constant, rtol=1e-12)
    images = random_images(2, 3, 12, 20)
    shown = np.broadcast_to(visible, images.shape)
    assert np.array_equal(filled(images, visible)[shown], images[shown])
    # What is masked is not looked at.
    other = np.where(visible, images, 7.0)
    assert np.array_equal(filled(other, visible), filled(images, visible))


def test_masked_pixels_are_the_mean_or_weighted_by_inverse_distance():
    image = np.array([[[[1.0, 0, 0], [0, 0, 5.0]]]])
    visible = np.array([[[[1, 0, 0], [0, 0, 1]]]])
    assert inpainting.filled_with_mean(image, visible).ravel().tolist() == [1, 3, 3, 3, 3, 5]
    found = inpainting.filled_by_inverse_distance(image, visible, power=2)[0, 0]
    # Squared distances to the 1 at the upper left and the 5 at the lower right.
    for (row, column), (near, far) in {
        (0, 1): (1, 2), (0, 2): (4, 1), (1, 0): (1, 4), (1, 1): (2, 1),
    }.items():  # fmt: skip
        expected = (1 / near + 5 / far) / (1 / near + 1 / far)
        assert found[row, column] == pytest.approx(expected, rel=1e-9)


def test_inverse_distance_is_that_of_all_pairs_of_pixels():
    images, visible = random_images(1, 2, 9, 14), random_images(1, 1, 9, 14) > 1
    places = np.argwhere(np.ones((9, 14)))
    seen = places[visible[0, 0].ravel()]
    distance = np.linalg.norm(places[:, None] - seen, axis=2)
    weights = np.where(distance > 0, distance, np.inf) ** -inpainting.POWER
    values = images[0][:, visible[0, 0]]
    expected = (values @ weights.T / weights.sum(axis=1)).reshape(2, 9, 14)
    expected = np.where(visible[0], images[0], expected)
    found = inpainting.filled_by_inverse_distance(images, visible)[0]
    assert np.allclose(found, expected, rtol=1e-9)


@pytest.mark.parametrize("filled", FILLINGS)
def test_nothing_is_inpainted_from_nothing(filled):
    with pytest.raises(InputError, match="has no visible pixel"):
        filled(np.zeros((1, 3, 4, 4)), np.zeros((1, 1, 4, 4)))


# --- frames ---------------------------------------------------------------------------------------


def test_frames_are_labelled_and_spread(source_frames, tmp_path):
    assert spread_evenly(100, 3) == [25, 50, 74]
    assert spread_evenly(2, 8) == [0, 1]
    assert spread_evenly(0, 8) == []
    void = np.full_like(source_frames[0].semantic, 255)
    labels = [None, void, *(frame.semantic for frame in source_frames[2:])]
    frames = [
        dataclasses.replace(frame, semantic=semantic)
        for frame, semantic in zip(source_frames, labels, strict=True)
    ]
    with FrameStore(store_frames(tmp_path / "some.h5", frames)) as store:
        assert chosen_frames(store, "semantic", 100) == list(range(2, 12))
        # Its labels are the colours.
        assert chosen_frames(store, "colorization", 100) == list(range(12))


def test_labels_fit_the_models_input(store):
    method = dataclasses.replace(METHOD, shortest_edge=40)
    (frame,) = labelled_frames(store, [3], SEMANTIC, "semantic", method, DEVICE)
    assert frame.observation.images.shape == (1, 3, 64, 64)
    assert (frame.labels.semantic[0, 40:] == 255).all()
    assert (frame.labels.semantic[0, :, 60:] == 255).all()
    assert not frame.labels.colours[0, 40:].any()
    inner = Image.fromarray(store.semantic(3)).resize((60, 40), Image.Resampling.NEAREST)
    assert np.array_equal(frame.labels.semantic[0, :40, :60], inner)
    assert np.array_equal(frame.truth, store.semantic(3))


# --- gradients ------------------------------------------------------------------------------------


def test_a_gradient_has_the_direction_of_itself():
    one, other = torch.from_numpy(random_images(2, 30)).float().split(1)
    pair = [one[0, :10], one[0, 10:].view(4, 5)]
    for sign in (1, -1):
        turned = [sign * 3 * part for part in pair]
        found = GradientProducts.of_halves([pair, pair], [turned, turned])
        assert found.cosines[0] == pytest.approx(sign)
        assert found.own[0] == pytest.approx(9 * found.main[0])
    # Halves that have nothing in common have only noise.
    noise = [other[0, :10] * 0, other[0, 10:].view(4, 5) * 0]
    assert np.isnan(GradientProducts.of_halves([pair, pair], [pair, noise]).cosines[0])


def test_gradients_are_those_of_backpropagation(model, store):
    (frame,) = labelled_frames(store, [5], SEMANTIC, "semantic", METHOD, DEVICE)
    before = weights_of(model)
    loss = SEMANTIC.main_task_loss(model)
    found = gradient_products(model, loss, MAE, frame, FEW, KEY)
    assert not changed(before, model)
    halves = []
    model.encoder.requires_grad_(True)
    for half in (0, 1):
        model.zero_grad()
        with global_draws(*draws_of(KEY, 5, "points", half, 0)):
            loss(model.predict(frame.observation.images), frame.labels).backward()
        gradients = [p.grad for p in model.encoder.parameters() if p.grad is not None]
        halves.append(torch.cat([gradient.ravel().double() for gradient in gradients]))
    assert found.main[0] == pytest.approx(float(halves[0] @ halves[1]), rel=1e-4)
    assert found.own[0] > 0
    assert abs(found.cosines[0]) < 1


# --- steps ----------------------------------------------------------------------------------------


def step_on(model, store, frame=3, task="semantic", method=METHOD):
    named = task_named(task, SPACE)
    (labelled,) = labelled_frames(store, [frame], named, task, method, DEVICE)
    loss = named.main_task_loss(model)
    return steps.measured_step(
        model, named, steps.single_step(method), MAE, loss, labelled, FEW, KEY
    )


def test_steps_against_and_at_random_are_as_long_as_the_step():
    moved = [torch.from_numpy(random_images(4, 5)), torch.zeros(3), torch.ones(2)]
    along, against, *random = steps.displacements(moved, FEW, KEY, 3)
    assert len(random) == FEW.random_steps
    for part, other in zip(along, against, strict=True):
        assert torch.equal(part, -other)
    for displacement in random:
        for part, other in zip(along, displacement, strict=True):
            assert torch.linalg.vector_norm(part) == pytest.approx(
                float(torch.linalg.vector_norm(other)), rel=1e-6
            )
            assert not torch.equal(part, other) or not part.any()
    assert not torch.equal(random[0][0], random[1][0])
    again = list(steps.displacements(moved, FEW, KEY, 3))
    assert torch.equal(again[2][0], random[0][0])


@pytest.mark.parametrize("task", ["semantic", "instance", "panoptic", "colorization"])
def test_step_along_is_that_of_the_stream_and_leaves_nothing_behind(task, store):
    classes = model_classes(task, SPACE)
    model = YShapedModel(SMALLEST, len(classes), head=head_of(task)).eval()
    before = weights_of(model)
    found = step_on(model, store, task=task)
    assert not changed(before, model)
    stream = Stream(model, task_named(task, SPACE), METHOD, KEY)
    streamed = stream.step(store.frame(3), 3)
    assert changed(before, model)
    statistics = statistics_of(task)
    label = statistics.label(store, 3)
    values = [
        statistics.of_frame(label, prediction, SPACE).arrays()
        for prediction in (found.predictions[1], streamed.prediction)
    ]
    for name, value in values[0].items():
        assert np.array_equal(value, values[1][name], equal_nan=True), name
    # The loss before, on the batch and the masks that the stream draws.
    assert found.step_loss[0, 0] == pytest.approx(streamed.loss, rel=1e-5)
    assert found.length > 0
    assert found.main_task_loss.shape == (5,)


def test_step_of_crops_is_drawn_as_the_stream_draws_it(model, store):
    method = dataclasses.replace(METHOD, crop=(32, 64), sampling="permutations", window=1)
    found = step_on(model, store, method=method)
    streamed = Stream(model, SEMANTIC, method, KEY).step(store.frame(3), 3)
    assert found.step_loss[0, 0] == pytest.approx(streamed.loss, rel=1e-5)


def test_a_short_step_along_lowers_the_loss_and_one_against_raises_it(model, store):
    found = step_on(model, store, method=SHORT)
    (own_before, own_after), (fresh_before, fresh_after) = found.step_loss
    assert own_after < own_before
    assert fresh_after < fresh_before
    start, along, against, *random = found.own_loss
    assert along < start < against
    # To first order, as far up as down; a random direction leads nowhere.
    assert against - start == pytest.approx(start - along, rel=0.2)
    assert max(abs(value - start) for value in random) < 0.3 * (start - along)
    assert fresh_before == start


# --- the command line -----------------------------------------------------------------------------


def diagnose_command(store_path, checkpoint, output, *changes, **settings):
    values = {"objective": "mae", "batch": 2, "shortest_edge": 64, "longest_edge": 256, **settings}
    return [
        "diagnose", "--frames", str(store_path), "--checkpoint", str(checkpoint), "--task",
        "semantic", "--method", "online_ttt_mae", "--settings", json.dumps(values), "--seed", "0",
        "--device", "cpu", "--frames-used", "3", "--masks", "2", "--random-steps", "2",
        "--output", str(output), *changes,
    ]  # fmt: skip


@pytest.fixture(scope="module")
def diagnosed(store_path, joint_checkpoint, tmp_path_factory):
    """Diagnoses of two seeds."""
    paths = [tmp_path_factory.mktemp("diagnosis") / f"seed{seed}.h5" for seed in (0, 1)]
    for path, seed in zip(paths, "01", strict=True):
        changes = ("--seed", seed, "--stills", str(store_path))
        main(diagnose_command(store_path, joint_checkpoint, path, *changes))
    return paths


def test_a_diagnosis_is_whole_and_repeats(diagnosed, store_path, joint_checkpoint, tmp_path):
    again = tmp_path / "again.h5"
    stills = ("--stills", str(store_path))
    main(diagnose_command(store_path, joint_checkpoint, again, *stills))
    assert contents(again) == contents(diagnosed[0])
    assert not [path for path in tmp_path.iterdir() if path != again]
    key, found = read_diagnosis(again)
    assert key == KEY
    assert found.frames.tolist() == spread_evenly(12, 3)
    # Of one video, and with masks of their own.
    assert found.video_errors.shape == found.still_errors.shape == (3, 3)
    assert not np.array_equal(found.video_errors, found.still_errors)
    shapes = {name: getattr(found, name).shape for name in ("metrics", "own_loss", "step_loss")}
    assert shapes == {"metrics": (5, 2), "own_loss": (3, 5), "step_loss": (3, 2, 2)}
    assert all(np.isfinite(array).all() for array in (found.metrics, found.own_loss, found.length))


def test_quantities_are_means_in_the_unit_of_the_metric(diagnosed):
    _, found = read_diagnosis(diagnosed[0])
    values = quantities(found, "semantic")
    scale = headline("semantic").scale
    assert values["metric_pooled_random"] == pytest.approx(scale * found.metrics[3:, 0].mean())
    change = scale * (found.metrics[1, 0] - found.metrics[0, 0])
    assert values["metric_change_along"] == pytest.approx(change)
    assert values["own_loss_against"] == pytest.approx(found.own_loss[:, 2].mean())
    gradients = found.gradients
    ratio = np.sqrt(gradients.main.mean() / gradients.own.mean())
    assert values["gradient_ratio"] == pytest.approx(ratio)
    assert values["video_error_inverse_distance"] == pytest.approx(found.video_errors[:, 2].mean())


def plot_command(diagnosed, folder):
    outputs = [f"--{kind}={folder / f'd.{kind}'}" for kind in ("png", "pdf", "csv", "markdown")]
    return ["plot-diagnosis", "--diagnoses", *map(str, diagnosed), *outputs]


def test_figure_and_table(diagnosed, store_path, joint_checkpoint, tmp_path):
    # A video of another study, without stills and with one seed.
    other = tmp_path / "other.h5"
    changes = ("--task", "panoptic", "--frames-used", "2")
    main(diagnose_command(store_path, joint_checkpoint, other, *changes))
    for run in ("a", "b"):
        (tmp_path / run).mkdir()
        main(plot_command([*diagnosed, other], tmp_path / run))
    for kind in ("png", "pdf", "csv", "markdown"):
        first, second = ((tmp_path / run / f"d.{kind}").read_bytes() for run in ("a", "b"))
        assert first == second
    with Image.open(tmp_path / "a/d.png") as image:
        assert image.width >= 900
    table = pd.read_csv(tmp_path / "a/d.csv").set_index("task")
    assert table.seeds.to_dict() == {"semantic": 2, "panoptic": 1}
    values = [quantities(read_diagnosis(path)[1], "semantic")["cosine"] for path in diagnosed]
    assert table.cosine_mean.semantic == pytest.approx(np.mean(values), rel=1e-5)
    assert table.cosine_std.semantic == pytest.approx(np.std(values, ddof=1), rel=1e-5)
    assert np.isnan(table.stills_error_decoder_mean.panoptic)
    text = (tmp_path / "a/d.markdown").read_text()
    assert "mIoU (%): along" in text
    assert "PQ (%): along" in text
    assert text.count("on training stills: g") == 1


def refused(capsys, command):
    with pytest.raises(SystemExit) as stop:
        main(command)
    assert stop.value.code == 2
    (line,) = capsys.readouterr().err.strip().splitlines()[-1:]
    assert line.startswith("videottt: error: ")
    return line


def test_bad_input_is_one_line(
    diagnosed, source_frames, store_path, joint_checkpoint, main_task_checkpoint, tmp_path, capsys
):
    output = tmp_path / "never.h5"
    bare = [dataclasses.replace(frame, semantic=None, instance=None) for frame in source_frames]
    unlabelled = store_frames(tmp_path / "bare.h5", bare)
    command = diagnose_command(unlabelled, joint_checkpoint, output)
    assert "no frame of 'tiny_0' is labelled" in refused(capsys, command)
    command = diagnose_command(store_path, main_task_checkpoint, output)
    assert "has no decoder g" in refused(capsys, command)
    command = diagnose_command(store_path, joint_checkpoint, output, objective="none")
    assert "objective 'none', which reconstructs nothing" in refused(capsys, command)
    offline = {"order": "offline", "ladder": [1]}
    command = diagnose_command(store_path, joint_checkpoint, output, **offline)
    assert "order 'offline'" in refused(capsys, command)
    command = diagnose_command(store_path, joint_checkpoint, output, "--masks", "3")
    assert "masks is 3, but must be even" in refused(capsys, command)
    command = diagnose_command(store_path, joint_checkpoint, output, "--random-steps", "0")
    assert "random_steps is 0, but must be at least 1" in refused(capsys, command)
    everything = {"options": {"mask_ratio": 1.0}}
    command = diagnose_command(store_path, joint_checkpoint, output, **everything)
    assert "lower the mask_ratio" in refused(capsys, command)
    assert not output.exists()
    command = plot_command([diagnosed[0], diagnosed[0]], tmp_path)
    assert "name each diagnosis once" in refused(capsys, command)
    assert "is 'videottt frames'" in refused(capsys, plot_command([store_path], tmp_path))
    assert not list(tmp_path.glob("d.*"))
