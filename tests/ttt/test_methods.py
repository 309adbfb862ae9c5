import copy
import dataclasses
import hashlib
import itertools
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from support import SPACE, changed, weights_of, whole_config
from videottt.core.errors import InputError
from videottt.core.ids import JobKey, MethodId
from videottt.core.randomness import generator
from videottt.core.settings import with_values
from videottt.models.checkpoint import load_checkpoint
from videottt.models.inputs import normalise
from videottt.models.y_shaped import QueryOutputs
from videottt.runtime.saved_state import SavedState
from videottt.settings.method import CollapseSettings, Method, OptimizerSettings, method_from
from videottt.study.job_settings import method_settings
from videottt.tasks import task_named
from videottt.ttt.collapse import ClassCollapse
from videottt.ttt.memory import WholeVideo
from videottt.ttt.objectives import list_objectives, objective_named
from videottt.ttt.objectives.mae import MaskedAutoencoding
from videottt.ttt.objectives.norm_statistics import AccumulatingLayerNorm
from videottt.ttt.objectives.objective import REGISTERED
from videottt.ttt.offline import OfflineProgress, run_offline
from videottt.ttt.stream import Stream, frame_order, run_stream

SIZE = (32, 64)
MIDDLE = (slice(16, 48), slice(16, 80))
KEY = JobKey("synthetic", "semantic", "online_ttt_mae", 0, "tiny_0")
CONFIG = whole_config()
# Those that predict, in the longest study: what is only scored otherwise predicts nothing.
METHODS = [
    name
    for name in CONFIG["studies"]["demo_full"]["methods"]
    if "predictions_of" not in CONFIG["methods"][name.split(",")[0]]
]
OBJECTIVES = list_objectives()
# Fast enough for a few updates to be seen in the prediction.
FAST = OptimizerSettings(learning_rate=1e-2, encoder_multiplier=1.0, gradient_clip=1.0)
# So that each objective learns something from any frame.
OPTIONS = {"self_train": {"threshold": 0.0}, "layer_norm": {"weight": 0.9}}
# Where the parameters are that an objective trains; one that is new need not be here.
BRANCHES = {
    "mae": {"encoder", "decoder"},
    "self_train": {"encoder", "head"},
    "tent": {"encoder", "head"},
    "layer_norm": set(),
    "none": set(),
}


def config_method(name, **changes):
    """Return a method of the study demo_full, with smaller sizes."""
    config = {**CONFIG, "study": "demo_full"}
    method = MethodId.parse(name)
    values = with_values(method_settings(config, "synthetic", method), method.overrides)
    # Batches hold the current frame, whatever the window, of a video of up to three.
    small = {"shortest_edge": 32, "batch": 3, "sampling": "permutations"}
    if values["objective"] == "self_train":
        small |= {"options.threshold": min(0.2, values["options"].get("threshold", 1))}
    if "votes" in values:
        small |= {"votes": 3, "augmentation.shortest_edge": 32, "augmentation.crop": [32, 64]}
    if "ladder" in values:
        small |= {"ladder": [1, 3]}
    return method_from(with_values(values, {**small, **changes}))


def method_of(objective, **changes):
    """Return a small method with the given objective and a large learning rate."""
    values = {"window": 1, "batch": 2, "shortest_edge": 32, "longest_edge": 256}
    values |= {"optimizer": FAST, "options": OPTIONS.get(objective, {})}
    return Method(objective=objective, **{**values, **changes})


def stream_of(model, method, task=None):
    return Stream(model, task or task_named("semantic", SPACE), method, KEY)


def numbers(result):
    """Return a result without its wall times, in a form that == compares bit for bit."""
    digest = hashlib.sha256(result.prediction.tobytes()).hexdigest()
    told = (result.loss, result.gradient_norm, result.skipped_steps, result.resets)
    return result.index, digest, repr(told)


def run(model, method, frames):
    """Run a method over a video in the method's order of frames; return its numbers."""
    stream = stream_of(model, method)
    if method.order == "offline":
        rungs = run_offline(stream, WholeVideo(len(frames), frames.__getitem__), lambda update: 0)
        return {(rung, each.index): numbers(each) for rung, results in rungs for each in results}
    return {each.index: numbers(each) for each in run_stream(stream, enumerate(frames))}


@pytest.fixture(scope="module")
def trained(joint_checkpoint):
    """Return a model with scaled-up weights: barely trained, it would predict one class only."""
    model = load_checkpoint(joint_checkpoint).model
    with torch.no_grad():
        model.head.class_predictor.weight.mul_(100)
        model.head.pixel_decoder.mask_projection.weight.mul_(30)
    return model


@pytest.fixture
def fresh(trained):
    """Return a function that makes copies of the jointly trained model."""
    return lambda: copy.deepcopy(trained)


@pytest.fixture(scope="module")
def frames(source_frames):
    return [source_frames[index].image[MIDDLE] for index in (0, 1, 5, 9)]


@pytest.fixture
def recorded():
    """Register the objective `recording` for one test; return the list of batches it receives."""
    before, seen = dict(REGISTERED), []

    class Recording(MaskedAutoencoding, name="recording"):
        def loss(self, model, images, generator):
            seen.append([round(float(image.mean()), 4) for image in images])
            return super().loss(model, images, generator)

    yield seen
    REGISTERED.clear()
    REGISTERED.update(before)


def means(frames):
    """Return the entries of `recorded` for frames."""
    return [round(float(normalise(torch.from_numpy(each[None])).mean()), 4) for each in frames]


# Every method of the configuration


@pytest.mark.parametrize("name", METHODS)
def test_a_method_changes_only_its_parameters_is_reproducible_and_sees_no_future_frame(
    fresh, frames, name
):
    # A reset after the last frame would hide what was learned.
    method = config_method(name, **{"collapse.difference": 99})
    objective = objective_named(method.objective, method.options)
    model = fresh()
    before, declared = weights_of(model), fresh()
    objective.prepare(declared)
    trainable = {id(parameter) for parameter in objective.trainable(declared)}
    names = {n for n, p in declared.named_parameters() if id(p) in trainable}
    video = frames[1:]
    results = run(model, method, video)
    moved = changed(before, model)
    assert moved <= names
    # The encoder's last norm belongs to a classifier that is not there: no gradient reaches it.
    assert len(moved) >= 0.9 * len(names)
    assert {n.split(".")[0] for n in moved} == BRANCHES.get(method.objective, set()) or (
        method.objective not in BRANCHES
    )

    other_end = [*video[:-1], 255 - video[-1]]
    again = run(fresh(), method, video if method.order == "offline" else other_end)
    differ = {index for index in results if results[index] != again[index]}
    assert differ == (set() if method.order == "offline" else {len(video) - 1})


class Cut(Exception):
    """An error that ends a job at a chosen frame."""


def through_disk(state, folder):
    """Save a state to disk and load it, as another process would."""
    saved = SavedState(folder, folder / "out.h5", {})
    assert saved.save(state)
    return SavedState(folder, folder / "out.h5", {}).load()


def steps_of(stream, video, state, cut, folder):
    """Run `cut` steps of a video from a state; return their results and the new state."""
    said, state = [], state or {"done": 0}
    if "stream" in state:
        stream.restore(state["stream"], video.__getitem__)
    if stream.method.order == "offline":
        progress = OfflineProgress(**state.get("offline", {}))

        def after(what):
            said.append(what)
            if len(said) == cut:
                raise Cut

        whole = WholeVideo(len(video), video.__getitem__)
        rungs = run_offline(stream, whole, lambda u: after((u.loss, u.gradient_norm)), progress)
        try:
            for rung, results in rungs:
                for result in results:
                    after((rung, numbers(result)))
        except Cut:
            pass
        state = {"offline": progress.state()}
    else:
        order = frame_order(len(video), stream.method.order, KEY)[state["done"] :]
        arrivals = ((index, video[index]) for index in order)
        results = itertools.islice(run_stream(stream, arrivals), cut)
        said = [numbers(result) for result in results]
        state = {"done": state["done"] + len(said)}
    return said, through_disk({**state, "stream": stream.state()}, folder)


REBUILT = ("online_ttt_mae", "offline_ttt_mae_all_frames")


@pytest.mark.parametrize(
    ("name", "optimizer"),
    [*((name, "kept") for name in METHODS), *((name, "rebuilt") for name in REBUILT)],
)
def test_every_method_resumes_bit_for_bit_from_any_saved_state(
    fresh, frames, name, optimizer, tmp_path
):
    # With averages over frames, a collapse now and then, and optimizers that remember.
    changes = {"collapse.difference": 0.5, "optimizer_between_frames": optimizer, "window": 2}
    method = config_method(name, **changes)
    if method.votes == 1:
        method = dataclasses.replace(method, smoothing=3)
    whole, _ = steps_of(stream_of(fresh(), method), frames, None, 10**6, tmp_path)
    for cut in range(1, len(whole)):
        first, state = steps_of(stream_of(fresh(), method), frames, None, cut, tmp_path)
        rest, _ = steps_of(stream_of(fresh(), method), frames, state, 10**6, tmp_path)
        assert len(first) == cut
        assert repr(first + rest) == repr(whole)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_resets_discard_everything_learned_before(fresh, frames, objective, monkeypatch):
    """The optimizer is reset too: its first step on a frame is as on a new stream."""
    alone = [
        numbers(stream_of(fresh(), method_of(objective, steps=2)).step(frame, index))
        for index, frame in enumerate(frames)
    ]
    each = run(fresh(), method_of(objective, steps=2, reset="every_frame"), frames)
    assert list(each.values()) == alone
    # A collapse after every frame.
    monkeypatch.setattr(ClassCollapse, "noticed", lambda *_: True)
    collapse = method_of(objective, steps=2, reset="class_collapse")
    collapsed = [
        stream.step(frame) for stream in [stream_of(fresh(), collapse)] for frame in frames
    ]
    assert [result.resets for result in collapsed] == [1] * len(frames)
    assert [numbers(dataclasses.replace(r, resets=0)) for r in collapsed] == alone
    never = run(fresh(), method_of(objective, steps=2, reset="never"), frames)
    assert (list(never.values()) == alone) == (objective == "none")


def test_a_collapse_resets_the_model_after_the_frame_that_shows_it(fresh, frames):
    video = frames * 2
    drifting = method_of("mae", window=4, optimizer=dataclasses.replace(FAST, learning_rate=0.2))
    never = run(fresh(), drifting, video)
    settings = CollapseSettings(difference=1.0, frames=2)
    method = dataclasses.replace(drifting, reset="class_collapse", collapse=settings)
    model = fresh()
    before, stream = weights_of(model), stream_of(model, method)
    results = []
    for frame in video:
        results.append(stream.step(frame))
        assert (changed(before, model) == set()) == bool(results[-1].resets)
    first = [result.resets for result in results].index(1)
    assert 0 < first < len(video) - 1
    up_to = [numbers(dataclasses.replace(r, resets=0)) for r in results[: first + 1]]
    assert up_to == list(never.values())[: first + 1]
    # The window outlives the weights.
    counts = [
        [task_named("semantic", SPACE).count_classes(each.prediction) for each in found]
        for found in (results, [stream_of(fresh(), method_of("none")).step(f) for f in video])
    ]
    gaps = [abs(np.subtract(*[np.mean(c[max(0, t - 1) : t + 1]) for c in counts]))
            for t in range(first + 1)]  # fmt: skip
    assert [gap > 1 for gap in gaps] == [False] * first + [True]


@pytest.mark.parametrize(
    ("counts", "noticed"),
    [
        # (initial, current) of each frame, difference 2, averages over 3 frames
        ([(5, 5), (5, 3), (5, 2), (5, 2)], [0, 0, 0, 1]),  # means differ by 0, 1, 5/3, 8/3
        ([(5, 5), (5, 7), (5, 8), (5, 8)], [0, 0, 0, 1]),  # too many classes are a drift, too
        ([(5, 3), (5, 3), (5, 3), (5, 3)], [0, 0, 0, 0]),  # by 2, which is not more than 2
        ([(9, 3), (5, 5), (5, 3), (5, 0)], [1, 0, 0, 1]),  # anew: by 6; 0, 1, 7/3
        ([(2, 8), (8, 2), (2, 8)], [1, 1, 1]),  # averages of one frame each, in both directions
        ([(4, 4), (8, 4), (0, 4), (4, 4)], [0, 0, 0, 0]),  # both averages move: 0, 2, 0, 0
    ],
)
def test_a_collapse_is_a_difference_of_moving_averages_that_restart_after_it(counts, noticed):
    collapse = ClassCollapse(2, 3)
    assert [collapse.noticed(*each) for each in counts] == [bool(each) for each in noticed]


# Offline


def test_offline_trains_on_all_frames_and_rungs_are_independent(fresh, frames, recorded):
    def offline(*ladder, **changes):
        method = method_of("recording", order="offline", ladder=ladder, batch=4,
                           sampling="permutations", **changes)  # fmt: skip
        losses = []
        stream = stream_of(fresh(), method)
        video = WholeVideo(len(frames), frames.__getitem__)
        rungs = run_offline(stream, video, lambda update: losses.append(update.loss))
        return {rung: [numbers(each) for each in results] for rung, results in rungs}, losses

    several, losses = offline(0, 1, 3)
    assert [sorted(batch) for batch in recorded] == [sorted(means(frames))] * 3
    assert offline(3) == ({3: several[3]}, losses)
    assert several[0] == list(run(fresh(), method_of("none"), frames).values())
    assert len({str(results) for results in several.values()}) == len(several)
    assert len(losses) == 3
    # Smoothing, too, starts anew: no scores of other weights.
    smooth = {"smoothing": len(frames)}
    assert offline(0, 3, **smooth)[0][3] == offline(3, **smooth)[0][3] != several[3]


def test_the_time_of_offline_updates_is_spread_evenly_over_frames_at_each_rung(fresh, frames):
    spent, seconds = [], {}
    stream = stream_of(fresh(), method_of("mae", order="offline", ladder=(0, 1, 3)))
    video = WholeVideo(len(frames), frames.__getitem__)
    for rung, results in run_offline(stream, video, lambda update: spent.append(update.wall_time)):
        seconds[rung] = [each.wall_time for each in results]
    for phase in ("sample", "forward", "backward", "optimizer"):
        for rung, of_rung in seconds.items():
            total = sum(update[phase] for update in spent[:rung])
            assert [each[phase] for each in of_rung] == pytest.approx([total / 4] * 4)
            assert (total > 0) == (rung > 0)
    for of_rung in seconds.values():
        assert all(each["predict"] > 0 for each in of_rung)


# Updates


@pytest.fixture
def faulty():
    """Register the objective `faulty`; return the settings of when and how its loss fails."""
    before, plan = dict(REGISTERED), {"fits": 10**6, "nan": set(), "shown": []}

    class Faulty(MaskedAutoencoding, name="faulty"):
        def loss(self, model, images, generator):
            plan["shown"].append(len(images))
            if len(images) > plan["fits"]:
                # As a device does: in the middle of it, with draws taken.
                super().loss(model, images[:1], generator).backward()
                raise torch.OutOfMemoryError("CUDA out of memory.")
            loss = super().loss(model, images, generator)
            return loss * float("nan") if len(plan["shown"]) in plan["nan"] else loss

    yield plan
    REGISTERED.clear()
    REGISTERED.update(before)


def faulty_method(**changes):
    values = {
        "objective": "faulty",
        "window": 2,
        "batch": 8,
        "shortest_edge": 32,
        "longest_edge": 256,
    }
    return method_from({**values, **changes})


def losses_of(model, method, frames):
    stream = stream_of(model, method)
    results = [stream.step(frame) for frame in frames]
    return [(r.loss, r.gradient_norm) for r in results], [r.skipped_steps for r in results], stream


def test_out_of_memory_halves_the_micro_batch_and_keeps_the_loss(
    fresh, frames, faulty, caplog, tmp_path
):
    expected, _, _ = losses_of(fresh(), faulty_method(), frames)
    faulty.update(fits=3, shown=[])
    found, _, stream = losses_of(fresh(), faulty_method(), frames)
    assert faulty["shown"] == [8, 4, *[2] * 4 * len(frames)]
    assert found == [pytest.approx(each, rel=1e-4) for each in expected]
    assert [r.message for r in caplog.records] == [
        "frame 0: cpu ran out of memory with micro_batch 8; going on with 4: batch and loss stay "
        "the same",
        "frame 0: cpu ran out of memory with micro_batch 4; going on with 2: batch and loss stay "
        "the same",
    ]
    # The same as if it had been asked for, and remembered by the state.
    assert losses_of(fresh(), faulty_method(micro_batch=2), frames)[0] == found
    faulty["shown"].clear()
    resumed = stream_of(fresh(), faulty_method())
    resumed.restore(through_disk(stream.state(), tmp_path), frames.__getitem__)
    resumed.step(frames[0], 4)
    assert faulty["shown"] == [2] * 4
    faulty["fits"] = 0
    with pytest.raises(InputError, match=r"frame 0: cpu has not enough memory .* one image; lower"):
        losses_of(fresh(), faulty_method(), frames)


def test_updates_that_are_not_finite_are_skipped_up_to_a_limit(fresh, frames, faulty):
    model = fresh()
    clean, _, _ = losses_of(copy.deepcopy(model), faulty_method(), frames)
    faulty.update(nan={2}, shown=[])
    found, skipped, _ = losses_of(copy.deepcopy(model), faulty_method(skipped_limit=1), frames)
    assert skipped == [0, 1, 0, 0]
    assert found[0] == clean[0]
    assert np.isnan(found[1]).all()
    assert np.isfinite(found[2:]).all()
    assert found[2] != clean[2]
    # One more in a row is too much, but not in all.
    faulty.update(nan={1, 3}, shown=[])
    _, skipped, _ = losses_of(copy.deepcopy(model), faulty_method(skipped_limit=1), frames)
    assert skipped == [1, 0, 1, 0]
    faulty.update(nan={2, 3}, shown=[])
    with pytest.raises(InputError, match=r"frame 2: loss or gradient of 2 updates in a row"):
        losses_of(copy.deepcopy(model), faulty_method(skipped_limit=1), frames)


# Tent and self-training


def outputs_of(batch=2, queries=3, classes=4, size=(2, 3), seed=0):
    """Return random outputs of h, of one decoder layer."""
    draws = torch.Generator().manual_seed(seed)
    logits = torch.randn(batch, queries, classes + 1, generator=draws)
    masks = 3 * torch.randn(batch, queries, *size, generator=draws)
    return QueryOutputs((logits,), (masks,))


def distribution(outputs):
    """Compute each pixel's distribution over classes, [B, H, W, classes], in plain loops."""
    logits = outputs.class_logits[-1].detach().double().numpy()
    masks = 1 / (1 + np.exp(-outputs.mask_logits[-1].detach().double().numpy()))
    found = np.zeros((len(masks), *masks.shape[2:], logits.shape[2] - 1))
    for image, row, column in np.ndindex(found.shape[:3]):
        for query, said in enumerate(logits[image]):
            shares = np.exp(said) / np.exp(said).sum()
            found[image, row, column] += shares[:-1] * masks[image, query, row, column]
    return found / found.sum(axis=-1, keepdims=True)


def test_tent_is_the_mean_entropy_of_the_pixels(fresh):
    # Two queries that are sure of two classes, and an equal claim of both on the right pixel.
    sure = torch.tensor([[[99.0, 0.0, 0.0], [0.0, 99.0, 0.0]]])
    claims = torch.tensor([[[[50.0, 0.0]], [[-50.0, 0.0]]]])
    model = SimpleNamespace(predict_final=lambda images: QueryOutputs((sure,), (claims,)))
    loss = objective_named("tent", {}).loss(model, None, None)
    assert float(loss) == pytest.approx(np.log(2) / 2, abs=1e-6)
    outputs = outputs_of()
    shares = distribution(outputs)
    entropy = -(shares * np.log(shares)).sum(axis=-1).mean()
    model = SimpleNamespace(predict_final=lambda images: outputs)
    assert float(objective_named("tent", {}).loss(model, None, None)) == pytest.approx(entropy)


def test_tent_trains_scale_and_shift_of_every_norm_of_f_and_h_and_nothing_else(fresh):
    model = fresh()
    model.encoder.added = nn.BatchNorm2d(3)
    model.encoder.plain = nn.LayerNorm(4, elementwise_affine=False)
    trained = {id(parameter) for parameter in objective_named("tent", {}).trainable(model)}
    norms = {name: module for name, module in model.named_modules() if "Norm" in str(type(module))}
    of_head = [module for name, module in norms.items() if name.startswith("head.")]
    for kind in (nn.LayerNorm, nn.GroupNorm):
        assert any(isinstance(module, kind) for module in of_head)
    expected = {
        id(parameter)
        for name, module in norms.items()
        if name.startswith(("encoder.", "head."))
        for parameter in (module.weight, module.bias)
        if parameter is not None
    }
    assert trained == expected
    assert {id(model.encoder.added.weight), id(model.encoder.added.bias)} <= trained
    bare = SimpleNamespace(encoder=nn.Linear(2, 2), head=nn.BatchNorm2d(2, affine=False))
    with pytest.raises(InputError, match="no LayerNorm, GroupNorm or BatchNorm"):
        objective_named("tent", {}).trainable(bare)


def test_tent_updates_the_statistics_of_layer_norms_as_ln_adapt_does(fresh, frames):
    still = OptimizerSettings(learning_rate=0.0)

    def predictions(objective, **options):
        stream = stream_of(fresh(), method_of(objective, options=options, optimizer=still))
        return np.stack([stream.step(frame).prediction for frame in frames])

    # Without steps of its own, what is left of Tent are the statistics.
    accumulated = predictions("tent", statistics_weight=0.5)
    assert np.array_equal(accumulated, predictions("layer_norm", weight=0.5, scope="layer"))
    own = predictions("tent", statistics_weight=0.0)
    assert np.array_equal(own, predictions("none"))
    assert not np.array_equal(own, accumulated)
    # They are part of what a killed job goes on from.
    method = method_of("tent", options={"statistics_weight": 0.5})
    whole, half, resumed = (stream_of(fresh(), method) for _ in range(3))
    expected = [whole.step(frame).loss for frame in frames]
    found = [half.step(frame).loss for frame in frames[:2]]
    resumed.restore(half.state(), frames.__getitem__)
    assert found + [resumed.step(frame).loss for frame in frames[2:]] == expected


@pytest.mark.parametrize("objective", ["tent", "self_train"])
def test_learning_lowers_the_loss_on_a_still_frame(fresh, frames, objective):
    options = {"threshold": 0.0, "mask_ratio": 0.0} if objective == "self_train" else {}
    stream = stream_of(fresh(), method_of(objective, steps=2, options=options))
    losses = [stream.step(frames[0]).loss for _ in range(5)]
    assert losses[4] < 0.97 * losses[0]


def confidences(model, images):
    """Return the teacher's distribution and its confidence at each pixel."""
    with torch.no_grad():
        shares = distribution(model.predict(images))
    return shares, shares.max(axis=-1)


def reference_loss(teacher, student, threshold):
    """Compute the loss of appendix A.1 pixel by pixel: the cross-entropy of each image's set D."""
    losses = []
    for image in range(len(teacher)):
        chosen = []
        for row, column in np.ndindex(teacher.shape[1:3]):
            label = teacher[image, row, column].argmax()
            if teacher[image, row, column, label] > threshold:
                chosen.append(-np.log(student[image, row, column, label]))
        losses.append(np.mean(chosen) if chosen else 0.0)
    return np.mean(losses)


def test_self_training_is_the_cross_entropy_of_the_confident_pixels(trained, frames):
    images = normalise(torch.from_numpy(np.stack([frames[0], 255 - frames[2]])))
    shares, sure = confidences(trained, images)
    low, high = sorted(sure.reshape(2, -1).max(axis=1))
    assert low < high
    for threshold in (0.0, float(np.median(sure)), (low + high) / 2, (high + 1) / 2):
        options = {"threshold": threshold, "mask_ratio": 0.0}
        loss = objective_named("self_train", options).loss(trained, images, generator("x"))
        expected = reference_loss(shares, shares, threshold)
        assert float(loss.detach()) == pytest.approx(expected, rel=1e-4)
    # Above `low` one image has no label; above `high` neither has.
    assert float(loss.detach()) == 0


def test_self_training_masks_the_student_and_not_the_teacher(fresh, frames):
    model, shown = fresh(), []
    model.encoder.register_forward_pre_hook(lambda _, inputs: shown.append(inputs[0].detach()))
    images = normalise(torch.from_numpy(np.stack(frames[:2])))
    objective = objective_named("self_train", {"threshold": 0.0, "mask_ratio": 0.75})
    loss = objective.loss(model, images, generator("x"))
    teacher, student = shown
    assert torch.equal(teacher[:, :3], images)
    assert (teacher[:, 3] == 1).all()
    assert student[:, 3].mean(dim=(1, 2)).tolist() == [0.25, 0.25]
    assert torch.equal(student[:, :3], images * student[:, 3:])
    assert not torch.equal(student[0, 3], student[1, 3])
    with torch.no_grad():
        said = distribution(model.head(model.features(images, student[:, 3:])))
    expected = reference_loss(confidences(model, images)[0], said, 0.0)
    assert float(loss.detach()) == pytest.approx(expected, rel=1e-4)
    # No gradient reaches the labels: in half precision no cast of theirs is used again, either.
    loss.backward()
    in_full = {name for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    with torch.autocast("cpu", torch.bfloat16):
        half = objective.loss(model, images, generator("x"))
    half.backward()
    assert {name for name, p in model.named_parameters() if p.grad is not None} == in_full


def test_without_a_confident_pixel_not_even_weight_decay_moves_a_weight(fresh, frames):
    settings = dataclasses.replace(FAST, weight_decay=0.5)
    sure = method_of("self_train", options={"threshold": 0.0}, optimizer=settings)
    unsure = dataclasses.replace(sure, options={"threshold": 0.999999})
    model = fresh()
    before = weights_of(model)
    results = [stream_of(model, unsure).step(frame) for frame in frames[:2]]
    assert changed(before, model) == set()
    assert [(r.loss, r.gradient_norm, r.skipped_steps) for r in results] == [(0.0, 0.0, 0)] * 2
    stream_of(model, sure).step(frames[0])
    assert changed(before, model)


# Layer norm


@pytest.mark.parametrize("scope", ["position", "layer"])
@pytest.mark.parametrize("weight", [0.0, 0.5, 1.0])
def test_an_accumulating_layer_norm_mixes_its_own_statistics_with_those_of_frames(scope, weight):
    replaced = nn.LayerNorm(4)
    nn.init.normal_(replaced.weight, generator=generator("weight"))
    nn.init.normal_(replaced.bias, generator=generator("bias"))
    layer = AccumulatingLayerNorm(replaced, scope, weight)
    seen = [torch.randn(1, 3, 4, generator=generator("seen", i)) * (i + 1) for i in range(3)]
    *observed, now = seen
    assert torch.equal(layer(now), replaced(now))
    layer.observing = True
    assert all(torch.equal(layer(tokens), replaced(tokens)) for tokens in observed)
    layer.observing = False

    values = np.stack([tokens.numpy().astype(np.float64) for tokens in observed])
    mean, variance = values.mean(axis=-1, keepdims=True), values.var(axis=-1, keepdims=True)
    over = 0 if scope == "position" else None
    mean, variance = mean.mean(axis=over), variance.mean(axis=over)
    own = now.numpy().astype(np.float64)
    mean = (1 - weight) * own.mean(axis=-1, keepdims=True) + weight * mean
    variance = (1 - weight) * own.var(axis=-1, keepdims=True) + weight * variance
    expected = (own - mean) / np.sqrt(variance + replaced.eps)
    expected = expected * replaced.weight.detach().numpy() + replaced.bias.detach().numpy()
    np.testing.assert_allclose(layer(now).detach().numpy(), expected, rtol=1e-4, atol=1e-5)
    layer.forget()
    assert torch.equal(layer(now), replaced(now))


def test_layer_norm_adapts_predictions_by_its_weight_and_forgets_exactly(fresh, frames):
    fixed = [stream_of(fresh(), method_of("none")).step(frame).prediction for frame in frames]

    def agreement(weight, scope):
        stream = stream_of(
            fresh(), method_of("layer_norm", options={"weight": weight, "scope": scope})
        )
        found = [stream.step(frame).prediction for frame in frames]
        return np.array([(a == b).mean() for a, b in zip(found, fixed, strict=True)])

    for scope in ("position", "layer"):
        assert (agreement(0.0, scope) > 0.995).all(), scope
        assert (agreement(0.9, scope)[1:] < 0.99).all(), scope

    model = fresh()
    stream = stream_of(model, method_of("layer_norm"))
    for frame in frames:
        stream.step(frame)
    objective_named("layer_norm", {}).forget(model)
    assert np.array_equal(stream.predict_only(frames[0], 0).prediction, fixed[0])
    # Nothing is left for another stream, even on the same model.
    assert run(model, method_of("layer_norm"), frames) == run(
        fresh(), method_of("layer_norm"), frames
    )


# Window, steps, optimizer


def test_every_nth_frame_is_learned_from_with_all_frames_in_the_window(fresh, frames, recorded):
    method = method_of("recording", every=3, window=4, batch=8, sampling="permutations", steps=2)
    model = fresh()
    stream, states, results = stream_of(model, method), [], []
    for frame in frames:
        results.append(stream.step(frame))
        states.append(weights_of(model))
    assert [np.isfinite(result.loss) for result in results] == [True, False, False, True]
    assert changed(states[0], model)
    assert all(torch.equal(states[0][name], states[2][name]) for name in states[0])
    assert [sorted(set(batch)) for batch in recorded] == [
        sorted(means(seen)) for seen in (frames[:1], frames[:1], frames, frames)
    ]


def test_a_window_without_limit_holds_every_frame(fresh, frames, recorded):
    method = method_of("recording", window=None, batch=8, sampling="permutations")
    run(fresh(), method, frames)
    assert [set(batch) for batch in recorded] == [set(means(frames[: t + 1])) for t in range(4)]


def test_every_step_draws_another_batch_and_other_masks(fresh, frames, recorded):
    model = fresh()
    one = stream_of(model, method_of("recording")).step(frames[0])
    after_one = stream_of(model, method_of("recording")).step(frames[0], index=7)
    three = stream_of(fresh(), method_of("recording", steps=3)).step(frames[0])
    assert len(recorded) == 5
    assert len({one.loss, after_one.loss, three.loss}) == 3
    small = method_of("recording", optimizer=dataclasses.replace(FAST, learning_rate=0.0))
    still = [
        stream_of(fresh(), dataclasses.replace(small, steps=n)).step(frames[0]) for n in (1, 2)
    ]
    assert still[0].loss == one.loss != still[1].loss


def test_one_step_of_sgd_is_the_rate_times_the_gradient(fresh, frames):
    def moved(rate, **changes):
        model = fresh()
        before = {name: p.detach().clone() for name, p in model.named_parameters()}
        sgd = OptimizerSettings("sgd", learning_rate=rate, encoder_multiplier=1.0,
                                weight_decay=0.0, gradient_clip=None)  # fmt: skip
        settings = dataclasses.replace(sgd, **changes)
        result = stream_of(model, method_of("mae", optimizer=settings)).step(frames[0])
        steps = {n: (p.detach() - before[n]).double() for n, p in model.named_parameters()}
        return result, steps, sum(float((s**2).sum()) for s in steps.values()) ** 0.5

    result, steps, length = moved(1e-3)
    _, doubled, twice = moved(2e-3)
    assert length == pytest.approx(1e-3 * result.gradient_norm, rel=1e-3)
    assert twice == pytest.approx(2 * length, rel=1e-3)
    apart = sum(float(((2 * steps[n] - doubled[n]) ** 2).sum()) for n in steps) ** 0.5
    assert apart < 1e-3 * twice
    _, _, clipped = moved(1e-3, gradient_clip=result.gradient_norm / 4)
    assert clipped == pytest.approx(length / 4, rel=1e-3)


# What is refused


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"ladder": (1, 2)}, ["order is 'stream'", "ladder is [1, 2]", "others have none"]),
        ({"order": "offline"}, ["order is 'offline'", "has a ladder"]),
        ({"order": "offline", "ladder": (3, 1)}, ["[3, 1]", "ascending"]),
        ({"order": "offline", "ladder": (3, 3)}, ["[3, 3]", "ascending"]),
        ({"order": "offline", "ladder": (-1, 3)}, ["ladder", "-1"]),
        (
            {"order": "offline", "ladder": (3,), "reset": "class_collapse"},
            ["never resets", "class_collapse"],
        ),
        ({"order": "ofline"}, ["did you mean 'offline'?"]),
        ({"reset": "class_colapse"}, ["did you mean 'class_collapse'?"]),
        ({"votes": 2}, ["votes", "'augmentation'"]),
        ({"smoothing": 0}, ["smoothing: 0 is not allowed", "at least 1"]),
        ({"smoothing": None}, ["smoothing: null is not allowed"]),
        ({"votes": True}, ["votes: true is not allowed", "whole number"]),
        ({"steps": 1.5}, ["steps: 1.5 is not allowed"]),
        ({"every": 0}, ["every: 0 is not allowed"]),
    ],
    ids=str,
)
def test_a_method_with_contradicting_settings_is_refused_with_the_way_to_mend_it(changes, parts):
    with pytest.raises(InputError) as caught:
        Method(objective="mae", **changes)
    assert all(part in str(caught.value) for part in parts), caught.value
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("objective", "options", "message"),
    [
        ("mae", {"mask_ratio": 0}, "mask_ratio: 0 is not allowed; it must be above 0"),
        ("mae", {"loss_on": "al"}, "did you mean 'all'"),
        ("self_train", {"threshold": 1.0}, r"threshold: 1\.0 is not allowed; it must be below 1"),
        ("self_train", {"mask_ratio": 1}, "mask_ratio: 1 is not allowed; it must be below 1"),
        ("layer_norm", {"weight": 1.5}, r"weight: 1\.5 is not allowed; it must be at most 1"),
        ("layer_norm", {"scope": "positoin"}, "did you mean 'position'"),
        ("tnet", {}, "did you mean 'tent'"),
        ("tent", {"threshold": 0.5}, "'tent': unknown setting 'threshold'"),
    ],
)
def test_an_objective_with_impossible_options_is_refused(objective, options, message):
    with pytest.raises(InputError, match=message):
        objective_named(objective, options)


def test_an_unknown_optimizer_is_refused_with_the_nearest_name():
    with pytest.raises(InputError, match=r"optimizer.name: 'admw' .*; did you mean 'adamw'\?"):
        method_from({"objective": "mae", "optimizer": {"name": "admw"}})


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_offline_is_refused_for_objectives_that_train_no_parameter(fresh, objective):
    method = method_of(objective, order="offline", ladder=(1,))
    if objective_named(objective, {}).trainable(fresh()):
        stream_of(fresh(), method)
    else:
        with pytest.raises(InputError, match=f"objective '{objective}' trains no parameter"):
            stream_of(fresh(), method)
