import itertools

import numpy as np
import pytest

from videottt.core.errors import InputError
from videottt.data.synthetic import LIGHTS, PLACES, render_stills, render_video
from videottt.settings.dataset import Phase

CLASSES = {0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 13}
PERSON, CAR, SKY, ROAD = 11, 13, 10, 0
SIZE = (64, 96)
TOUR = [
    Phase("avenue", "day"),
    Phase("tunnel", "tunnel"),
    Phase("park", "rain"),
    Phase("market", "night"),
    Phase("residential", "fog"),
]


def bytes_of(frames):
    return [(f.image.tobytes(), f.semantic.tobytes(), f.instance.tobytes()) for f in frames]


@pytest.fixture(scope="module")
def tour():
    return list(render_video("tour", TOUR, 250, SIZE, seed=3))


def test_equal_arguments_give_equal_bytes_and_other_seeds_or_videos_do_not():
    def first(video, seed):
        return bytes_of(itertools.islice(render_video(video, TOUR, 40, SIZE, seed), 3))

    assert first("a", 0) == first("a", 0)
    assert first("a", 0) != first("a", 1)
    assert first("a", 0) != first("b", 0)
    assert bytes_of(render_stills(4, SIZE, 0)) == bytes_of(render_stills(6, SIZE, 0))[:4]
    assert bytes_of(render_stills(1, SIZE, 0)) != bytes_of(render_stills(1, SIZE, 1))


@pytest.mark.parametrize("size", [(32, 32), (33, 47), (40, 210), (131, 64)])
def test_labels_are_valid_at_any_size(size):
    with np.errstate(divide="raise", over="raise", invalid="raise"):
        frames = [*render_video("v", TOUR, 25, size, 0), *render_stills(10, size, 0)]
    for frame in frames:
        assert frame.image.shape == (*size, 3)
        assert frame.image.dtype == np.uint8
        assert frame.semantic.shape == frame.instance.shape == size
        assert frame.semantic.dtype == np.uint8
        assert frame.instance.dtype == np.uint16
        assert set(np.unique(frame.semantic)) <= CLASSES
        assert (np.isin(frame.semantic, (PERSON, CAR)) == (frame.instance > 0)).all()


def test_stills_show_every_class_and_labels_follow_the_picture():
    stills = list(render_stills(60, SIZE, 0))
    assert {int(name) for still in stills for name in np.unique(still.semantic)} == CLASSES
    # The sky is bluer and brighter than the road in every still that shows enough of both, and the
    # picture changes more across a border of labels than elsewhere.
    for still in stills:
        sky, road = still.semantic == SKY, still.semantic == ROAD
        if min(sky.sum(), road.sum()) > 200:
            assert still.image[sky].mean() > still.image[road].mean() + 20
    step = np.stack([abs(np.diff(s.image.astype(float), axis=1)).mean(2) for s in stills])
    border = np.stack([np.diff(s.semantic.astype(int), axis=1) != 0 for s in stills])
    assert step[border].mean() > 2.5 * step[~border].mean()


def test_an_instance_is_one_thing_throughout_a_video(tour):
    seen = {}
    for number, frame in enumerate(tour):
        for name in np.unique(frame.instance[frame.instance > 0]):
            classes = np.unique(frame.semantic[frame.instance == name])
            assert len(classes) == 1
            seen.setdefault(int(name), []).append((number, int(classes[0])))
    assert {kind for track in seen.values() for _, kind in track} == {PERSON, CAR}
    assert all(len({kind for _, kind in track}) == 1 for track in seen.values())
    assert np.median([len(track) for track in seen.values()]) > 10


def test_videos_move_smoothly_and_do_change(tour):
    labels = np.stack([frame.semantic for frame in tour])
    images = np.stack([frame.image for frame in tour]).astype(np.float32)
    blocks = images.reshape(len(tour), 8, 8, 12, 8, 3).mean((2, 4))
    change = abs(np.diff(blocks, axis=0)).mean((1, 2, 3))
    assert change.max() < 16
    assert (labels[1:] != labels[:-1]).mean((1, 2)).max() < 0.3
    assert abs(blocks[0] - blocks[-1]).mean() > 2 * change.mean()


def test_every_drift_of_light_leaves_the_range_of_the_training_stills():
    def statistics(frames):
        images = np.stack([frame.image for frame in frames]).astype(float)
        return np.array([images.mean(), *(images.mean((0, 1, 2)) / images.mean()), images.std()])

    def video(light):
        return render_video("same", [Phase("avenue", light)], 8, SIZE, 0)

    day = statistics(video("day"))
    for light in set(LIGHTS) - {"day"}:
        drift = abs(statistics(video(light)) / day - 1)
        assert drift.max() > 0.08, light


def test_light_does_not_change_labels_but_place_does():
    def labels(place, light):
        video = render_video("v", [Phase(place, light)], 4, SIZE, 0)
        return np.stack([frame.semantic for frame in video])

    reference = labels("avenue", "day")
    assert (reference == labels("avenue", "night")).all()
    for place in set(PLACES) - {"avenue"}:
        assert (reference != labels(place, "day")).mean() > 0.1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: render_video("v", [Phase("parc", "day")], 5, SIZE, 0), "did you mean 'park'"),
        (lambda: render_video("v", [Phase("park", "dust")], 5, SIZE, 0), "did you mean 'dusk'"),
        (lambda: render_video("v", [], 5, SIZE, 0), "has no phases"),
        (lambda: render_video("v", TOUR, 0, SIZE, 0), "is 0, but must be at least 1"),
        (lambda: render_video("v", TOUR, 5, (31, 96), 0), "size: is 31x96"),
        (lambda: render_stills(0, SIZE, 0), "is 0, but must be at least 1"),
    ],
)
def test_unusable_arguments_are_refused_at_the_call(call, message):
    with pytest.raises(InputError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)
