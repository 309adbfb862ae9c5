import json

import numpy as np
import pytest

from support import store_frames
from videottt.errors import InputError
from videottt.frames import VOID, FrameStore, SourceFrame
from videottt.metrics.semantic import class_iou, confusion, mean_iou, metrics_of
from videottt.predictions import PredictionKey, PredictionReader, write_predictions
from videottt.scores import SECONDS, Scores, aggregate, read_scores, score_video, write_scores

V = VOID
CLASSES = ["a", "b", "c"]
NAN = float("nan")

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


def scores(video="v", counts=None, seed=0, split="test", method="m", seconds=1.0, skipped=0):
    counts = np.array(COUNTS if counts is None else counts)
    number = len(counts)
    return Scores(
        key=PredictionKey("d", "semantic", method, seed, video),
        split=split,
        classes=CLASSES,
        fps=10.0,
        index=np.arange(number),
        confusion=counts,
        seconds={name: np.full(number, seconds) for name in SECONDS},
        skipped_steps=np.full(number, skipped),
        resets=np.zeros(number, int),
        peak_memory=1000,
    )


def value(table, aggregation, metric, **ids):
    chosen = (table.aggregation == aggregation) & (table.metric == metric)
    for name, wanted in ids.items():
        chosen &= table[name] == wanted
    assert chosen.sum() == 1
    return table[chosen].value.item()


def test_videos_are_pooled_and_frame_weighted_side_by_side():
    long, short = np.array(COUNTS)[[0, 0, 0]], np.array(COUNTS)[[1]]
    table = aggregate([scores("long", long, seconds=1.0), scores("short", short, seconds=5.0)])
    assert value(table, "video", "miou_pooled", video="long") == pytest.approx(5 / 8)
    assert value(table, "video", "miou_pooled", video="short") == pytest.approx(1 / 2)
    weighted = (3 * 5 / 8 + 1 * 1 / 2) / 4
    assert value(table, "frame_weighted", "miou_pooled") == pytest.approx(weighted)
    # Counts of three long frames and one short: a 5 hit of 10, b 9 hit of 12.
    assert value(table, "pooled", "miou_pooled") == pytest.approx((5 / 10 + 9 / 12) / 2)
    assert value(table, "pooled", "miou_frames") == pytest.approx(weighted)
    assert value(table, "pooled", "iou:b") == pytest.approx(9 / 12)
    assert value(table, "frame_weighted", "seconds_adapt") == pytest.approx(2.0)
    assert value(table, "frame_weighted", "seconds_per_frame") == pytest.approx(4.0)
    for aggregation in ("pooled", "frame_weighted"):
        assert value(table, aggregation, "frames") == 4


def test_a_class_that_a_video_lacks_stays_nan_in_the_weighted_mean_and_not_in_the_pooled_one():
    table = aggregate([scores("x", COUNTS[:1]), scores("y", COUNTS[1:])])
    assert np.isnan(value(table, "video", "iou:b", video="y"))
    assert np.isnan(value(table, "frame_weighted", "iou:b"))
    assert value(table, "pooled", "iou:b") == pytest.approx(3 / 4)


def test_splits_methods_and_seeds_are_never_mixed():
    kinds = [{}, {"seed": 1}, {"split": "val"}, {"method": "other"}]
    members = [scores(video, COUNTS[i : i + 1], skipped=1, **kind)
               for kind in kinds for i, video in enumerate("xy")]  # fmt: skip
    table = aggregate(iter(members))
    assert value(table, "pooled", "frames", seed=0, split="test", method="m") == 2
    assert len(table[(table.aggregation == "pooled") & (table.metric == "frames")]) == 4
    assert (
        table[(table.aggregation == "pooled") & (table.metric == "skipped_steps")].value.eq(2).all()
    )


@pytest.fixture
def video(tmp_path):
    """Two labelled frames of three, and their predictions."""
    image = np.zeros((2, 3, 3), np.uint8)
    labels = [LABELS[0], None, LABELS[1]]
    frames = [SourceFrame(str(i), image, each) for i, each in enumerate(labels)]
    store = store_frames(tmp_path / "frames.h5", frames, classes=CLASSES)
    return store, tmp_path / "predictions.h5"


def predict(path, *, frames=3, video="tiny_0", classes=CLASSES):
    from videottt.frame_result import PHASES, FrameResult

    key = PredictionKey("synthetic", "semantic", "m", 0, video)
    with write_predictions(
        path, key, frames=frames, size=(2, 3), classes=classes, settings={}, provenance={}
    ) as writer:
        for index in range(frames):
            shown = PREDICTED[min(index, 2) // 2]
            writer.add(FrameResult(index, shown, NAN, NAN, index, dict.fromkeys(PHASES, 0.5)))


def test_scores_of_a_video_count_its_labelled_frames_and_survive_the_file(video, tmp_path):
    store_path, path = video
    predict(path)
    with FrameStore(store_path) as store, PredictionReader(path) as predictions:
        made = score_video(store, predictions, "test")
    write_scores(tmp_path / "scores.h5", made, {"made": "here"})
    read = read_scores(tmp_path / "scores.h5")
    for each in (made, read):
        assert each.index.tolist() == [0, 2]
        assert each.confusion.tolist() == COUNTS
        assert each.skipped_steps.tolist() == [0, 1, 2]
        assert each.seconds["adapt"].tolist() == [2.5] * 3
        assert (each.key.video, each.split, each.classes, each.fps) == (
            "tiny_0",
            "test",
            CLASSES,
            10,
        )
    assert json.dumps(read.classes) == json.dumps(CLASSES)


@pytest.mark.parametrize(
    "other",
    [{"frames": 2}, {"video": "tiny_1"}, {"classes": ["a", "c", "b"]}],
    ids=lambda o: str(o),
)
def test_predictions_of_another_video_are_not_scored(video, other):
    store_path, path = video
    predict(path, **other)
    with (
        FrameStore(store_path) as store,
        PredictionReader(path) as predictions,
        pytest.raises(InputError, match=r"predictions\.h5"),
    ):
        score_video(store, predictions, "test")


def test_a_video_without_labels_is_not_scored(tmp_path):
    image = np.zeros((2, 3, 3), np.uint8)
    frames = [SourceFrame(str(i), image) for i in range(3)]
    path = store_frames(tmp_path / "frames.h5", frames, classes=CLASSES)
    predict(tmp_path / "predictions.h5")
    with (
        FrameStore(path) as store,
        PredictionReader(tmp_path / "predictions.h5") as predictions,
        pytest.raises(InputError, match="no frame of 'tiny_0' is labelled"),
    ):
        score_video(store, predictions, "test")
