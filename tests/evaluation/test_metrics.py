import dataclasses
import json
import sys

import numpy as np
import pytest
from PIL import Image

from support import DATA
from videottt.core.errors import InputError
from videottt.core.segments import (
    VOID,
    ClassSpace,
    Panoptic,
    instances_from,
    instances_of,
    panoptic_from,
)
from videottt.evaluation.metrics import frame_value, headline, statistics_of
from videottt.evaluation.metrics.semantic import class_iou, confusion, mean_iou, metrics_of

V = VOID
NAN = float("nan")

# Semantic segmentation

# Two frames of 2 x 3 pixels, worked out by hand.
LABELS = np.array([[[0, 0, 1], [1, 1, V]], [[0, 0, 0], [0, V, V]]], np.uint8)
PREDICTED = np.array([[[0, 1, 1], [1, 1, 0]], [[0, 0, 2], [2, 1, 2]]], np.uint8)
COUNTS = [[[1, 1, 0], [0, 3, 0], [0, 0, 0]], [[2, 0, 2], [0, 0, 0], [0, 0, 0]]]


def counts_of(predicted, labels, classes=3):
    return np.stack([confusion(p, t, classes) for p, t in zip(predicted, labels, strict=True)])


def test_confusion_counts_pixels_by_class_and_leaves_void_out():
    counts = counts_of(PREDICTED, LABELS)
    assert counts.tolist() == COUNTS
    assert counts.dtype == np.int64
    assert counts.sum() == (LABELS != V).sum()


@pytest.mark.parametrize(
    ("metric", "value"),
    [
        # Pooled counts: a 3 hit of 3 + 3 missed; b 3 hit + 1 wrong; c never labelled, 2 wrong.
        ("miou_pooled", (3 / 6 + 3 / 4) / 2),
        ("miou_pooled_gt_or_predicted", (3 / 6 + 3 / 4 + 0) / 3),
        # Frame 0: a 1/2, b 3/4. Frame 1: a 2/4, c predicted where nothing of it is.
        ("miou_frames", ((1 / 2 + 3 / 4) / 2 + 1 / 2) / 2),
        ("miou_frames_gt_or_predicted", ((1 / 2 + 3 / 4) / 2 + (1 / 2 + 0) / 2) / 2),
        ("frames_undefined", 0),
    ],
)
def test_each_convention_of_mean_iou_by_hand(metric, value):
    assert metrics_of(np.array(COUNTS))[metric] == pytest.approx(value)


def test_class_iou_is_nan_only_where_a_class_is_in_neither():
    counts = np.array(COUNTS)
    assert class_iou(counts[0]) == pytest.approx([1 / 2, 3 / 4, NAN], nan_ok=True)
    assert class_iou(counts[1]) == pytest.approx([1 / 2, NAN, 0], nan_ok=True)
    assert class_iou(counts.sum(axis=0)) == pytest.approx([3 / 6, 3 / 4, 0])


def test_a_frame_of_void_is_undefined_and_left_out():
    void = np.full((1, 2, 3), V, np.uint8)
    counts = counts_of(np.concatenate([PREDICTED, PREDICTED[:1]]), np.concatenate([LABELS, void]))
    assert mean_iou(counts, "ground_truth").tolist()[:2] == pytest.approx([5 / 8, 1 / 2])
    for denominator in ("ground_truth", "ground_truth_or_prediction"):
        assert np.isnan(mean_iou(counts, denominator)[2])
    values, without = metrics_of(counts), metrics_of(counts[:2])
    assert values.pop("frames_undefined") == 1
    assert values.items() <= without.items()
    nothing = metrics_of(counts[2:])
    assert nothing.pop("frames_undefined") == 1
    assert all(np.isnan(value) for value in nothing.values())


def slow_mean_iou(pairs, classes, with_predicted):
    """The definition, one pixel at a time: pairs of (label, prediction) without void."""
    total, number = 0.0, 0
    for name in range(classes):
        labelled = [pair for pair in pairs if pair[0] == name]
        predicted = [pair for pair in pairs if pair[1] == name]
        hits = [pair for pair in labelled if pair[1] == name]
        if labelled:
            total += len(hits) / (len(labelled) + len(predicted) - len(hits))
        number += bool(labelled or (with_predicted and predicted))
    return total / number if any(True for _ in pairs) else NAN


@pytest.mark.parametrize("suffix", ["", "_gt_or_predicted"])
def test_metrics_agree_with_a_pixel_by_pixel_reference(suffix):
    draws = np.random.default_rng(3)
    classes, wanted = 6, bool(suffix)
    labels = draws.choice([0, 1, 2, 4, V], size=(5, 7, 9), p=[0.5, 0.2, 0.1, 0.05, 0.15])
    labels = labels.astype(np.uint8)
    labels[2] = V
    predicted = np.where(
        draws.random(labels.shape) < 0.6, labels % V, draws.integers(0, 6, labels.shape)
    )
    values = metrics_of(counts_of(predicted.astype(np.uint8), labels, classes))
    frames = [
        [(t, p) for t, p in zip(labels[i].ravel(), predicted[i].ravel(), strict=True) if t != V]
        for i in range(5)
    ]
    pooled = slow_mean_iou([pair for frame in frames for pair in frame], classes, wanted)
    each = [slow_mean_iou(frame, classes, wanted) for frame in frames if frame]
    assert values[f"miou_pooled{suffix}"] == pytest.approx(pooled)
    assert values[f"miou_frames{suffix}"] == pytest.approx(sum(each) / len(each))
    assert values["frames_undefined"] == 1


# Instance segmentation

STREET = ClassSpace(("road", "sky", "car", "person"), things=("car", "person"))
ROAD, SKY, CAR, PERSON = range(4)


def objects(*drawn):
    """Instances of (class, score, rows of a grid in which "x" is inside), and "crowd" or not."""
    masks = [np.array([list(row) for row in grid.split()]) == "x" for _, _, grid, *_ in drawn]
    size = masks[0].shape if masks else (2, 6)
    return instances_from(
        np.stack(masks) if masks else np.zeros((0, *size), bool),
        [name for name, *_ in drawn],
        [score for _, score, *_ in drawn],
        ["crowd" in each for each in drawn],
    )


LEFT, MOST_OF_LEFT, RIGHT = "xx.... xx....", "xx.... x.....", "....xx ....xx"


def instance_metrics(*pairs):
    return statistics_of("instance").of_frames(pairs, STREET).metrics()


def test_ap_where_the_detection_with_the_better_score_is_wrong():
    label = objects((CAR, 1, LEFT))
    values = instance_metrics((label, objects((CAR, 0.5, LEFT), (CAR, 0.9, RIGHT))))
    # Ranked: wrong, right. All recall is reached at rank 2, with a precision of 1/2.
    for metric in ("ap", "ap50", "ap75", "ap_small"):
        assert values[f"{metric}_pooled"] == values[f"{metric}_frames"] == 1 / 2
    assert values["ap:car"] == 1 / 2
    # All objects are smaller than 32 x 32 pixels, and there is no person.
    for undefined in ("ap_medium_pooled", "ap_large_frames", "ap:person"):
        assert np.isnan(values[undefined])
    assert "ap:road" not in values
    # The other way round: right, then wrong, when there is no recall left to gain.
    better = instance_metrics((label, objects((CAR, 0.5, RIGHT), (CAR, 0.9, LEFT))))
    assert better["ap_pooled"] == pytest.approx(1)


def test_ap_counts_a_match_at_the_iou_thresholds_that_it_reaches():
    # IoU 3/4 reaches 0.50, 0.55, ... 0.75: six of ten.
    values = instance_metrics((objects((CAR, 1, LEFT)), objects((CAR, 0.5, MOST_OF_LEFT))))
    assert values["ap_pooled"] == pytest.approx(6 / 10)
    assert values["ap50_pooled"] == pytest.approx(1)
    assert values["ap75_pooled"] == pytest.approx(1)


def test_ap_pooled_ranks_all_frames_together_and_ap_of_frames_does_not():
    car, nothing = objects((CAR, 1, LEFT)), objects()
    pairs = [
        (car, objects((CAR, 0.3, LEFT))),
        (car, objects((CAR, 0.5, LEFT), (CAR, 0.9, RIGHT))),
        (nothing, objects((CAR, 0.8, RIGHT))),
        (nothing, nothing),
    ]
    values = instance_metrics(*pairs)
    # Wrong, wrong, right, right: recall 1/2 with precision 1/3, recall 1 with precision 2/4; the
    # precision of a recall is the best at any greater one.
    assert values["ap_pooled"] == 2 / 4
    # AP 1 and 1/2; what is found wrongly where nothing is counts nowhere.
    assert values["ap_frames"] == pytest.approx((1 + 1 / 2) / 2)
    assert values["frames_undefined"] == 2
    each = [frame_value("instance", found, label, STREET) for label, found in pairs]
    assert each == pytest.approx([1, 1 / 2, np.nan, np.nan], nan_ok=True)


def test_crowds_and_stuff_are_neither_missed_nor_found_wrongly():
    crowd, inside = (CAR, 1, RIGHT, "crowd"), (CAR, 0.9, "....x. ....x.")
    found = [(CAR, 0.5, LEFT), inside, (SKY, 0.9, RIGHT)]
    label = objects((CAR, 1, LEFT), crowd, (ROAD, 1, RIGHT))
    assert instance_metrics((label, objects(*found)))["ap_pooled"] == pytest.approx(1)
    without = objects((CAR, 1, LEFT))
    assert instance_metrics((without, objects(*found)))["ap_pooled"] == 1 / 2
    assert np.isnan(instance_metrics((objects(crowd), objects(inside)))["ap_pooled"])


def random_objects(draws, number, near=None):
    """Rectangles of every size, the first of them those of `near`, moved a little."""
    height, width = 128, 160
    masks = np.zeros((number, height, width), bool)
    for mask in masks:
        top, left = draws.integers(0, (height // 2, width // 2))
        tall, wide = draws.choice([6, 25, 60, 120], 2)
        mask[top : top + tall, left : left + wide] = True
    classes = draws.choice([ROAD, CAR, PERSON], number, p=[0.1, 0.6, 0.3])
    # Few values, so that many scores are equal, within frames and between them.
    scores = draws.integers(1, 6, number) / 8
    if near is not None:
        kept = min(len(near), number)
        masks[:kept] = np.roll(near.pixels()[:kept], int(draws.integers(0, 6)), axis=2)
        classes[:kept] = near.classes[:kept]
        scores[:kept] += 2 / 8
    return instances_from(masks, classes, scores, None if near else draws.random(number) < 0.2)


def coco_of(frames):
    from pycocotools import mask
    from pycocotools.coco import COCO

    annotations = [
        {
            "image_id": image,
            "category_id": int(each.classes[i]),
            "score": float(each.scores[i]),
            "iscrowd": int(each.crowd[i]),
            "segmentation": each.run_lengths[i],
            "area": float(mask.area(each.run_lengths[i])),
        }
        for image, each in enumerate(frames)
        for i in range(len(each))
        if each.classes[i] in (CAR, PERSON)
    ]
    made = COCO()
    made.dataset = {
        "images": [
            {"id": i, "height": f.size[0], "width": f.size[1]} for i, f in enumerate(frames)
        ],
        "categories": [{"id": CAR}, {"id": PERSON}],
        "annotations": [{**each, "id": i} for i, each in enumerate(annotations, start=1)],
    }
    made.createIndex()
    return made


def coco_at_once(pairs):
    """The six averages of COCO, as its evaluation is meant to be used."""
    from pycocotools.cocoeval import COCOeval

    evaluation = COCOeval(*(coco_of(side) for side in zip(*pairs, strict=True)), "segm")
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    return np.where(evaluation.stats[:6] < 0, np.nan, evaluation.stats[:6])


def random_pairs(draws):
    counts = [(5, 9), (9, 0), (0, 7), (8, 200), (0, 0), (7, 40), (6, 30), (8, 60)]
    for labelled, found in counts:
        label = random_objects(draws, labelled)
        predicted = random_objects(draws, found, near=label)
        # Where more of a class are found than count, those that do not would be in the way of the
        # right ones of other frames.
        better = predicted.scores + (0.5 if found > 100 else 0)
        yield label, dataclasses.replace(predicted, scores=better.astype(np.float32))


def test_ap_is_bit_for_bit_that_of_coco_over_all_frames_at_once(capsys):
    pairs = list(random_pairs(np.random.default_rng(5)))
    # More than the hundred of a class that count.
    assert any((found.classes == CAR).sum() > 100 for _, found in pairs)
    values = instance_metrics(*pairs)
    assert capsys.readouterr().out == ""
    names = ["ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large"]
    at_once = coco_at_once(pairs)
    assert not np.isnan(at_once).any()
    assert 0.1 < at_once[0] < 0.9
    assert [values[f"{name}_pooled"] for name in names] == at_once.tolist()
    alone = np.stack([coco_at_once([pair]) for pair in pairs])
    defined = [column[~np.isnan(column)].mean() for column in alone.T]
    assert [values[f"{name}_frames"] for name in names] == defined
    assert values["frames_undefined"] == np.isnan(alone[:, 0]).sum() >= 2


@pytest.mark.parametrize("seed", range(6))
def test_matches_and_precision_are_bit_for_bit_those_of_coco(seed, capsys):
    from pycocotools.cocoeval import COCOeval

    pairs = list(random_pairs(np.random.default_rng(seed)))
    evaluation = COCOeval(*(coco_of(side) for side in zip(*pairs, strict=True)), "segm")
    evaluation.params.maxDets = [100]
    evaluation.evaluate()
    evaluation.accumulate()
    statistics = statistics_of("instance").of_frames(pairs, STREET)
    assert statistics._precision([CAR, PERSON]).tobytes() == (
        np.ascontiguousarray(evaluation.eval["precision"][..., 0]).tobytes()
    )
    # Ours are frame by frame and class by class; COCO's class by class, area by area.
    theirs = np.array(evaluation.evalImgs, object).reshape(2, 4, len(pairs)).transpose(2, 0, 1)
    theirs = [each for frame in theirs for each in frame if each[0] is not None]
    assert len(theirs) == len(statistics.row_class) > 8
    assert statistics.row_truths.tolist() == [
        [np.count_nonzero(np.array(area["gtIgnore"]) == 0) for area in each] for each in theirs
    ]
    assert statistics.score.tolist() == [score for each in theirs for score in each[0]["dtScores"]]
    for ours, name in ((statistics.matched, "dtMatches"), (statistics.ignored, "dtIgnore")):
        for area in range(4):
            flags = np.concatenate([each[area][name] != 0 for each in theirs], axis=1)
            bits = np.arange(10)[:, None]
            assert ours[:, area].tolist() == (flags << bits).sum(axis=0).tolist()


# Panoptic segmentation


def panoptic(grid, **segments):
    """Segments of a grid: letter -> class, or (class, "crowd"); other letters are void."""
    letters = np.array([list(row) for row in grid.split()])
    ids = np.zeros(letters.shape, np.uint16)
    for number, letter in enumerate(segments, start=1):
        ids[letters == letter] = number
    named = [each if isinstance(each, tuple) else (each,) for each in segments.values()]
    return Panoptic(
        ids,
        np.array([name for name, *_ in named], np.uint8),
        np.ones(len(named), np.float32),
        np.array(["crowd" in each for each in named], bool),
    )


def panoptic_metrics(*pairs):
    return statistics_of("panoptic").of_frames(pairs, STREET).metrics()


FOUND_AND_MISSED = (
    panoptic("aaaa bbrr rrrr rrrr", a=CAR, b=CAR, r=ROAD),
    panoptic("aaa. rrrr ccrr rrrr", a=CAR, c=CAR, r=ROAD),
)


def test_pq_with_one_match_one_wrong_and_one_missed(capsys):
    values = panoptic_metrics(FOUND_AND_MISSED)
    assert capsys.readouterr().out == ""
    # Car: a matches with IoU 3/4, c is wrong, b is missed: PQ = 3/4 / (1 + 1/2 + 1/2).
    # Road: 10 pixels each, 8 in common, so IoU 8/12. There is no sky and no person.
    assert values["pq:car"] == pytest.approx(3 / 8)
    assert values["pq:road"] == pytest.approx(2 / 3)
    assert np.isnan([values["pq:sky"], values["pq:person"]]).all()
    for form in ("pooled", "frames"):
        found = [values[f"{name}_things_{form}"] for name in ("pq", "sq", "rq")]
        assert found == pytest.approx([3 / 8, 3 / 4, 1 / 2])
        assert values[f"pq_stuff_{form}"] == values[f"sq_stuff_{form}"] == pytest.approx(2 / 3)
        assert values[f"rq_stuff_{form}"] == 1
        assert values[f"pq_{form}"] == pytest.approx((3 / 8 + 2 / 3) / 2)
        assert values[f"sq_{form}"] == pytest.approx((3 / 4 + 2 / 3) / 2)
        assert values[f"rq_{form}"] == pytest.approx((1 / 2 + 1) / 2)


@pytest.mark.parametrize(
    ("second_row", "car", "road"),
    [
        # Car 2 lies on the crowd with 3 of 4 pixels, more than half: it is not wrong.
        (".2222r", 1, 7 / 8),
        # With 2 of 4, no more than half: one right, one wrong, PQ = 1 / (1 + 1/2).
        ("..2222", 2 / 3, 6 / 8),
    ],
)
def test_pq_leaves_void_out_and_a_crowd_is_not_missed(second_row, car, road):
    label = panoptic("aaaa.. ccccrr rrrrrr", a=CAR, c=(CAR, "crowd"), r=ROAD)
    # Car 1 covers the void too, which does not count: IoU 4 / (6 + 4 - 4 - 2).
    found = panoptic(f"111111 {second_row} rrrrrr", **{"1": CAR, "2": CAR, "r": ROAD})
    values = panoptic_metrics((label, found))
    assert values["pq:car"] == pytest.approx(car)
    assert values["pq:road"] == pytest.approx(road)


def test_pq_pooled_counts_first_and_pq_of_frames_divides_first():
    void = panoptic("....", **{})
    missed = (panoptic("aarr", a=CAR, r=ROAD), panoptic("..rr", r=ROAD))
    only_void = (void, panoptic("aarr", a=CAR, r=ROAD))
    pairs = [FOUND_AND_MISSED, missed, only_void]
    values = panoptic_metrics(*pairs)
    # Car: 3/4 / (1 + 1/2 + 2/2); road: (2/3 + 1) / 2.
    assert values["pq_pooled"] == pytest.approx((3 / 10 + 5 / 6) / 2)
    assert values["sq_things_pooled"] == pytest.approx(3 / 4)
    # Frame 1: car 0, road 1. In frame 2 what is predicted lies on void.
    first = (3 / 8 + 2 / 3) / 2
    assert values["pq_frames"] == pytest.approx((first + 1 / 2) / 2)
    assert values["pq_things_frames"] == pytest.approx((3 / 8 + 0) / 2)
    assert values["frames_undefined"] == 1
    each = [frame_value("panoptic", found, label, STREET) for label, found in pairs]
    assert each == pytest.approx([first, 1 / 2, np.nan], nan_ok=True)
    assert np.isnan(panoptic_metrics(only_void)["pq_pooled"])


def random_maps(draws, number):
    """Labels with void and crowds, and predictions that are often right."""
    for _ in range(number):
        semantic = draws.choice([ROAD, SKY, CAR, PERSON, V], (6, 8), p=[0.3, 0.1, 0.3, 0.2, 0.1])
        instance = np.where(semantic >= CAR, draws.integers(0, 4, semantic.shape), 0)
        semantic, instance = (
            each.astype(np.uint16).repeat(3, 0).repeat(3, 1) for each in (semantic, instance)
        )
        # A thing that is predicted is never a crowd.
        guess = np.where(draws.random(semantic.shape) < 0.2, draws.integers(0, 4), semantic)
        number = np.where((guess == CAR) | (guess == PERSON), np.maximum(instance, 1), 0)
        yield (
            panoptic_from(semantic.astype(np.uint8), instance, STREET),
            panoptic_from(guess.astype(np.uint8), number, STREET),
        )


def panopticapi_at_once(pairs, folder):
    from panopticapi.evaluation import pq_compute_single_core
    from panopticapi.utils import id2rgb

    def annotated(segments, name):
        Image.fromarray(id2rgb(segments.ids.astype(np.uint32))).save(folder / name)
        columns = zip(segments.classes, segments.crowd, strict=True)
        areas = np.bincount(segments.ids.ravel(), minlength=len(segments.classes) + 1).tolist()
        info = [
            {"id": i, "category_id": int(k), "iscrowd": int(c), "area": areas[i]}
            for i, (k, c) in enumerate(columns, start=1)
            # panopticapi refuses predicted segments that have no pixel.
            if areas[i]
        ]
        return {"image_id": name, "file_name": name, "segments_info": info}

    sets = [
        tuple(annotated(each, f"{i}_{side}.png") for side, each in enumerate(pair))
        for i, pair in enumerate(pairs)
    ]
    categories = {i: {"isthing": int(thing)} for i, thing in enumerate(STREET.is_thing)}
    found = pq_compute_single_core(0, sets, folder, folder, categories)
    return found, {
        f"{quality}{group}_pooled": found.pq_average(categories, wanted)[0][quality]
        for group, wanted in (("", None), ("_things", True), ("_stuff", False))
        for quality in ("pq", "sq", "rq")
    }


def test_pq_is_that_of_panopticapi_over_all_frames_at_once(tmp_path):
    pairs = list(random_maps(np.random.default_rng(2), 8))
    assert any(label.crowd.any() for label, _ in pairs)
    statistics = statistics_of("panoptic").of_frames(pairs, STREET)
    found, averages = panopticapi_at_once(pairs, tmp_path)
    for index in range(4):
        for name, counts in statistics.arrays().items():
            # A sum of as many floats, in another order.
            wanted = pytest.approx(getattr(found[index], name), rel=1e-12)
            assert counts[:, index].sum() == wanted
    values = statistics.metrics()
    assert {name: values[name] for name in averages} == pytest.approx(averages, rel=1e-12)
    assert 0.1 < values["pq_things_pooled"] < 0.9
    each = [panopticapi_at_once([pair], tmp_path)[1]["pq_pooled"] for pair in pairs]
    assert statistics.frame_values().tolist() == each


def renumbered(segments, draws, crowds):
    """The same segments in another order, with two that have no pixel; some things are crowds."""
    number = len(segments.classes)
    order = draws.permutation(number + 2)
    classes, crowd = np.zeros(number + 2, np.uint8), np.zeros(number + 2, bool)
    classes[order] = [*segments.classes, CAR, ROAD]
    crowd[order] = [*segments.crowd, crowds, False]
    crowd |= crowds & STREET.is_thing[classes] & (draws.random(number + 2) < 0.3)
    ids = np.concatenate([[0], 1 + order[:number]]).astype(np.uint16)[segments.ids]
    return Panoptic(ids, classes, np.ones(number + 2, np.float32), crowd)


def test_counts_of_a_frame_are_bit_for_bit_those_of_panopticapi(tmp_path):
    draws = np.random.default_rng(4)
    wrong = 0
    for label, found in random_maps(draws, 40):
        # Crowds that are several of a class, and numbers that say nothing of the class.
        pair = renumbered(label, draws, crowds=True), renumbered(found, draws, crowds=False)
        statistics = statistics_of("panoptic").of_frame(*pair, STREET)
        counted, _ = panopticapi_at_once([pair], tmp_path)
        for name, counts in statistics.arrays().items():
            assert counts[0].tolist() == [getattr(counted[index], name) for index in range(4)]
        wrong += statistics.fp.sum()
    assert wrong > 40


def test_pq_tells_more_segments_apart_than_a_byte_does():
    ids = np.arange(1, 321, dtype=np.uint16).reshape(16, 20)
    cars, ones = np.full(320, CAR, np.uint8), np.ones(320, np.float32)
    label = Panoptic(ids, cars, ones, np.zeros(320, bool))
    # The same segments, numbered from the other end.
    found = dataclasses.replace(label, ids=np.uint16(321) - ids)
    assert panoptic_metrics((label, found))["pq_pooled"] == 1


def test_pq_without_panopticapi_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "panopticapi", None)
    with pytest.raises(InputError, match="pip install --no-deps panopticapi-lite"):
        panoptic_metrics(FOUND_AND_MISSED)


# All tasks


def random_frames(task):
    draws = np.random.default_rng(7)
    if task == "instance":
        return list(random_pairs(draws))
    pairs = list(random_maps(draws, 5))
    if task == "panoptic":
        return pairs
    return [(label.semantic, np.minimum(found.semantic, 3)) for label, found in pairs]


TASKS = ["semantic", "instance", "panoptic"]


@pytest.mark.parametrize("task", TASKS)
def test_labels_scored_against_themselves_are_perfect(task):
    pairs = [(label, label) for label, _ in random_frames(task)]
    if task == "semantic":
        pairs = [(label, np.minimum(label, 3)) for label, _ in pairs]
    values = statistics_of(task).of_frames(pairs, STREET).metrics()
    undefined = values.pop("frames_undefined")
    defined = {name: value for name, value in values.items() if not np.isnan(value)}
    assert {headline(task).pooled, headline(task).frames} <= defined.keys()
    # COCO adds a rounding error to what it divides by.
    tolerance = 1e-15 if task == "instance" else 0
    assert defined == pytest.approx(dict.fromkeys(defined, 1.0), abs=tolerance, rel=0)
    assert undefined == (2 if task == "instance" else 0)


@pytest.mark.parametrize("task", TASKS)
def test_joined_statistics_are_those_of_the_joined_frames(task):
    kind, pairs = statistics_of(task), random_frames(task)
    whole = kind.of_frames(iter(pairs), STREET)
    parts = [kind.of_frames(pairs[:1], STREET), kind.of_frames(pairs[1:], STREET)]
    joined = kind.joined(parts)
    assert joined.arrays().keys() == whole.arrays().keys()
    for name, values in whole.arrays().items():
        assert np.array_equal(joined.arrays()[name], values, equal_nan=values.dtype.kind == "f")
        assert joined.arrays()[name].dtype == values.dtype
    np.testing.assert_equal(joined.metrics(), whole.metrics())
    each = [frame_value(task, found, label, STREET) for label, found in pairs]
    np.testing.assert_equal(whole.frame_values(), each)
    # What the tables and figures ask for is there.
    asked = headline(task)
    assert {asked.pooled, asked.frames, f"{asked.of_class}:car"} <= whole.metrics().keys()


def test_statistics_of_different_classes_are_not_joined():
    kind = statistics_of("panoptic")
    other = ClassSpace(STREET.classes, things=("car",))
    parts = [kind.of_frames([FOUND_AND_MISSED], space) for space in (STREET, other)]
    with pytest.raises(InputError, match="different classes or things cannot be pooled"):
        kind.joined(parts)


def test_a_task_that_does_not_exist_has_no_metrics():
    with pytest.raises(InputError, match="task 'panoptik' has no metrics; did you mean 'panoptic'"):
        headline("panoptik")


# Two images of COCO's panoptic annotations


@pytest.fixture(scope="module")
def coco_sample():
    folder = DATA / "coco_panoptic_sample"
    if not folder.is_dir():
        pytest.skip(f"no COCO sample in {DATA}: set VIDEOTTT_SHARED_DATA to the folder that has it")
    read = json.loads((folder / "panoptic_examples.json").read_text())
    order = [each["id"] for each in read["categories"]]
    space = ClassSpace(
        tuple(each["name"] for each in read["categories"]),
        tuple(each["name"] for each in read["categories"] if each["isthing"]),
    )
    frames = []
    for each in read["annotations"]:
        pixels = np.asarray(Image.open(folder / "panoptic_examples" / each["file_name"]))
        stored = pixels.astype(np.int64) @ [1, 256, 256**2]
        info = each["segments_info"]
        ids = sum(i * (stored == segment["id"]) for i, segment in enumerate(info, start=1))
        classes = [order.index(segment["category_id"]) for segment in info]
        crowd = np.array([segment["iscrowd"] for segment in info], bool)
        ones = np.ones(len(info), np.float32)
        frames.append(Panoptic(ids.astype(np.uint16), np.array(classes, np.uint8), ones, crowd))
    return frames, space


def changed(segments, space, name, to):
    """Return segments of which one has another class, or is void where that is None."""
    index = space.classes.index(name)
    assert (segments.classes == index).sum() == 1
    if to is None:
        number = int(np.flatnonzero(segments.classes == index)[0]) + 1
        ids = np.where(segments.ids == number, 0, segments.ids)
        return Panoptic(ids, segments.classes, segments.scores, segments.crowd)
    classes = np.where(segments.classes == index, space.classes.index(to), segments.classes)
    return Panoptic(segments.ids, classes.astype(np.uint8), segments.scores, segments.crowd)


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("change", "pooled", "frames", "ap"),
    [
        (None, 1, 1, 1),
        # Of the 8 classes, grass (in both images) loses one of two: PQ = 1 / (1 + 1/2); gravel (in
        # the other image) has one right and one wrong, the same. Of the image alone, whose five
        # classes become six, four are perfect and two 0.
        (("grass-merged", "gravel"), (6 + 2 / 3 + 2 / 3) / 8, (4 / 6 + 1) / 2, 1),
        # The only ball is missed: of the 8 classes, and of the image's five, one is 0. With an AP
        # are person, ball, truck and horse.
        (("sports ball", None), 7 / 8, (4 / 5 + 1) / 2, 3 / 4),
    ],
    ids=["itself", "one class changed", "one segment removed"],
)
def test_coco_scored_against_itself_and_against_a_change(coco_sample, change, pooled, frames, ap):
    (first, second), space = coco_sample
    found = changed(first, space, *change) if change else first
    pairs = [(first, found), (second, second)]
    values = statistics_of("panoptic").of_frames(pairs, space).metrics()
    assert values["pq_pooled"] == pytest.approx(pooled, rel=1e-12)
    assert values["pq_frames"] == pytest.approx(frames, rel=1e-12)
    pairs = [tuple(instances_of(each, space) for each in pair) for pair in pairs]
    assert sum(label.crowd.sum() for label, _ in pairs) == 3
    things = statistics_of("instance").of_frames(pairs, space).metrics()
    assert things["ap_pooled"] == pytest.approx(ap)
