"""How objects and segments are drawn: their colours, outlines and names, in figures and videos."""

import dataclasses
import tracemalloc

import imageio_ffmpeg
import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from videottt.core.frame_result import PHASES, FrameResult
from videottt.core.ids import JobKey
from videottt.core.segments import ClassSpace, Panoptic, instances_from, instances_of
from videottt.report.figures.class_colours import class_colours
from videottt.report.figures.objects import (
    COLOURS,
    ObjectColours,
    colours_side_by_side,
    object_colours,
)
from videottt.report.figures.overlay import (
    CROWD,
    OPACITY,
    SHOWN_FROM,
    captions,
    laid_over,
    outlines,
    overlay_of,
)
from videottt.report.figures.reconstruction import reconstruction_figure
from videottt.report.figures.steps import steps_figure
from videottt.report.figures.strips import strips_figure
from videottt.report.figures.video import render_video
from videottt.report.figures.view import scored_view
from videottt.store.frames import FrameStore, write_frames
from videottt.store.predictions import PredictionReader, write_predictions
from videottt.store.source_frame import SourceFrame
from videottt.store.traces import FrameTrace, Traces

SPACE = ClassSpace(("sky", "road", "car", "person"), ("car", "person"))
SKY, ROAD, CAR, PERSON = range(4)
SIZE = (36, 60)
LENGTH = 7
FIXED, ONLINE = "mae_joint_training", "online_ttt_mae"
GREY = 200


def box(top, left, height=8, width=12):
    mask = np.zeros(SIZE, bool)
    mask[top : top + height, left : left + width] = True
    return mask


def objects(*boxes, scores=None, crowd=None):
    """Instances of (class, mask)."""
    masks = np.array([mask for _, mask in boxes]).reshape(-1, *SIZE)
    return instances_from(masks, [label for label, _ in boxes], scores, crowd)


def maps(t):
    """Labels of frame t: a car that moves by 2 pixels a frame above another, and void below."""
    semantic = np.full(SIZE, ROAD, np.uint8)
    semantic[:12] = SKY
    semantic[-2:] = 255
    instance = np.zeros(SIZE, np.uint16)
    for number, mask in ((2, box(10, 4 + 2 * t)), (1, box(24, 40))):
        semantic[mask], instance[mask] = CAR, number
    return semantic, instance


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A grey video whose frames but the second are labelled."""
    path = tmp_path_factory.mktemp("drawing") / "frames.h5"
    with FrameStore(write_store(path, LENGTH, unlabelled=(1,))) as opened:
        yield opened


def write_store(path, length, unlabelled=()):
    image = np.full((*SIZE, 3), GREY, np.uint8)
    frames = (
        SourceFrame(f"{t:03}", image, *((None, None) if t in unlabelled else maps(t % LENGTH)))
        for t in range(length)
    )
    about = {"dataset": "toy", "video": "a", "fps": 10, "classes": SPACE.classes}
    write_frames(path, frames, **about, things=SPACE.things, provenance={})
    return path


def predictions(path, task, method, length=LENGTH, right=True):
    """Labels as predictions, the objects in an order that changes; or without the moving car."""
    key = JobKey("toy", task, method, 0, "a")
    about = {"frames": length, "size": SIZE, "classes": list(SPACE.classes)}
    kind = {"panoptic": "panoptic", "instance": "instances"}[task]
    with write_predictions(path, key, kind=kind, **about, settings={}, provenance={}) as writer:
        for t in range(length):
            found = predicted(task, t % LENGTH, right)
            writer.add(FrameResult(t, found, 0.5, 0.1, 0, wall_time=dict.fromkeys(PHASES, 0.01)))
        writer.look(2, np.ones((9, 15), bool), np.full((9, 15, 3), 90, np.uint8))
    return path


def predicted(task, t, right=True):
    semantic, instance = maps(t)
    if not right:
        semantic[instance == 2], instance[instance == 2] = ROAD, 0
    segments = [(ROAD, (semantic == ROAD)), (SKY, semantic == SKY)]
    segments += [(CAR, instance == number) for number in (1, 2) if (instance == number).any()]
    segments = segments[:: (-1) ** t]
    if task == "instance":
        return objects(*((label, mask) for label, mask in segments if label == CAR))
    return panoptic(*segments)


def panoptic(*segments):
    """A panoptic map of (class, mask), the later ones on top."""
    ids = np.zeros(SIZE, np.uint16)
    for place, (_, mask) in enumerate(segments, start=1):
        ids[mask] = place
    number = len(segments)
    classes = np.array([label for label, _ in segments], np.uint8)
    return Panoptic(ids, classes, np.ones(number, np.float32), np.zeros(number, bool))


def colours_of(colours, found):
    return [tuple(each) for each in colours.of(found).tolist()]


def test_objects_keep_their_colours_as_they_move_and_whatever_their_order_is():
    colours = ObjectColours(SPACE)
    moving, still = (CAR, box(2, 4)), (CAR, box(20, 30))
    first, second = colours_of(colours, objects(moving, still))
    assert first != second
    for t in range(1, 10):
        moving = (CAR, box(2, 4 + 3 * t))
        pair, expected = [moving, still], [first, second]
        if t % 2:
            pair, expected = pair[::-1], expected[::-1]
        assert colours_of(colours, objects(*pair)) == expected


def test_an_object_that_is_missed_for_some_frames_keeps_its_colour_and_no_other_gets_it():
    colours = ObjectColours(SPACE)
    missed, other, new = (CAR, box(2, 4)), (CAR, box(20, 30)), (CAR, box(2, 40))
    first, second = colours_of(colours, objects(missed, other))
    assert colours_of(colours, objects(other)) == [second]
    assert colours_of(colours, objects(new, other))[0] not in (first, second)
    assert colours_of(colours, objects(other, missed)) == [second, first]
    assert colours_of(colours, objects()) == []
    # A person where a car was is another object.
    assert colours_of(colours, objects((PERSON, box(2, 4))))[0] != first


def test_rows_side_by_side_give_an_object_one_colour():
    """The second row misses the first object, the third has it again."""
    truth, fixed, learned = colours_side_by_side(SPACE, 3)
    a, b = (CAR, box(2, 4)), (CAR, box(20, 30))
    first, second = colours_of(truth, objects(a, b))
    assert colours_of(fixed, objects((CAR, box(21, 31)))) == [second]
    assert colours_of(learned, objects(b, a)) == [second, first]


def test_many_objects_are_told_from_each_other_and_from_stuff():
    stuff = class_colours([f"stuff {place}" for place in range(53)])[:53]
    for count in (0, 53):
        colours = object_colours(stuff[:count]).astype(float)
        assert len(colours) == COLOURS
        apart = np.linalg.norm(colours[:, None] - colours, axis=-1) + 1000 * np.eye(COLOURS)
        assert apart[:20, :20].min() > 50
        assert apart.min() > 20
    grid = [(CAR, box(4 * row, 8 * column, 3, 6)) for row in range(8) for column in range(7)]
    found = colours_of(ObjectColours(SPACE), objects(*grid[:COLOURS]))
    assert len(set(found)) == COLOURS
    # With more, none is used three times before all are used twice.
    found = colours_of(ObjectColours(SPACE), objects(*grid))
    assert len(found) == 56
    assert max(found.count(each) for each in found) == 2


@pytest.mark.parametrize("task", ["panoptic", "instance"])
def test_outlines_are_thin_lines_on_the_border_of_masks(task):
    factor = 8
    overlay = overlay_of(predicted(task, 0), ObjectColours(SPACE))
    frame = Image.new("RGB", (SIZE[1] * factor, SIZE[0] * factor), (GREY,) * 3)
    drawn = np.asarray(laid_over(frame, overlay)).astype(int)
    ids = overlay.ids.repeat(factor, 0).repeat(factor, 1)
    own = overlay.colours[ids].astype(int)
    line = (drawn == own).all(axis=-1) & (ids > 0)
    blended = np.abs(drawn - (OPACITY * own + (1 - OPACITY) * GREY)).max(axis=-1) <= 1
    for place in np.unique(overlay.ids[overlay.ids > 0]):
        mask = ids == place
        # The edge of the picture is no border.
        inner = ndimage.binary_erosion(mask, iterations=1, border_value=1)
        deep = ndimage.binary_erosion(mask, iterations=4, border_value=1)
        assert line[mask & ~inner].all()
        assert not line[deep].any()
        assert blended[deep].all()
    bare = (drawn == GREY).all(axis=-1)
    if task == "instance":
        assert (bare == (ids == 0)).all()
    else:
        assert blended[ids == 0].all()


def test_an_outline_is_as_wide_as_asked():
    ids = np.repeat([[3] * 5 + [4] * 5], 4, axis=0)
    for width in (1, 2):
        expected = [abs(column - 4.5) < width for column in range(10)]
        assert (outlines(ids, width) == expected).all()


def test_sure_instances_are_drawn_once_and_small_ones_on_large_ones():
    large, small, doubtful = box(0, 0, 30, 40), box(10, 10), box(20, 45)
    found = objects(
        (PERSON, small), (CAR, large), (PERSON, large), (CAR, doubtful), (CAR, box(0, 50)),
        scores=[0.5, 0.9, 0.6, SHOWN_FROM - 0.01, 1], crowd=[False, False, False, False, True],
    )  # fmt: skip
    overlay = overlay_of(found, ObjectColours(SPACE))
    assert overlay.texts == ("person 50 %", "car 90 %", "car (crowd)")
    assert np.unique(overlay.ids[small]).tolist() == [1]
    assert np.unique(overlay.ids[large & ~small]).tolist() == [2]
    assert not overlay.ids[doubtful].any()
    assert overlay.colours[3].tolist() == list(CROWD)


def measured(text):
    return 5.0 * len(text), 10.0


def test_names_lie_in_the_picture_apart_from_each_other_and_at_their_segments():
    many = [(CAR, box(3, left, 4, 3)) for left in range(0, 57, 3)]
    segments = [(ROAD, box(12, 0, 24, 60)), (SKY, box(0, 0, 1, 10)), (CAR, box(20, 30, 14, 20))]
    overlay = overlay_of(panoptic(*segments, *many), ObjectColours(SPACE))
    found = captions(overlay, 8, measured)
    assert {each.text for each in found} == {"road", "car"}
    assert len(found) > 5
    for each in found:
        assert each.left >= 0
        assert each.top >= 0
        assert each.left + each.width <= 8 * SIZE[1]
        assert each.top + each.height <= 8 * SIZE[0]
        assert not any(each.overlaps(other) for other in found if other is not each)
    # The large car's name is on it, under its upper edge; the road's is on the road.
    assert found[0].text == "car"
    assert 8 * 20 <= found[0].top < 8 * 23
    (road,) = (each for each in found if each.text == "road")
    middle = int((road.top + road.height / 2) / 8), int((road.left + road.width / 2) / 8)
    assert overlay.ids[middle] == 1


def test_names_of_specks_and_of_what_has_no_room_are_left_out():
    overlay = overlay_of(objects((CAR, box(10, 10, 1, 1))), ObjectColours(SPACE))
    assert captions(overlay, 8, measured) == []
    overlay = overlay_of(objects((CAR, box(10, 10))), ObjectColours(SPACE))
    assert [each.text for each in captions(overlay, 8, measured)] == ["car"]
    assert captions(overlay, 8, lambda text: (8 * SIZE[1] + 1, 10)) == []


def test_classes_are_drawn_in_their_colours_and_void_in_black():
    semantic = maps(0)[0]
    overlay = overlay_of(semantic, ObjectColours(SPACE))
    palette = class_colours(SPACE.classes)
    np.testing.assert_array_equal(overlay.colours[overlay.ids], palette[semantic])
    assert overlay.legend.tolist() == [SKY, ROAD, CAR, 255]
    assert captions(overlay, 8, measured) == []


def readers(tmp_path, task):
    """The fixed model misses the moving car in every frame, the other one is always right."""
    return [
        PredictionReader(predictions(tmp_path / f"{m}.h5", task, m, right=m == ONLINE))
        for m in (FIXED, ONLINE)
    ]


@pytest.mark.parametrize(
    ("task", "name", "wrong"),
    [
        # One of two cars is found at every threshold: precision 1 up to recall 50 of 0, 1 ... 100.
        ("instance", "AP", 100 * 51 / 101),
        # Sky 1; of 1248 pixels taken for road 96 are the car's; one of two cars: 1 / (1 + 0.5).
        ("panoptic", "PQ", 100 * (1 + 1152 / 1248 + 1 / 1.5) / 3),
    ],
)
def test_strips_show_objects_with_the_metric_of_their_task(store, tmp_path, task, name, wrong):
    fixed, learned = readers(tmp_path, task)
    with fixed, learned:
        figure = strips_figure(store, fixed, learned, {})
        reconstructed = reconstruction_figure(scored_view(store, task), fixed, learned, {})
    (part, *_) = figure.subfigs
    grid = np.array(part.axes[:12]).reshape(4, 3)
    titles = [axes.get_title() for axes in grid[2]]
    assert set(titles) <= {f"{name} 100.0 %", "not labelled"}
    assert f"{name} 100.0 %" in titles
    assert f"{name} {wrong:.1f} %" in [axes.get_title() for axes in grid[1]]
    assert name in part.get_suptitle()
    for row, cars in ((1, 1), (2, 2), (3, 2)):
        for axes, title in zip(grid[row], titles, strict=True):
            shown = [text.get_text() for text in axes.texts]
            if row == 3 and title == "not labelled":
                assert not axes.images
            else:
                assert shown.count("car") == cars
                assert ("road" in shown) == (task == "panoptic")
    panels = {axes.get_title(): axes for axes in reconstructed.axes}
    assert len(panels["Ground truth"].texts) == len(panels[ONLINE].texts)
    assert len(panels[FIXED].texts) < len(panels[ONLINE].texts)


def test_steps_show_the_metric_of_the_task(store):
    found = [predicted("instance", 2, right) for right in (False, True)]
    found = [dataclasses.replace(each, scores=each.scores * 0.9) for each in found]
    pictures = np.zeros((2, 9, 15, 3), np.uint8)
    traced = FrameTrace(2, np.array([1.0, 0.5]), found, np.ones((9, 15), bool), pictures)
    key = JobKey("toy", "instance", ONLINE, 0, "a")
    view = scored_view(store, "instance")
    figure = steps_figure(view, Traces(None, key, store.classes, [traced]))
    _, values = figure.subfigs[1].axes
    assert values.get_ylabel() == "AP of the frame (%)"
    np.testing.assert_allclose(values.lines[0].get_ydata(), [100 * 51 / 101, 100])


def decoded(path):
    reader = imageio_ffmpeg.read_frames(str(path))
    width, height = next(reader)["size"]
    return [np.frombuffer(each, np.uint8).reshape(height, width, 3).astype(int) for each in reader]


@pytest.mark.parametrize("task", ["panoptic", "instance"])
def test_video_shows_objects_in_colours_that_stay(store, tmp_path, task):
    fixed, learned = readers(tmp_path, task)
    with fixed, learned:
        render_video(scored_view(store, task), fixed, learned, {}, tmp_path / "v.mp4")
    pictures = decoded(tmp_path / "v.mp4")
    assert len(pictures) == LENGTH
    factor = -(-400 // SIZE[1])
    height, width = pictures[0].shape[:2]
    assert width == 2 * factor * SIZE[1] + 4
    assert height % 2 == 0
    panel = (height - 4) // 2
    bar = panel - factor * SIZE[0]

    def colour(t, row, column, y, x):
        top = row * (panel + 4) + bar + factor * y
        left = column * (factor * SIZE[1] + 4) + factor * x
        return pictures[t][top : top + factor, left : left + factor].mean(axis=(0, 1))

    cars = [colour(t, 1, 1, 16, 6 + 2 * t) for t in range(LENGTH)]
    assert np.abs(np.array(cars) - cars[0]).max() < 12
    # The ground truth is beside it, where there is any; the fixed model misses this car.
    for t in (0, 2, 3):
        assert np.abs(colour(t, 0, 1, 16, 6 + 2 * t) - cars[0]).max() < 12
    assert np.abs(colour(0, 1, 0, 16, 6) - cars[0]).max() > 30
    assert np.abs(colour(0, 1, 1, 30, 45) - cars[0]).max() > 30
    # No labels are left of an earlier frame.
    np.testing.assert_allclose(colour(1, 0, 1, 16, 8), GREY, atol=4)


def test_a_long_video_takes_no_more_memory_than_a_short_one(tmp_path):
    peaks = {}
    # The first one pays for what is made once.
    for length in (2, 3, 12):
        files = [
            predictions(tmp_path / f"{m}{length}.h5", "instance", m, length)
            for m in (FIXED, ONLINE)
        ]
        path = write_store(tmp_path / f"{length}.h5", length, unlabelled=range(length))
        with (
            FrameStore(path) as frames,
            PredictionReader(files[0]) as fixed,
            PredictionReader(files[1]) as learned,
        ):
            view = scored_view(frames, "instance")
            tracemalloc.start()
            render_video(view, fixed, learned, {}, tmp_path / "v.mp4")
            peaks[length] = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
    # A picture is more than 1 MB.
    assert peaks[12] < peaks[3] + 5e5


def test_labels_of_things_are_instances_of_their_panoptic_map(store):
    """What is drawn of both tasks has the same objects, in the same colours."""
    segments = store.panoptic(0)
    overlay = overlay_of(segments, ObjectColours(SPACE))
    instances = overlay_of(instances_of(segments, SPACE), ObjectColours(SPACE))
    for mask in (box(12, 4, 6), box(24, 40)):
        assert (overlay.colours[overlay.ids[mask]] == instances.colours[instances.ids[mask]]).all()
