import collections
import dataclasses
import hashlib
import weakref

import numpy as np
import pytest
import torch

from support import FRAMES, SMALLEST, SPACE, changed, small_model, store_frames, weights_of
from videottt.core.errors import InputError
from videottt.core.ids import JobKey, MethodId
from videottt.core.randomness import generator
from videottt.core.segments import ClassSpace
from videottt.core.settings import with_values
from videottt.data.transforms.update_views import random_view
from videottt.models.inputs import Placement, denormalise, normalise
from videottt.models.masking import random_visible
from videottt.models.y_shaped import YShapedModel
from videottt.settings.augmentation import Views
from videottt.settings.method import Method, OptimizerSettings, method_from
from videottt.store.frames import FrameStore
from videottt.store.source_frame import SourceFrame
from videottt.study.job_settings import method_settings
from videottt.tasks import task_named
from videottt.ttt.memory import ExplicitMemory, WholeVideo, sample_indices
from videottt.ttt.objectives import objective_named
from videottt.ttt.objectives.mae import MaskedAutoencoding
from videottt.ttt.objectives.objective import REGISTERED
from videottt.ttt.optimizer import parameter_groups
from videottt.ttt.stream import Stream, frame_order, run_stream

# The middle of the tiny video's frames, for speed.
SIZE = (32, 64)
MIDDLE = (slice(16, 48), slice(16, 80))
KEY = JobKey("synthetic", "semantic", "online_ttt_mae", 0, "tiny_0")
RATE = 1e-3
ONLINE = Method(
    objective="mae",
    window=4,
    batch=2,
    shortest_edge=32,
    longest_edge=256,
    optimizer=OptimizerSettings(learning_rate=RATE, encoder_multiplier=0.5, gradient_clip=1.0),
)
FIXED = Method(objective="none", shortest_edge=32, longest_edge=256)


def online(**changes):
    return dataclasses.replace(ONLINE, **changes)


def stream_of(model, method, key=KEY):
    return Stream(model, task_named("semantic", SPACE), method, key)


def run(model, method, frames, order=None):
    """Run a method over a list of frames and return the results by frame index."""
    arrivals = [(index, frames[index]) for index in (order or range(len(frames)))]
    return {result.index: result for result in run_stream(stream_of(model, method), arrivals)}


def numbers(results):
    """Return results without their wall times, in a form that == compares bit for bit."""
    return {
        index: (
            hashlib.sha256(each.prediction.tobytes()).hexdigest(),
            repr((each.prediction.shape, each.loss, each.gradient_norm, each.skipped_steps)),
        )
        for index, each in results.items()
    }


@pytest.fixture
def fresh(joint_checkpoint):
    """Return a function that makes copies of the jointly trained model."""
    from videottt.models.checkpoint import load_checkpoint

    return lambda: load_checkpoint(joint_checkpoint).model


@pytest.fixture(scope="module")
def frames(source_frames):
    return [frame.image[MIDDLE] for frame in source_frames[:6]]


@pytest.fixture
def objective():
    """Register objectives for the duration of one test."""
    before = dict(REGISTERED)
    yield
    REGISTERED.clear()
    REGISTERED.update(before)


# Golden checks


def test_with_a_learning_rate_of_zero_updates_run_but_equal_the_fixed_model(fresh, frames):
    still = online(optimizer=OptimizerSettings(learning_rate=0.0), steps=2)
    results, fixed = run(fresh(), still, frames), run(fresh(), FIXED, frames)
    for index, each in results.items():
        assert np.array_equal(each.prediction, fixed[index].prediction)
        assert np.isfinite(each.loss)
        assert 0 < each.gradient_norm < np.inf
    assert len({each.loss for each in results.values()}) == len(frames)


def follow_equation_2(model, method, frames):
    """Implement the paper's section 4.2 as plainly as possible; return losses and predictions."""
    objective = objective_named(method.objective, method.options)
    names = [n for n, _ in model.named_parameters() if not n.startswith("head.")]
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name in names)
    settings = method.optimizer
    groups = parameter_groups(
        model, settings.learning_rate, settings.encoder_multiplier, settings.weight_decay
    )
    initial = weights_of(model)
    # The loop's kernel: another one rounds otherwise, and AdamW's first step is almost a sign.
    optimizer = torch.optim.AdamW(groups, fused=True)
    window = collections.deque(maxlen=method.window)
    rows = []
    for t, frame in enumerate(frames):
        window.append(torch.from_numpy(frame))
        if method.reset == "every_frame":
            model.load_state_dict(initial)
        if method.reset == "every_frame" or method.optimizer_between_frames == "rebuilt":
            optimizer = torch.optim.AdamW(groups, fused=True)
        draws = generator("stream", KEY.seed, KEY.dataset, KEY.video, t, 0)
        chosen = sample_indices(len(window), method.batch, method.sampling, draws)
        batch = normalise(torch.stack([window[i] for i in chosen]))
        loss = objective.loss(model, batch, draws)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(
            [p for p in model.parameters() if p.requires_grad], settings.gradient_clip
        )
        optimizer.step()
        optimizer.zero_grad()
        with torch.no_grad():
            outputs = model.predict(normalise(torch.from_numpy(frame[None])))
            prediction = task_named("semantic", SPACE).decode(
                outputs, Placement(SIZE, SIZE, SIZE), frame
            )
        rows.append((loss.item(), prediction))
    return rows


@pytest.mark.parametrize(
    "memories",
    [
        {"window": 4, "reset": "never"},
        {"window": 4, "reset": "never", "optimizer_between_frames": "kept"},
        {"window": 1, "reset": "never"},
        {"window": 4, "reset": "every_frame"},
        {"window": 1, "reset": "every_frame"},
    ],
    ids=["online", "online, optimizer kept", "implicit only", "explicit only", "none"],
)
def test_the_loop_solves_equation_2_for_every_choice_of_memories(fresh, frames, memories):
    method = online(**memories)
    reference = follow_equation_2(fresh(), method, frames)
    results = run(fresh(), method, frames)
    for index, (loss, prediction) in enumerate(reference):
        assert results[index].loss == loss
        assert np.array_equal(results[index].prediction, prediction)


@pytest.mark.parametrize(
    ("change", "same_as"),
    [
        ({"window": 1}, "implicit_memory_only"),
        ({"reset": "every_frame"}, "explicit_memory_only"),
        ({"window": 1, "reset": "every_frame"}, "ttt_mae_no_memory"),
    ],
)
def test_online_without_one_memory_equals_that_ablation_of_the_configuration(
    config, fresh, frames, change, same_as
):
    small = {"shortest_edge": 32, "batch": 2}
    # What is selected or pinned for a method is no part of what the method is.
    studies = {
        name: {key: value for key, value in study.items() if key != "pinned"}
        for name, study in config["studies"].items()
    }
    unpinned = {**config, "studies": studies}
    changed_online, method = (
        method_from(
            with_values(method_settings(unpinned, "synthetic", MethodId(name)), {**small, **values})
        )
        for name, values in (("online_ttt_mae", change), (same_as, {}))
    )
    assert numbers(run(fresh(), changed_online, frames[:4])) == numbers(
        run(fresh(), method, frames[:4])
    )


def test_frame_order_matters_only_with_memory(fresh, frames):
    shuffled = [4, 0, 5, 2, 1, 3]
    no_memory = online(window=1, reset="every_frame")
    assert numbers(run(fresh(), no_memory, frames, shuffled)) == numbers(
        run(fresh(), no_memory, frames)
    )
    ordered, mixed = run(fresh(), ONLINE, frames), run(fresh(), ONLINE, frames, shuffled)
    assert {i for i in ordered if ordered[i].loss != mixed[i].loss} >= {0, 1, 2, 3, 5}


def test_two_runs_are_identical_and_another_seed_or_video_is_not(fresh, frames):
    first = run(fresh(), ONLINE, frames[:3])
    assert numbers(first) == numbers(run(fresh(), ONLINE, frames[:3]))
    for change in ({"seed": 1}, {"video": "other"}, {"dataset": "other"}):
        other = stream_of(fresh(), ONLINE, dataclasses.replace(KEY, **change))
        assert other.step(frames[0]).loss != first[0].loss


def test_random_draws_leave_torch_s_global_generator_alone(fresh, frames):
    torch.manual_seed(7)
    expected = torch.rand(4)
    torch.manual_seed(7)
    run(fresh(), online(drop_path=True), frames[:2])
    assert torch.equal(torch.rand(4), expected)


# Protocols


def differences(paper, release, path=()):
    """Return every dotted key in which two protocols differ, with the second one's value."""
    found = {}
    for key, value in release.items():
        if isinstance(value, dict):
            found |= differences(paper[key], value, (*path, key))
        elif paper[key] != value:
            found[".".join((*path, key))] = value
    return found


def test_protocols_have_the_same_keys_and_every_difference_has_an_effect(config, frames):
    def settings_of(name):
        protocol = config["protocols"][name]
        return {"options": protocol["options"]["mae"], **protocol["updates"]}

    small = {"objective": "mae", "batch": 2, "window": 2, "shortest_edge": 32, "longest_edge": 256}

    def results(settings):
        model = small_model(drop_path_rate=0.5)
        return numbers(run(model, method_from({**small, **settings}), frames[:3]))

    paper, release = settings_of("paper"), settings_of("release")
    changes = differences(paper, release)
    assert changes == {
        "options.mask_ratio": 0.85,
        "options.loss_on": "all",
        "options.masked_with": "mean",
        "sampling": "permutations",
        "drop_path": True,
        "precision": "float16",
    }
    of_paper = results(paper)
    for key, value in changes.items():
        assert results(with_values(paper, {key: value})) != of_paper, key
    assert results(release) != of_paper


def test_a_prediction_before_the_update_is_one_with_what_earlier_frames_have_taught(fresh, frames):
    after, fixed = run(fresh(), ONLINE, frames), run(fresh(), FIXED, frames)
    before = run(fresh(), online(predict="before"), frames)
    model = fresh()
    stream = stream_of(model, ONLINE)
    for index, frame in enumerate(frames):
        # The same weights predict, one frame later.
        expected = stream.predict_only(frame, index).prediction
        assert np.array_equal(before[index].prediction, expected)
        assert before[index].loss == after[index].loss
        stream.step(frame)
    assert np.array_equal(before[0].prediction, fixed[0].prediction)
    assert any(not np.array_equal(before[i].prediction, after[i].prediction) for i in before)
    # What starts every frame from the checkpoint predicts with it.
    reset = run(fresh(), online(predict="before", reset="every_frame"), frames)
    for index, each in reset.items():
        assert np.array_equal(each.prediction, fixed[index].prediction)
    with pytest.raises(InputError, match="'offline' predicts after all updates"):
        online(order="offline", ladder=(1,), predict="before")


# What the loop can reach


def test_future_frames_and_labels_do_not_change_earlier_results(fresh, source_frames, tmp_path):
    now = 3
    true_video = [SourceFrame(f.name, f.image[MIDDLE], f.semantic[MIDDLE]) for f in source_frames]
    other_labels = [
        dataclasses.replace(frame, semantic=np.full(SIZE, 5, np.uint8)) for frame in true_video
    ]
    other_future = [
        dataclasses.replace(frame, image=255 - frame.image[::-1]) for frame in other_labels
    ]
    altered_video = other_labels[: now + 1] + other_future[now + 1 :]
    results = []
    for name, video in (("true", true_video[:6]), ("altered", altered_video[:6])):
        with FrameStore(store_frames(tmp_path / f"{name}.h5", video)) as store:
            arrivals = ((index, store.frame(index)) for index in range(len(store)))
            stream = stream_of(fresh(), ONLINE)
            results.append(numbers({r.index: r for r in run_stream(stream, arrivals)}))
    true, altered = results
    assert [true[i] == altered[i] for i in range(6)] == [True] * (now + 1) + [False, False]


def test_a_prediction_is_yielded_before_the_next_frame_is_read(fresh, frames):
    events = []

    def arrivals():
        for index, frame in enumerate(frames[:3]):
            events.append(("asked", index))
            yield index, frame

    for result in run_stream(stream_of(fresh(), ONLINE), arrivals()):
        events.append(("predicted", result.index))
    assert events == [(what, i) for i in range(3) for what in ("asked", "predicted")]


def test_step_and_run_stream_are_one_loop(fresh, frames):
    stream = stream_of(fresh(), ONLINE)
    stepped = {index: stream.step(frame) for index, frame in enumerate(frames[:3])}
    assert numbers(stepped) == numbers(run(fresh(), ONLINE, frames[:3]))


def test_reconstructing_a_frame_does_not_change_later_results(fresh, frames):
    method = online(options={"mask_ratio": 0.75})
    stream = stream_of(fresh(), method)
    looked = {}
    for index, frame in enumerate(frames[:3]):
        looked[index] = stream.step(frame)
        visible, pixels = stream.reconstruct(frame, index)
        assert visible.shape == SIZE
        assert visible.mean() == 0.25
        assert pixels.shape == (*SIZE, 3)
    assert numbers(looked) == numbers(run(fresh(), method, frames[:3]))


# Weights


def test_only_encoder_and_decoder_learn(fresh, frames):
    model = fresh()
    head, rest = weights_of(model.head), (weights_of(model.encoder), weights_of(model.decoder))
    run(model, ONLINE, frames[:2])
    assert changed(head, model.head) == set()
    # The encoder's last norm belongs to a classifier that is not there: no gradient reaches it.
    unused = {"swin.layernorm.weight", "swin.layernorm.bias"}
    for before, branch in zip(rest, (model.encoder, model.decoder), strict=True):
        trained = {name for name, _ in branch.named_parameters()} - unused
        assert len(changed(before, branch) & trained) > 0.95 * len(trained)


def test_a_reset_restores_the_checkpoint_bit_for_bit(fresh, frames, objective):
    seen = []

    class Watched(MaskedAutoencoding, name="watched"):
        def loss(self, model, images, generator):
            seen.append(weights_of(model))
            return super().loss(model, images, generator)

    model = fresh()
    initial = weights_of(model)
    for reset in ("every_frame", "never"):
        run(model, online(objective="watched", reset=reset, steps=2, window=1), frames[:3])
    at_first_step, at_second_step = seen[0:6:2], seen[1:6:2]
    assert all(torch.equal(state[n], initial[n]) for state in at_first_step for n in initial)
    assert all(any(not torch.equal(s[n], initial[n]) for n in initial) for s in at_second_step)
    without_reset = seen[6:]
    last = "decoder.query_decoder.queries_features.weight"
    assert len({state[last].numpy().tobytes() for state in without_reset}) == 6


def test_an_optimizer_rebuilt_between_frames_forgets_its_moments(fresh, frames):
    twice = [frames[0], frames[0]]
    kept, rebuilt = (
        run(fresh(), online(optimizer_between_frames=each), twice) for each in ("kept", "rebuilt")
    )
    assert numbers(kept)[0] == numbers(rebuilt)[0]
    assert kept[1].loss == rebuilt[1].loss
    third = [run(fresh(), online(optimizer_between_frames=e), [*twice, frames[0]])[2].loss
             for e in ("kept", "rebuilt")]  # fmt: skip
    assert third[0] != third[1]


@pytest.mark.parametrize("poison", ["loss", "gradient"])
def test_an_update_that_is_not_finite_is_skipped_and_counted(fresh, frames, objective, poison):
    class Poisoned(MaskedAutoencoding, name="poisoned"):
        """Fails on white frames: by its loss, or only by its gradient."""

        def loss(self, model, images, generator):
            loss = super().loss(model, images, generator)
            if images.min() < 2:
                return loss
            bad = loss * 0 if poison == "gradient" else loss * float("nan")
            return loss + bad.sqrt()

    white = np.full((*SIZE, 3), 255, np.uint8)
    model = fresh()
    stream = stream_of(model, online(objective="poisoned", window=1, steps=2))
    stream.step(frames[0])
    before = weights_of(model)
    result = stream.step(white)
    assert changed(before, model) == set()
    assert result.skipped_steps == 2
    assert np.isfinite(result.loss) == (poison == "gradient")
    assert not np.isfinite(result.gradient_norm)
    assert result.prediction.shape == SIZE
    after = stream.step(frames[1])
    assert after.skipped_steps == 0
    assert np.isfinite([after.loss, after.gradient_norm]).all()
    assert changed(before, model)


def test_learning_lowers_the_loss_on_a_still_frame(fresh, frames):
    results = run(fresh(), online(window=1, batch=4, steps=3), [frames[0]] * 6)
    assert results[5].loss < 0.97 * results[0].loss


# Batches


def visible_pixels(model, monkeypatch):
    """Record the masks of the model's inputs, image by image."""
    shown = []
    original = YShapedModel.reconstruct

    def recording(self, images, visible, *filling):
        shown.extend(visible.clone())
        return original(self, images, visible, *filling)

    monkeypatch.setattr(YShapedModel, "reconstruct", recording)
    return shown


@pytest.mark.parametrize("micro_batch", [1, 3])
def test_micro_batches_change_nothing_but_rounding(fresh, frames, monkeypatch, micro_batch):
    shown = visible_pixels(fresh(), monkeypatch)
    results = [
        run(fresh(), online(batch=4, micro_batch=size), frames[:2]) for size in (None, micro_batch)
    ]
    masks = torch.stack(shown).view(2, 2, 4, *shown[0].shape)
    assert torch.equal(masks[0], masks[1])
    assert not torch.equal(masks[0, 0], masks[0, 1])
    # After an update rounding has grown: AdamW makes full steps where a gradient is about 0.
    for index, of_norm in enumerate([1e-5, 1e-2]):
        whole, parts = results[0][index], results[1][index]
        assert parts.loss == pytest.approx(whole.loss, rel=1e-5)
        assert parts.gradient_norm == pytest.approx(whole.gradient_norm, rel=of_norm)
        assert (parts.prediction != whole.prediction).mean() < 0.005


def test_drop_path_acts_on_updates_only_and_is_reproducible(frames):
    def results(method):
        return run(small_model(drop_path_rate=0.5), method, frames[:3])

    still = OptimizerSettings(learning_rate=0.0)
    fixed, off, on, again = (
        results(each)
        for each in (FIXED, *(online(optimizer=still, drop_path=d) for d in (False, True, True)))
    )
    for index in range(3):
        assert np.array_equal(fixed[index].prediction, on[index].prediction)
        assert off[index].loss != on[index].loss
    assert numbers(on) == numbers(again)


def test_drop_path_is_drawn_for_each_micro_batch(frames):
    dropped = []
    model = small_model(drop_path_rate=0.5)
    last = model.encoder.swin.encoder.layers[-1].blocks[-1].drop_path
    last.register_forward_hook(
        lambda module, inputs, output: (
            dropped.append(bool((output == 0).all())) if module.training else None
        )
    )
    stream_of(model, online(batch=8, micro_batch=1, drop_path=True)).step(frames[0])
    attention, feedforward = dropped[0::2], dropped[1::2]
    assert len(attention) == len(feedforward) == 8
    assert set(attention) == set(feedforward) == {True, False}


def test_a_window_holds_its_last_frames_and_frees_older_ones(fresh, frames):
    stream = stream_of(fresh(), online(window=2))
    alive = []
    for index in range(5):
        frame = frames[index].copy()
        alive.append(weakref.ref(frame))
        stream.step(frame)
        del frame
        held = [reference() for reference in alive if reference() is not None]
        assert len(held) == min(index + 1, 2)
        assert all(each.dtype == np.uint8 for each in held)
        del held


def test_a_window_keeps_its_frames_as_bytes_and_oldest_first():
    memory = ExplicitMemory(3)
    for value in range(7):
        memory.append(torch.full((2, 2, 3), value, dtype=torch.uint8), value)
        assert len(memory) == min(value + 1, 3)
    assert memory.indices == [4, 5, 6]
    batch = torch.stack(memory.batch([0, 2, 1, 0]))
    assert batch.dtype == torch.uint8
    assert batch[:, 0, 0, 0].tolist() == [4, 6, 5, 4]
    everything = ExplicitMemory(None)
    for value in range(50):
        everything.append(torch.full((1, 1, 3), value, dtype=torch.uint8), value)
    assert len(everything) == 50


def test_permutations_hold_each_frame_of_the_window_equally_often():
    draws = generator("permutations")
    drawn = [sample_indices(16, 32, "permutations", draws) for _ in range(20)]
    assert all(np.bincount(each, minlength=16).tolist() == [2] * 16 for each in drawn)
    assert len({tuple(each) for each in drawn}) == 20
    # A batch that is no multiple of the window differs by at most one.
    counts = np.bincount(sample_indices(5, 12, "permutations", draws), minlength=5)
    assert sorted(counts.tolist()) == [2, 2, 2, 3, 3]


def test_sampling_with_replacement_is_uniform_and_independent():
    draws = generator("replacement")
    drawn = np.array([sample_indices(8, 4, "with_replacement", draws) for _ in range(4000)])
    expected = drawn.size / 8
    chi_square = ((np.bincount(drawn.ravel(), minlength=8) - expected) ** 2 / expected).sum()
    assert chi_square < 26  # 0.05 % of a chi-square with 7 degrees of freedom
    pairs = np.bincount(drawn[:, 0] * 8 + drawn[:, 1], minlength=64)
    assert ((pairs - 62.5) ** 2 / 62.5).sum() < 110  # 63 degrees of freedom


def test_the_whole_window_is_sampled_and_nothing_else(fresh, frames, objective):
    seen = []

    class Recording(MaskedAutoencoding, name="recording"):
        def loss(self, model, images, generator):
            seen.append([float(image.mean()) for image in images])
            return super().loss(model, images, generator)

    run(fresh(), online(objective="recording", window=3, batch=6, sampling="permutations"), frames)
    means = [float(normalise(torch.from_numpy(frame[None])).mean()) for frame in frames]
    for t, batch in enumerate(seen):
        window = means[max(0, t - 2) : t + 1]
        assert sorted(batch) == pytest.approx(sorted(window * (6 // len(window))), abs=1e-5)


# Sizes


@pytest.fixture
def every_warning():
    """Make torch repeat, for one test, the warnings that it gives once in a process."""
    torch.set_warn_always(True)
    yield
    torch.set_warn_always(False)


@pytest.mark.parametrize(
    ("size", "shortest_edge"), [((50, 70), 50), ((50, 70), 64), ((33, 97), 32), ((64, 96), 40)]
)
@pytest.mark.filterwarnings("error")
def test_frames_of_any_size_are_predicted_at_their_own_size(
    fresh, size, shortest_edge, every_warning
):
    frame = np.random.default_rng(0).integers(0, 256, (*size, 3)).astype(np.uint8)
    result = run(fresh(), online(shortest_edge=shortest_edge), [frame])[0]
    assert result.prediction.shape == size
    assert result.prediction.dtype == np.uint8
    assert result.prediction.max() < 19
    assert np.isfinite(result.loss)


def test_crops_of_the_release_are_drawn_from_the_frame(fresh, frames, objective):
    seen = []

    class Recording(MaskedAutoencoding, name="recording"):
        def loss(self, model, images, generator):
            seen.append(images)
            return super().loss(model, images, generator)

    run(fresh(), online(objective="recording", batch=8, crop=(32, 32)), frames[:1])
    whole = normalise(torch.from_numpy(frames[0][None]))[0]
    places = whole.unfold(1, 32, 1).unfold(2, 32, 1)
    found = {
        tuple(torch.nonzero((places == crop[:, None, None]).all(dim=(0, 3, 4)))[0].tolist())
        for crop in seen[0]
    }
    assert seen[0].shape == (8, 3, 32, 32)
    assert len(found) > 4


VIEWS = Views(crop=(32, 64), scales=(0.5, 2.0))


@pytest.fixture
def recorded(objective):
    """Register an objective 'recording'; return the list of the batches it receives."""
    batches = []

    class Recording(MaskedAutoencoding, name="recording"):
        def loss(self, model, images, generator):
            batches.append(images)
            return super().loss(model, images, generator)

    return batches


def test_views_are_drawn_from_the_frame_at_its_stored_size(fresh, frames, recorded):
    method = online(objective="recording", batch=6, views=VIEWS, window=1, micro_batch=2)
    run(fresh(), method, frames[:2])
    # A small model's input changes predictions alone: views do not know of it.
    run(fresh(), dataclasses.replace(method, shortest_edge=64), frames[:2])
    first, second = torch.cat(recorded).split(12)
    assert torch.equal(first, second)
    for index, batch in enumerate(first.split(6)):
        draws = generator("stream", KEY.seed, KEY.dataset, KEY.video, index, 0)
        sample_indices(1, 6, method.sampling, draws)
        expected = np.stack([random_view(frames[index], VIEWS, draws) for _ in range(6)])
        assert torch.equal(batch, normalise(torch.from_numpy(expected)))
        assert len({view.numpy().tobytes() for view in batch}) == 6


def test_a_stream_with_views_learns_and_is_reproducible(fresh, frames):
    method = online(views=VIEWS, batch=4, steps=3)
    results = run(fresh(), method, [frames[0]] * 5)
    again = numbers(run(fresh(), method, [frames[0]] * 2))
    assert again == {index: numbers(results)[index] for index in (0, 1)}
    assert results[4].loss < 0.97 * results[0].loss
    assert results[0].prediction.shape == SIZE


def test_micro_batches_of_views_change_nothing_but_rounding(fresh, frames):
    whole, parts = (
        run(fresh(), online(views=VIEWS, batch=4, micro_batch=size), frames[:2])
        for size in (None, 3)
    )
    for index in range(2):
        assert parts[index].loss == pytest.approx(whole[index].loss, rel=1e-5)
        assert parts[index].gradient_norm == pytest.approx(whole[index].gradient_norm, rel=1e-3)


def test_a_window_for_views_holds_only_its_frames(fresh, frames):
    stream = stream_of(fresh(), online(window=2, views=VIEWS, shortest_edge=64))
    alive = []
    for index in range(5):
        frame = frames[index].copy()
        alive.append(weakref.ref(frame))
        stream.step(frame)
        del frame
        assert sum(reference() is not None for reference in alive) == min(index + 1, 2)


def test_views_show_only_the_observable_part_of_a_frame(frames, recorded):
    model = YShapedModel(SMALLEST, classes=0, head="colours")
    task = task_named("colorization", ClassSpace((), ()))
    stream = Stream(model, task, online(objective="recording", views=VIEWS), KEY)
    stream.step(frames[0])
    grey = denormalise(recorded[0])
    assert (frames[0].max(axis=2) > frames[0].min(axis=2)).mean() > 0.5
    assert (grey.amax(dim=3) == grey.amin(dim=3)).all()


def test_offline_training_draws_views_too(fresh, frames, recorded):
    offline = online(objective="recording", order="offline", ladder=(0, 2), views=VIEWS)
    for edge in (32, 64):
        stream = stream_of(fresh(), dataclasses.replace(offline, shortest_edge=edge))
        updates = list(stream.train_offline(WholeVideo(6, frames.__getitem__), 0, 2))
        assert np.isfinite([each.loss for each in updates]).all()
    assert [batch.shape for batch in recorded] == [(2, 3, 32, 64)] * 4
    assert torch.equal(torch.cat(recorded[:2]), torch.cat(recorded[2:]))


def test_predictions_do_not_depend_on_the_sizes_of_earlier_inputs(fresh, frames):
    model = fresh()
    before = run(model, FIXED, frames[:1])
    run(model, dataclasses.replace(FIXED, shortest_edge=96), frames[:1])
    assert numbers(run(model, FIXED, frames[:1])) == numbers(before)


# Orders and masks


def test_a_shuffled_order_is_a_permutation_keyed_by_the_job():
    assert frame_order(FRAMES, "stream", KEY) == list(range(FRAMES))
    shuffled = frame_order(FRAMES, "shuffled", KEY)
    assert sorted(shuffled) == list(range(FRAMES)) != shuffled
    assert shuffled == frame_order(FRAMES, "shuffled", KEY)
    assert shuffled != frame_order(FRAMES, "shuffled", dataclasses.replace(KEY, seed=1))


def test_masks_differ_between_images_steps_and_frames(fresh, frames, monkeypatch):
    shown = visible_pixels(fresh(), monkeypatch)
    run(fresh(), online(steps=2), frames[:2])
    assert len({mask.numpy().tobytes() for mask in shown}) == len(shown) == 8
    patches = SIZE[0] // 8 * SIZE[1] // 8
    assert {int(mask.sum()) // 64 for mask in shown} == {int(patches * 0.2 + 1e-9)}
    assert random_visible(1, SIZE, 8, 0.8, generator("x")).shape == (1, 1, *SIZE)
