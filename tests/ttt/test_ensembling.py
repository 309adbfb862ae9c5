import collections
import dataclasses

import numpy as np
import pytest
import torch

from support import SPACE
from videottt.core.errors import InputError
from videottt.core.ids import JobKey
from videottt.core.randomness import numpy_generator
from videottt.core.segments import VOID
from videottt.data.transforms.recipe import draw_view
from videottt.data.transforms.view import View, apply_view, invert_view
from videottt.models.checkpoint import load_checkpoint
from videottt.models.inputs import Placement, normalise
from videottt.settings.augmentation import Augmentation
from videottt.settings.method import Method, OptimizerSettings
from videottt.tasks import task_named
from videottt.ttt.ensembling import majority_vote
from videottt.ttt.stream import Stream, run_stream

SIZE = (32, 64)
MIDDLE = (slice(16, 48), slice(16, 80))
KEY = JobKey("synthetic", "semantic", "online_ttt_mae", 0, "tiny_0")
FIXED = Method(objective="none", shortest_edge=32, longest_edge=256)
# Of which every copy is the frame itself.
IDENTITY = Augmentation(32, 256, SIZE, scales=(1.0, 1.0), flip=0.0, colour=0.0)


@pytest.fixture
def fresh(joint_checkpoint):
    """Return a function that makes a model whose predictions differ from frame to frame."""

    def make():
        model = load_checkpoint(joint_checkpoint).model
        with torch.no_grad():
            model.head.class_predictor.weight.mul_(100)
            model.head.pixel_decoder.mask_projection.weight.mul_(30)
        return model

    return make


@pytest.fixture(scope="module")
def frames(source_frames):
    return [source_frames[index].image[MIDDLE] for index in (0, 5, 1, 9, 3)]


def run(model, method, frames, order=None):
    """Run a method over frames; return the results by frame index, in order of arrival."""
    stream = Stream(model, task_named("semantic", SPACE), method, KEY)
    arrivals = [(index, frames[index]) for index in (order or range(len(frames)))]
    return {result.index: result for result in run_stream(stream, arrivals)}


# Temporal smoothing


@pytest.mark.parametrize("length", [1, 3, 4])
@pytest.mark.parametrize("order", [[0, 1, 2, 3, 4], [3, 0, 4, 1, 2]])
def test_smoothing_predicts_by_the_mean_score_of_the_last_frames(fresh, frames, length, order):
    model, task = fresh(), task_named("semantic", SPACE)
    with torch.no_grad():
        outputs = [model.predict(normalise(torch.from_numpy(frame[None]))) for frame in frames]
    scores = [
        task.scores(each, Placement(SIZE, SIZE, SIZE)).numpy().astype(np.float64)
        for each in outputs
    ]
    last = collections.deque(maxlen=length)
    found = run(model, dataclasses.replace(FIXED, smoothing=length), frames, order)
    for index in order:
        last.append(scores[index])
        expected = np.mean(list(last), axis=0)
        best, second = np.sort(expected, axis=0)[:-3:-1]
        sure = best - second > 1e-5 * best
        assert sure.mean() > 0.99
        assert (found[index].prediction == expected.argmax(axis=0))[sure].all()
    plain = run(model, FIXED, frames, order)
    same = [np.array_equal(found[i].prediction, plain[i].prediction) for i in order]
    assert all(same) if length == 1 else same[0] and not all(same)


@pytest.mark.parametrize("change", [{"smoothing": 3}, {"votes": 3, "augmentation": IDENTITY}])
def test_smoothing_and_votes_do_not_change_the_updates(fresh, frames, change):
    learning = Method(
        "mae", window=2, batch=2, shortest_edge=32, longest_edge=256,
        optimizer=OptimizerSettings(learning_rate=1e-2, gradient_clip=1.0),
    )  # fmt: skip
    plain, changed = (
        run(fresh(), method, frames[:3])
        for method in (learning, dataclasses.replace(learning, **change))
    )
    assert [plain[i].loss for i in plain] == [changed[i].loss for i in changed]
    assert len({result.loss for result in plain.values()}) == 3


# Majority vote


def shares_of(predict, recipe, votes, *, frame=None, plain=None, classes=4, key=("k",)):
    frame = np.zeros((*SIZE, 3), np.uint8) if frame is None else frame
    plain = np.zeros(SIZE, np.uint8) if plain is None else plain
    return majority_vote(frame, plain, predict, classes, recipe, votes, key)


def test_votes_are_counted_pixel_by_pixel():
    plain = np.zeros(SIZE, np.uint8)
    plain[:, 32:] = 3
    # Of 20 votes, 19 are copies: 12 say 1 everywhere, 7 say 2 above and 1 below.
    half = np.full(SIZE, 1, np.uint8)
    half[:16] = 2
    said = iter([np.full(SIZE, 1, np.uint8)] * 12 + [half] * 7)
    asked = []

    def predict(images):
        asked.append(images)
        return [next(said) for _ in images]

    frame = np.random.default_rng(0).integers(0, 256, (*SIZE, 3)).astype(np.uint8)
    shares = shares_of(predict, IDENTITY, 20, frame=frame, plain=plain)
    copies = np.concatenate(asked)
    assert len(copies) == 19
    assert (copies == frame).all()
    assert max(len(batch) for batch in asked) <= 8
    assert shares.shape == (4, *SIZE)
    assert shares[:, 0, 0].tolist() == pytest.approx([1 / 20, 12 / 20, 7 / 20, 0])
    assert shares[:, 31, 63].tolist() == pytest.approx([0, 19 / 20, 0, 1 / 20])
    assert task_named("semantic", SPACE).decode_scores(shares).tolist() == np.ones(SIZE).tolist()


def test_an_augmented_copy_votes_only_on_the_pixels_it_shows():
    recipe = dataclasses.replace(IDENTITY, crop=(32, 32), scales=(1.0, 2.0), flip=0.5)
    shares = shares_of(lambda images: np.full(images.shape[:3], 2, np.uint8), recipe, 4)
    assert torch.allclose(shares.sum(dim=0), torch.ones(SIZE))
    seen = torch.round(1 / shares[0]).long() - 1
    views = [draw_view(SIZE, recipe, numpy_generator("k", "vote", vote)) for vote in (1, 2, 3)]
    for view in views:
        top, left = (round(start * size / whole) for start, size, whole
                     in zip(view.start, SIZE, view.scaled, strict=True))  # fmt: skip
        height, width = (32 * size / whole for size, whole in zip(SIZE, view.scaled, strict=True))
        seen[top : round(top + height), left : round(left + width)] -= 1
    assert (seen == 0).float().mean() > 0.9
    assert seen.abs().max() <= 1
    assert 0 < (shares[0] == 1).float().mean() < 1


def test_copies_are_keyed_by_frame_and_vote():
    recipe = dataclasses.replace(IDENTITY, scales=(0.5, 2.0), colour=0.5)
    frame = np.random.default_rng(0).integers(0, 256, (*SIZE, 3)).astype(np.uint8)
    asked = collections.defaultdict(list)
    for run_number, key in enumerate([("k", 0), ("k", 0), ("k", 1)]):

        def predict(images, number=run_number):
            asked[number] += [image.tobytes() for image in images]
            return np.zeros(images.shape[:3], np.uint8)

        shares_of(predict, recipe, 4, frame=frame, key=key)
    assert asked[0] == asked[1]
    assert len({*asked[0], *asked[2]}) == 6


def view_of(scaled, crop, start=(0, 0), *, flipped):
    inner = tuple(min(pair) for pair in zip(scaled, crop, strict=True))
    return View(scaled, inner, start, crop, 0, (1.0, 1.0, 1.0), 0.0, False, flipped)


@pytest.mark.parametrize("flipped", [False, True])
@pytest.mark.parametrize(
    ("scaled", "crop", "start"),
    [
        (SIZE, SIZE, (0, 0)),  # nothing but the flip
        (SIZE, (32, 32), (0, 24)),  # a crop
        (SIZE, (64, 96), (0, 0)),  # padding
        ((64, 128), (32, 64), (24, 40)),  # enlarged
        ((64, 128), (64, 128), (0, 0)),
        ((16, 32), (32, 64), (0, 0)),  # reduced, and padded
        ((48, 96), (32, 32), (7, 50)),  # by what divides no pixel
    ],
)
def test_labels_are_mapped_back_to_the_pixels_of_the_view(scaled, crop, start, flipped):
    # Blocks of 8 x 8 pixels, each of its own class, which a perfect model reads off the colours.
    codes = np.arange(32, dtype=np.uint8).reshape(4, 8).repeat(8, axis=0).repeat(8, axis=1) * 7
    view = view_of(scaled, crop, start, flipped=flipped)
    seen = apply_view(np.stack([codes] * 3, axis=2), view)
    assert seen.shape == (*crop, 3)
    back = invert_view(seen[..., 0], view, SIZE)
    assert back.shape == SIZE
    assert back.dtype == np.uint8
    ratio = [size / whole for size, whole in zip(SIZE, scaled, strict=True)]
    shown = np.zeros(SIZE, bool)
    ends = [(first * r, (first + inner) * r) for first, inner, r
            in zip(start, view.inner, ratio, strict=True)]  # fmt: skip
    shown[tuple(slice(round(first), round(end)) for first, end in ends)] = True
    assert ((back != VOID) != shown).mean() < 0.05
    # Colours mix at the borders of blocks, where the image was resized.
    inside = np.zeros(SIZE, bool)
    inside[
        np.ix_(np.isin(np.arange(32) % 8, range(2, 6)), np.isin(np.arange(64) % 8, range(2, 6)))
    ] = True
    compared = (back != VOID) & (inside if scaled != SIZE else True)
    assert compared.any()
    assert np.abs(back[compared].astype(int) - codes[compared]).max() <= 1
    if scaled == SIZE:
        assert np.array_equal(back[shown], codes[shown])
        assert (back[~shown] == VOID).all()


def test_votes_of_unchanged_copies_are_the_plain_prediction(fresh, frames):
    method = dataclasses.replace(FIXED, votes=4, augmentation=IDENTITY)
    found, plain = run(fresh(), method, frames), run(fresh(), FIXED, frames)
    for index in plain:
        assert (found[index].prediction != plain[index].prediction).mean() < 0.005
    flips = dataclasses.replace(IDENTITY, flip=1.0, scales=(0.5, 2.0))
    voted = run(fresh(), dataclasses.replace(method, augmentation=flips), frames)
    assert any((voted[i].prediction != plain[i].prediction).mean() > 0.01 for i in plain)


PANOPTIC = task_named("panoptic", SPACE)


@pytest.mark.parametrize("change", [{"smoothing": 2}, {"votes": 2, "augmentation": IDENTITY}])
def test_a_task_without_scores_of_pixels_is_refused(fresh, frames, change):
    with pytest.raises(
        InputError, match=r"which this task does not have; use .* 'semantic'"
    ) as told:
        Stream(fresh(), PANOPTIC, dataclasses.replace(FIXED, **change), KEY)
    assert "\n" not in str(told.value)
    # Its plain predictions are as good as any.
    assert Stream(fresh(), PANOPTIC, FIXED, KEY).step(frames[0]).prediction.ids.shape == SIZE
