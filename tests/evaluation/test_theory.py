import dataclasses
import json
import re

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from scipy.optimize import minimize_scalar

import toy_stream as toy
from support import SPACE, changed, contents, store_frames, weights_of
from videottt.cli import main
from videottt.core.errors import InputError
from videottt.core.ids import JobKey
from videottt.core.provenance import source_tree
from videottt.core.randomness import generator, global_draws, numpy_generator
from videottt.evaluation.theory import bound
from videottt.evaluation.theory.estimators import bootstrap_weights, estimate, window_sizes
from videottt.evaluation.theory.gradients import Sampling, labelled_run, stream_gradients
from videottt.evaluation.theory.sketch import CountSketch
from videottt.evaluation.theory.statistics import gradient_statistics
from videottt.evaluation.theory.summary import interval
from videottt.models.inputs import normalise
from videottt.settings.method import Method
from videottt.store.frames import FrameStore
from videottt.tasks import task_named
from videottt.tasks.task import LabelMaps
from videottt.ttt.objectives import objective_named

POTENTIALS = [toy.Quadratic(0.5), toy.LogCosh(0.5)]
ETA, BETA, SIGMA2 = 0.1, 0.5, 1.0
CHANGE = (BETA * ETA) ** 2
KEY = JobKey("synthetic", "semantic", "online_ttt_mae", 0, "tiny_0")
METHOD = Method(objective="mae", shortest_edge=64, longest_edge=256)


def draws(*key):
    return numpy_generator("test", *key)


def toy_paths(length):
    return {
        "straight": toy.straight_path(length, ETA, np.ones(4)),
        "random": toy.random_path(length, ETA, 4, draws("path")),
    }


# --- the proof ------------------------------------------------------------------------------------


@pytest.mark.parametrize("potential", POTENTIALS, ids=lambda p: type(p).__name__)
def test_potentials_are_strongly_convex_and_inverted(potential):
    theta, other = draws("a").normal(size=(2, 200, 5)) * 3
    found = potential.inverse_gradient(potential.gradient(theta))
    assert np.allclose(found, theta, atol=1e-9)
    # f(y) >= f(x) + ∇f(x)ᵀ (y - x) + α/2 ‖y - x‖²
    step = other - theta
    below = potential.value(theta) + (potential.gradient(theta) * step).sum(-1)
    gap = potential.value(other) - below - potential.alpha / 2 * (step**2).sum(-1)
    assert gap.min() >= -1e-9
    middle = potential.value(theta + 1e-5 * step) - potential.value(theta - 1e-5 * step)
    assert np.allclose(middle / 2e-5, (potential.gradient(theta) * step).sum(-1), atol=1e-6)


def test_lemma():
    # With a window of one frame, the objective is f plus a linear function, v = -δ.
    noise = draws("v").normal(size=(500, 1, 6)) * np.geomspace(0.01, 30, 500)[:, None, None]
    limit = (noise**2).sum(axis=(1, 2)) / 2
    frames = toy.straight_path(1, ETA, np.ones(4))
    for potential in POTENTIALS:
        stream = toy.toy_stream(potential, BETA, frames, 6, draws("W"))
        share = stream.excess_loss(1, noise) * potential.alpha / limit
        assert share.min() > 0
        if isinstance(potential, toy.Quadratic):
            assert np.allclose(share, 1)
        else:
            # Strictly, but not vacuously: where tanh is saturated, the curvature is nearly α.
            assert share.max() <= 1
            assert share.max() > 0.9


@pytest.mark.parametrize("potential", POTENTIALS, ids=lambda p: type(p).__name__)
@pytest.mark.parametrize("path", ["straight", "random"])
def test_theorem_holds_for_every_window(potential, path):
    length, size = 24, 16
    stream = toy.toy_stream(potential, BETA * 4, toy_paths(length)[path], size, draws("W"))
    noise = toy.noise(SIGMA2, (1500, length, size), draws("δ"))
    for k in range(1, length + 1):
        excess = 2 * potential.alpha * stream.excess_loss(k, noise).mean()
        variance = bound.variance_bound(k, SIGMA2)
        tight = bound.tight_bias_bound(k, 16 * CHANGE) + variance
        # 5%: over four standard errors of 1500 draws of a χ² variable with 16 degrees of freedom.
        assert excess <= 1.05 * tight
        assert tight <= bound.bias_bound(k, 16 * CHANGE) + variance
        if path == "straight" and isinstance(potential, toy.Quadratic):
            assert excess >= 0.95 * tight


def test_best_windows_minimise_their_bounds():
    for variance, change in ((1.0, 1e-4), (3.0, 0.02), (0.5, 0.5), (1.0, 40.0)):
        for bias, window in (
            (bound.bias_bound, bound.bound_window),
            (bound.tight_bias_bound, bound.tight_bound_window),
        ):
            best = minimize_scalar(
                lambda k, bias=bias, s=variance, c=change: bias(k, c) + s / k,
                bounds=(1e-3, 1e3),
                method="bounded",
                options={"xatol": 1e-9},
            ).x
            assert window(variance, change) == pytest.approx(best, rel=1e-4)
        # The factor that the paper leaves out.
        printed = bound.paper_window(variance, change)
        assert printed == pytest.approx(2 ** (1 / 3) * bound.bound_window(variance, change))
    # No variance: the current frame alone; no change: every frame there is; neither: unknown.
    edges = bound.tight_bound_window(
        np.array([0.0, 1.0, 0.0, -1.0]), np.array([1.0, 0.0, 0.0, 1.0])
    )
    assert np.array_equal(edges, [1, np.inf, np.nan, 1], equal_nan=True)


# --- the estimators, where the truth is known -----------------------------------------------------


def toy_statistics(
    length=400, size=32, mean=0.0, unit=1.0, masks=0.0, points=0.0, drift=0.0, alike=1
):
    """Gradients of a toy stream at θ₀ = 0, in two halves with noise of its own in each.

    δ moves by `drift` a frame along a line, and is noise that is the mean of `alike` draws, each
    shared by as many neighbouring frames, with the variance of one.
    """
    frames = toy.straight_path(length, ETA, np.ones(4))
    stream = toy.toy_stream(toy.Quadratic(1.0), BETA, frames, size, draws("W"))
    gradients = stream.main_gradients(np.zeros(size))
    independent = toy.noise(SIGMA2, (length + alike - 1, size), draws("δ"))
    noise = sum(independent[shift : shift + length] for shift in range(alike)) / np.sqrt(alike)
    path = drift * (np.arange(length) - (length - 1) / 2)
    delta = noise + (mean + path[:, None]) / np.sqrt(size)
    halves = [toy.noise(v, (2, length, size), draws("half", v)) for v in (points, masks)]
    own = unit * (gradients - delta)
    distances = np.linalg.norm(np.diff(frames, axis=0), axis=1)
    return gradient_statistics(
        np.arange(length), distances, gradients + halves[0], own + unit * halves[1]
    )


def estimates(statistics, replicates=0):
    return estimate(statistics, window_sizes(len(statistics)), replicates, "test")


def values(found):
    return {name: replicates[0] for name, replicates in found.constants.items()}


def test_smoothness_is_recovered_exactly():
    found = values(estimates(toy_statistics()))
    for name, truth in (("eta", ETA), ("beta", BETA), ("beta_eta", BETA * ETA)):
        for kind in ("max", "mean", "rms"):
            assert found[f"{name}_{kind}"] == pytest.approx(truth, rel=1e-6)


def test_change_is_recovered_below_the_noise_of_points():
    found = values(estimates(toy_statistics(points=0.01)))
    # Half of the noise of one half, in either gradient of a pair.
    assert found["beta_eta_rms"] == pytest.approx(BETA * ETA, rel=0.15)
    assert found["beta_rms"] == pytest.approx(BETA, rel=0.15)
    assert found["point_noise_share_of_change"] == pytest.approx(0.01 / (0.01 + CHANGE), rel=0.1)


def test_variance_and_best_windows_are_recovered_below_the_noise_of_masks_and_points():
    # The noise of either half is as large as σ² itself, and βη far below that of points.
    found = values(estimates(toy_statistics(mean=0.7, masks=1.0, points=0.05)))
    assert found["sigma2"] == pytest.approx(SIGMA2, rel=0.08)
    assert found["sigma2_with_draws"] == pytest.approx(SIGMA2 + 0.5 + 0.025, rel=0.08)
    assert found["mask_share"] == pytest.approx(0.5 / 1.525, rel=0.1)
    assert found["point_share"] == pytest.approx(0.025 / 1.525, rel=0.1)
    assert found["delta_mean"] == pytest.approx(0.7, rel=0.1)
    found = values(estimates(toy_statistics(masks=1.0)))
    for name, function in (
        ("paper", bound.paper_window),
        ("bound", bound.bound_window),
        ("tight_bound", bound.tight_bound_window),
    ):
        assert found[f"k_{name}"] == pytest.approx(function(SIGMA2, CHANGE), rel=0.04)


def test_differences_of_frames_recover_the_variance_that_drift_hides():
    # δ moves by 20 times the standard deviation of its noise, as the content of a video does.
    length, drift = 400, 0.05
    of_drift = drift**2 * (length**2 - 1) / 12
    found = values(estimates(toy_statistics(masks=1.0, points=0.05, drift=drift)))
    assert found["sigma2"] == pytest.approx(SIGMA2 + of_drift, rel=0.05)
    assert of_drift > 30 * SIGMA2
    assert found["sigma2_differences"] == pytest.approx(SIGMA2, rel=0.08)
    # ∇ℓ_m moves along a line, too: its variance over time is all drift.
    assert found["main_sigma2"] > 1000 * CHANGE
    assert found["main_sigma2_differences"] == pytest.approx(found["beta_eta_rms"] ** 2 / 2)
    found = values(estimates(toy_statistics(drift=drift)))
    for name, function in (
        ("paper", bound.paper_window),
        ("bound", bound.bound_window),
        ("tight_bound", bound.tight_bound_window),
    ):
        truth = float(function(SIGMA2, CHANGE)[0])
        assert found[f"k_{name}_differences"] == pytest.approx(truth, rel=0.04)
        assert found[f"k_{name}"] > 3 * truth


def test_noise_that_neighbours_share_lies_between_both_estimates_of_its_variance():
    # Of frames that share three of four draws, the correlation is 3/4.
    found = values(estimates(toy_statistics(length=1600, alike=4, drift=0.002)))
    assert found["sigma2_differences"] == pytest.approx(SIGMA2 / 4, rel=0.1)
    assert found["sigma2_differences"] < SIGMA2 < found["sigma2"]


def test_differences_say_nothing_of_the_window_where_the_own_gradient_is_negligible():
    # Then δ = ∇ℓ_m, and the variance from differences is half of the change.
    found = values(estimates(toy_statistics(drift=0.05, unit=1e-6)))
    assert found["sigma2_differences"] == pytest.approx(CHANGE / 2, rel=1e-3)
    assert found["k_paper_differences"] == pytest.approx(0.7937, rel=1e-3)
    assert found["k_bound_differences"] == pytest.approx(0.6300, rel=1e-3)
    assert found["k_tight_bound_differences"] == pytest.approx(1.4656, rel=1e-3)
    assert found["k_paper"] > 10


def test_curves_follow_the_theorem():
    found = estimates(toy_statistics(masks=1.0))
    k = found.windows
    curves = {name: rows[0] for name, rows in found.curves.items()}
    assert np.allclose(curves["bias"], bound.tight_bias_bound(k, CHANGE), rtol=1e-6, atol=1e-12)
    short = k <= 32
    assert np.allclose(curves["variance"][short], SIGMA2 / k[short], rtol=0.25)
    expected = bound.tight_bias_bound(k, CHANGE) + SIGMA2 / k
    assert np.allclose(curves["total"][short], expected[short], rtol=0.25)
    best = values(found)["k_measured"]
    assert expected[k == best] <= 1.1 * expected.min()


def test_measured_error_is_that_of_the_windows_it_names():
    # By hand, on few frames: targets are those with a full window of the largest size.
    first = draws("g").normal(size=(2, 9, 5))
    statistics = gradient_statistics(np.arange(9), np.ones(8), first[[0, 0]], first[[1, 1]])
    found = estimate(statistics, np.array([1, 2, 4]), 0, "test")
    m, s = first
    for column, k in enumerate((1, 2, 4)):
        errors = [((s[t - k + 1 : t + 1].mean(0) - m[t]) ** 2).sum() for t in range(3, 9)]
        assert found.curves["total"][0, column] == pytest.approx(np.mean(errors))
        delta = m - s - (m - s).mean(0)
        spread = [(delta[t - k + 1 : t + 1].mean(0) ** 2).sum() for t in range(3, 9)]
        assert found.curves["variance"][0, column] == pytest.approx(np.mean(spread))
    c = (m * s).sum() / (s * s).sum()
    assert values(found)["scale"] == pytest.approx(c)
    scaled = ((m - c * s - (m - c * s).mean(0)) ** 2).sum() / 8
    assert values(found)["sigma2_scaled"] == pytest.approx(scaled)
    for variant, factor in (("", 1), ("_scaled", c)):
        squares = (np.diff(m - factor * s, axis=0) ** 2).sum(1) / 2
        assert values(found)[f"sigma2_differences{variant}"] == pytest.approx(squares.mean())
        # Those between each target, frame 3 to 8, and the frame before it.
        of_targets = values(found)[f"target_sigma2_differences{variant}"]
        assert of_targets == pytest.approx(squares[2:].mean())


def test_scale_undoes_the_unit_of_the_loss():
    plain, tenth = (values(estimates(toy_statistics(unit=unit))) for unit in (1.0, 0.1))
    assert tenth["scale"] == pytest.approx(10 * plain["scale"])
    for name in (
        "sigma2_scaled",
        "sigma2_differences_scaled",
        "k_bound_differences_scaled",
        "k_paper_scaled",
        "k_measured_scaled",
        "k_aligned",
        "cosine",
    ):
        assert tenth[name] == pytest.approx(plain[name])
    assert tenth["sigma2"] > 2 * plain["sigma2"]


def test_bootstrap_knows_that_neighbours_are_alike():
    length = 400
    weights = bootstrap_weights(length, 1000, "test")
    assert (weights[0] == 1).all()
    assert (weights.sum(axis=1) == length).all()
    alike = np.repeat(draws("levels").normal(size=length // 10), 10)
    apart = draws("shuffled").permutation(alike)
    spread = {}
    for name, series in (("alike", alike), ("apart", apart)):
        spread[name] = (weights[1:] @ series / length).std()
    # The mean of 40 levels, ten frames each, is as uncertain as that of 40 frames.
    naive = alike.std() / np.sqrt(length)
    assert spread["apart"] == pytest.approx(naive, rel=0.25)
    assert 2 * naive < spread["alike"] < 4 * naive


def test_interval_holds_the_truth():
    found = estimates(toy_statistics(masks=1.0), replicates=400).constants
    for name, truth in (("sigma2", SIGMA2), ("k_paper", bound.paper_window(SIGMA2, CHANGE))):
        low, high = interval(found[name][1:])
        assert low < truth < high
        assert high - low < 0.2 * truth
    assert np.isnan(interval(found["eta_max"][1:])).all()


# --- the gradients of a model ---------------------------------------------------------------------


def test_sketch_keeps_inner_products_on_average():
    a, b = torch.from_numpy(draws("ab").normal(size=(2, 600)) + 0.3).float()
    device = torch.device("cpu")
    found = []
    for seed in range(400):
        sketch = CountSketch(600, 64, seed, device)
        found.append(float(sketch([a[:100], a[100:].view(5, 100)]) @ sketch([b])))
    truth = float(a @ b)
    limit = float((a @ a) * (b @ b) + truth**2) / 64
    assert np.mean(found) == pytest.approx(truth, abs=4 * np.sqrt(limit / 400))
    assert 0.7 * limit < np.var(found) < 1.3 * limit
    exact = CountSketch(600, 600, 0, device)
    assert torch.equal(exact([a]), a.double())


def frame_gradients(model, store, frames, method=METHOD, **sampling):
    settings = Sampling(**{"masks": 4, "point_draws": 2, "dimension": 10**7, **sampling})
    task = task_named("semantic", SPACE)
    run = range(frames[0], frames[-1] + 1)
    return list(stream_gradients(model, task, method, store, run, KEY, settings))


def seen(store, frame, edge):
    """A frame of 64 x 96 and its labels as the model sees them: padded with 0, which is void."""
    size = (edge * 96 // 64, edge)
    image = Image.fromarray(store.frame(frame)).resize(size, Image.Resampling.BILINEAR)
    classes = Image.fromarray(store.semantic(frame)).resize(size, Image.Resampling.NEAREST)
    pixels = normalise(torch.from_numpy(np.array(image)[None]))
    below, right = (-size[axis] % 32 for axis in (1, 0))
    images = torch.nn.functional.pad(pixels, (0, right, 0, below))
    labels = np.pad(np.array(classes), ((0, below), (0, right)), constant_values=255)
    labels = torch.from_numpy(labels[None])
    return images, LabelMaps(labels, torch.zeros_like(labels).int())


@pytest.mark.parametrize("edge", [64, 40])
def test_gradients_are_those_of_both_losses_for_the_encoder(model, store, edge):
    before = weights_of(model)
    (found,) = frame_gradients(model, store, [3], dataclasses.replace(METHOD, shortest_edge=edge))
    assert not changed(before, model)
    encoder = list(model.encoder.parameters())
    images, labels = seen(store, 3, edge)
    assert torch.equal(found.pixels, images[0])
    ids = (*KEY.draws_of("theory"), 3)
    main_task_loss = task_named("semantic", SPACE).main_task_loss(model)
    for half in (0, 1):
        model.zero_grad()
        with global_draws(*ids, "points", half, 0):
            outputs = model.predict(images)
            main_task_loss(outputs, labels).backward()
        _check_equal(found.main[half], encoder)
        model.zero_grad()
        objective = objective_named("mae", {})
        draw = generator(*ids, "masks", half)
        for _ in range(2):
            (objective.loss(model, images, draw) / 2).backward()
        _check_equal(found.own[half], encoder)
    assert not torch.equal(found.own[0], found.own[1])


def _check_equal(sketch, parameters):
    gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
    expected = torch.cat([g.reshape(-1) for g in gradients]).double()
    difference = torch.linalg.vector_norm(sketch[: len(expected)] - expected)
    assert difference < 1e-4 * torch.linalg.vector_norm(expected)
    assert torch.linalg.vector_norm(expected) > 0


def test_gradients_depend_on_the_frame_and_its_ids_alone(model, store):
    alone = frame_gradients(model, store, [5], dimension=500)[0]
    in_run = frame_gradients(model, store, [4, 5], dimension=500)[1]
    assert torch.equal(alone.main, in_run.main)
    assert torch.equal(alone.own, in_run.own)
    split = dataclasses.replace(METHOD, micro_batch=1)
    parts = frame_gradients(model, store, [5], split, dimension=500)[0]
    assert torch.allclose(parts.own, alone.own, rtol=1e-3, atol=1e-5)


def test_longest_labelled_run(source_frames, tmp_path):
    bare = [dataclasses.replace(frame, semantic=None) for frame in source_frames]
    labelled = [bare[0], *source_frames[1:10], *bare[10:]]
    with FrameStore(store_frames(tmp_path / "run.h5", labelled)) as store:
        assert labelled_run(store) == range(1, 10)
        assert labelled_run(store, 8) == range(1, 9)
    sparse = [
        s if t % 3 == 0 else b for t, (s, b) in enumerate(zip(source_frames, bare, strict=True))
    ]
    with (
        FrameStore(store_frames(tmp_path / "sparse.h5", sparse)) as store,
        pytest.raises(InputError, match="at most 1 consecutive frames have labels"),
    ):
        labelled_run(store)


# --- the command line -----------------------------------------------------------------------------


def theory_command(store_path, checkpoint, output, *changes):
    settings = {"objective": "mae", "shortest_edge": 64, "longest_edge": 256}
    return [
        "theory", "--frames", str(store_path), "--checkpoint", str(checkpoint), "--task",
        "semantic", "--settings", json.dumps(settings), "--seed", "0", "--device", "cpu", "--masks",
        "2", "--point-draws", "2", "--dimension", "256", "--output", str(output), *changes,
    ]  # fmt: skip


@pytest.fixture(scope="module")
def measured(store_path, joint_checkpoint, tmp_path_factory):
    """Gradient statistics of two seeds."""
    paths = [tmp_path_factory.mktemp("theory") / f"seed{seed}.h5" for seed in (0, 1)]
    for path, seed, length in zip(paths, "01", ("10", "8"), strict=True):
        changes = ("--seed", seed, "--length", length)
        main(theory_command(store_path, joint_checkpoint, path, *changes))
    return paths


def sweep_table(path, windows=("1", "2", "4", "all"), seeds=(0, 1)):
    methods = ["mae_joint_training", *(f"online_ttt_mae,window={k}" for k in windows)]
    rows = [
        {
            "dataset": "synthetic", "split": "val", "task": "semantic", "method": method,
            "seed": seed, "aggregation": "pooled", "video": "all", "metric": "miou_pooled",
            "value": 0.3 + 0.01 * place + 0.002 * seed,
        }
        for place, method in enumerate([*methods, "online_ttt_mae"])
        for seed in seeds
    ]  # fmt: skip
    pd.DataFrame(rows).to_csv(path, index=False)
    return path


def plot_command(measured, sweep, folder):
    outputs = [f"--{kind}={folder / f't.{kind}'}" for kind in ("png", "pdf", "csv", "markdown")]
    return [
        "plot-theory", "--theory", *map(str, measured), "--sweep", str(sweep), "--split", "val",
        "--method", "online_ttt_mae", "--base-value", "3", "--fixed", "mae_joint_training",
        *outputs,
    ]  # fmt: skip


def refused(capsys, command):
    with pytest.raises(SystemExit) as stop:
        main(command)
    assert stop.value.code == 2
    (line,) = capsys.readouterr().err.strip().splitlines()[-1:]
    assert line.startswith("videottt: error: ")
    return line


def test_same_command_same_bytes(measured, store_path, joint_checkpoint, tmp_path):
    again = tmp_path / "again.h5"
    main(theory_command(store_path, joint_checkpoint, again, "--seed", "1", "--length", "8"))
    assert contents(again) == contents(measured[1])
    assert contents(again)["halves"] != contents(measured[0])["halves"]
    made = json.loads(contents(again)["attributes"]["provenance"])
    assert source_tree().items() <= made.items()


def test_figure_and_table(measured, tmp_path):
    sweep = sweep_table(tmp_path / "sweep.csv")
    for run in ("a", "b"):
        (tmp_path / run).mkdir()
        main(plot_command(measured, sweep, tmp_path / run))
    for kind in ("png", "pdf", "csv", "markdown"):
        first, second = ((tmp_path / run / f"t.{kind}").read_bytes() for run in ("a", "b"))
        assert first == second
    with Image.open(tmp_path / "a/t.png") as image:
        assert image.width >= 900
    table = pd.read_csv(tmp_path / "a/t.csv")
    assert set(table.seed) == {0, 1}
    assert list(table.frames.unique()) == [10, 8]
    known = table.dropna(subset=["low", "value"])
    assert known.quantity.nunique() > 20
    assert (known.low <= known.high).all()
    read = (tmp_path / "a/t.markdown").read_text()
    for name in ("σ²", "k*, as printed"):
        for spread in ("over time", "from differences"):
            assert re.search(rf"\| {re.escape(name)},.* {spread} +\|", read)


def test_bad_input_is_one_line(
    measured, store_path, joint_checkpoint, main_task_checkpoint, tmp_path, capsys
):
    output = tmp_path / "never.h5"
    command = theory_command(store_path, main_task_checkpoint, output)
    assert "has no decoder g" in refused(capsys, command)
    command = theory_command(store_path, joint_checkpoint, output, "--masks", "3")
    assert "masks is 3, but must be even" in refused(capsys, command)
    fixed = json.dumps({"objective": "none"})
    command = theory_command(store_path, joint_checkpoint, output, "--settings", fixed)
    assert "objective 'none' has no gradient" in refused(capsys, command)
    assert not output.exists()

    sweep = sweep_table(tmp_path / "sweep.csv", windows=("none",))
    assert "window 'none'" in refused(capsys, plot_command(measured, sweep, tmp_path))
    table = pd.read_csv(sweep)
    table[table.method != "mae_joint_training"].to_csv(sweep, index=False)
    message = refused(capsys, plot_command(measured, sweep, tmp_path))
    assert "of method 'mae_joint_training' on synthetic val" in message
    assert "no such file" in refused(capsys, plot_command(measured, tmp_path / "no", tmp_path))
    (tmp_path / "empty").touch()
    assert "not a table" in refused(capsys, plot_command(measured, tmp_path / "empty", tmp_path))
    assert not list(tmp_path.glob("t.*"))
