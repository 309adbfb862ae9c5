import dataclasses
import json

import h5py
import numpy as np
import pandas as pd
import pytest

from support import store_frames
from videottt.cli import main
from videottt.core.errors import InputError
from videottt.core.frame_result import PHASES, FrameResult
from videottt.core.ids import JobKey
from videottt.core.provenance import source_tree
from videottt.core.segments import VOID, ClassSpace, instances_from, panoptic_from
from videottt.evaluation.aggregation import aggregate
from videottt.evaluation.metrics import frame_value, headline, statistics_of
from videottt.evaluation.metrics.semantic import ConfusionCounts
from videottt.evaluation.scores import Cost, Scores, read_scores, score_video, write_scores
from videottt.evaluation.scoring import ScoringJob, score_predictions
from videottt.store.frames import FrameStore
from videottt.store.predictions import WALL_TIMES, PredictionReader, write_predictions
from videottt.store.source_frame import SourceFrame

V = VOID
NAN = float("nan")
CLASSES = ["a", "b", "c"]
# Two frames of 2 x 3 pixels, and which class is predicted as which.
LABELS = np.array([[[0, 0, 1], [1, 1, V]], [[0, 0, 0], [0, V, V]]], np.uint8)
PREDICTED = np.array([[[0, 1, 1], [1, 1, 0]], [[0, 0, 2], [2, 1, 2]]], np.uint8)
COUNTS = [[[1, 1, 0], [0, 3, 0], [0, 0, 0]], [[2, 0, 2], [0, 0, 0], [0, 0, 0]]]


def scores(video="v", counts=None, seed=0, split="test", method="m", seconds=1.0, skipped=0):
    counts = np.array(COUNTS if counts is None else counts)
    number = len(counts)
    return Scores(
        key=JobKey("d", "semantic", method, seed, video),
        split=split,
        fps=10.0,
        index=np.arange(number),
        statistics=ConfusionCounts(ClassSpace(tuple(CLASSES)), counts),
        wall_time={name: np.full(number, seconds) for name in WALL_TIMES},
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
    assert value(table, "frame_weighted", "wall_time_adapt") == pytest.approx(2.0)
    assert value(table, "frame_weighted", "seconds_per_frame") == pytest.approx(4.0)
    for aggregation in ("pooled", "frame_weighted"):
        assert value(table, aggregation, "frames") == 4


def test_a_split_is_also_averaged_with_the_lengths_of_the_released_code():
    long, short = np.array(COUNTS)[[0, 0, 0]], np.array(COUNTS)[[1]]
    members = [scores("long", long), scores("short", short), scores("other", short, split="val")]
    released = {members[0].key.dataset: {"short": 5}, "another": {"long": 7}}
    table = aggregate(members, released)
    alone = table[table.aggregation == "as_released"]
    metric = "miou_frames_gt_or_predicted"
    assert alone[["split", "video", "metric"]].to_numpy().tolist() == [["test", "all", metric]]
    of_long, of_short = (value(table, "video", metric, video=each) for each in ("long", "short"))
    assert of_long != of_short
    assert alone.value.item() == pytest.approx((3 * of_long + 5 * of_short) / 8)
    assert "as_released" not in set(aggregate(members).aggregation)


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


# Class b is a thing: in frame 0 an object of two pixels and one of one; c is stuff.
INSTANCES = np.array([[[0, 0, 1], [1, 2, 0]], [[0, 0, 0], [0, 0, 0]]], np.uint16)
SPACE = ClassSpace(tuple(CLASSES), things=("b",))
KINDS = {task: statistics_of(task).kind for task in ("semantic", "instance", "panoptic")}


@pytest.fixture
def video(tmp_path):
    """Two labelled frames of three, and where their predictions are to be."""
    image = np.zeros((2, 3, 3), np.uint8)
    frames = [
        SourceFrame("0", image, LABELS[0], INSTANCES[0]),
        SourceFrame("1", image),
        SourceFrame("2", image, LABELS[1], INSTANCES[1]),
    ]
    path = tmp_path / "frames.h5"
    store_frames(path, frames, classes=CLASSES, things=SPACE.things)
    return path, tmp_path / "predictions.h5"


def predicted(task, frame, updates=2):
    """What is predicted of a frame of the video; after 1 update it is worse than after 2."""
    place = frame // 2
    if task == "semantic":
        return PREDICTED[place] if updates > 1 else np.zeros_like(PREDICTED[place])
    labels, instances = np.where(LABELS[place] == V, 2, LABELS[place]), INSTANCES[place]
    if task == "panoptic":
        instances = instances if updates > 1 else np.minimum(instances, 1)
        return panoptic_from(labels, instances, SPACE)
    masks = np.stack([instances == 1, instances == 2, labels == 2])
    return instances_from(masks, [1, 1, 1], [0.5, 0.25, 0.375 * (3 - updates)])


def predict(
    path, task="semantic", *, frames=3, video="tiny_0", classes=CLASSES, ladder=(), kind=None
):
    key = JobKey("synthetic", task, "m", 0, video)

    def result(index, updates=2):
        shown = predicted(task if kind is None else kind, index, updates)
        seconds = dict.fromkeys(PHASES, 0.25 * updates)
        return FrameResult(index, shown, NAN, NAN, updates * index, seconds)

    with write_predictions(
        path,
        key,
        kind=KINDS[task if kind is None else kind],
        frames=frames,
        size=(2, 3),
        classes=classes,
        settings={"ladder": list(ladder)},
        provenance={},
    ) as writer:
        for rung in ladder[:-1]:
            for index in range(frames):
                writer.add_to_rung(rung, result(index, rung))
        for index in range(frames):
            writer.add(result(index))


def scored(video, task, **options):
    path, predictions = video
    predict(predictions, task, **options)
    with FrameStore(path) as store, PredictionReader(predictions) as reader:
        return score_video(store, reader, "test")


def contents_of(scores):
    """Return scores as values that can be compared bit for bit."""
    values = {field.name: getattr(scores, field.name) for field in dataclasses.fields(Scores)}
    values["statistics"] = scores.statistics.arrays()
    values["ladder"] = {rung: each.arrays() for rung, each in scores.ladder.items()}
    values["costs"] = {rung: vars(each) for rung, each in scores.costs.items()}
    return {**values, "space": scores.space}


@pytest.mark.parametrize("ladder", [(), (1, 2)], ids=["streamed", "offline"])
@pytest.mark.parametrize("task", KINDS)
def test_scores_of_a_video_are_of_its_labelled_frames_and_survive_the_file(
    video, tmp_path, task, ladder
):
    made = scored(video, task, ladder=ladder)
    write_scores(tmp_path / "scores.h5", made, {"made": "here"})
    read = read_scores(tmp_path / "scores.h5")
    np.testing.assert_equal(contents_of(read), contents_of(made))
    assert (made.key.video, made.key.task, made.split, made.fps) == ("tiny_0", task, "test", 10)
    assert made.space == SPACE
    assert made.index.tolist() == [0, 2]
    assert made.skipped_steps.tolist() == [0, 2, 4]
    assert made.wall_time["adapt"].tolist() == [2.5] * 3
    assert made.score_time.shape == (2,)
    assert (made.score_time > 0).all()
    with FrameStore(video[0]) as store:
        label = {
            "semantic": store.semantic,
            "instance": store.instances,
            "panoptic": store.panoptic,
        }
        alone = [frame_value(task, predicted(task, i), label[task](i), SPACE) for i in (0, 2)]
    np.testing.assert_equal(read.statistics.frame_values(), alone)
    np.testing.assert_equal(read.statistics.metrics(), made.statistics.metrics())
    if task == "semantic":
        assert read.statistics.confusion.tolist() == COUNTS
    if ladder:
        assert list(read.ladder) == [1, 2]
        np.testing.assert_equal(contents_of(read.after(2)), contents_of(read))
        # The first rung has the cost of its own updates and predictions.
        early = read.after(1)
        assert early.wall_time["adapt"].tolist() == [1.25] * 3
        assert early.wall_time["predict"].tolist() == [0.25] * 3
        assert (early.wall_time["write"] > 0).all()
        assert early.skipped_steps.tolist() == [0, 1, 2]
        assert (early.score_time > 0).all()
        assert not np.array_equal(early.score_time, read.score_time)
        # The second rung is the better one by the metric of the task.
        first, second = (
            each.metrics()[headline(task).pooled] for each in (read.ladder[1], read.ladder[2])
        )
        assert second > first
        assert read.after(1).oracle().iteration == 2


def test_videos_of_other_tasks_are_pooled_by_their_statistics():
    """Two objects in video x, found; one in y, missed behind a wrong one; none in z."""
    found, wrong = (np.array([[column == place for column in range(4)]]) for place in (0, 3))
    two = instances_from(np.stack([found, wrong]), [1, 1])
    one, none = instances_from(found[None], [1]), instances_from(found[None][:0], [])
    pairs = {
        "x": (two, instances_from(two.pixels(), [1, 1], [0.5, 0.5])),
        "y": (one, instances_from(wrong[None], [1], [0.75])),
        "z": (none, none),
    }
    kind = statistics_of("instance")
    members = [
        dataclasses.replace(
            scores(name, COUNTS[:1]),
            key=JobKey("d", "instance", "m", 0, name),
            statistics=kind.of_frames([pair], SPACE),
        )
        for name, pair in pairs.items()
    ]
    table = aggregate(members)
    assert value(table, "video", "ap_pooled", video="x") == pytest.approx(1)
    assert value(table, "video", "ap_pooled", video="y") == 0
    # Wrong, right, right of three objects: recall 2/3, that is 67 of the 101 points of recall that
    # COCO averages, with a precision of 2/3.
    assert value(table, "pooled", "ap_pooled") == pytest.approx(67 / 101 * 2 / 3)
    assert value(table, "pooled", "ap_frames") == pytest.approx(1 / 2)
    assert value(table, "pooled", "frames_undefined") == 1
    for video in ("video", "frame_weighted"):
        undefined = table[(table.aggregation == video) & (table.metric == "ap_pooled")].value
        assert np.isnan(undefined.iloc[-1])


def test_the_oracle_does_not_take_a_rung_without_a_value():
    last = scores()
    undefined = dataclasses.replace(
        last.statistics, confusion=np.zeros_like(last.statistics.confusion)
    )
    ladder = {1: undefined, 2: last.statistics}
    cost = Cost(last.wall_time, last.skipped_steps, last.score_time)
    offline = dataclasses.replace(last, ladder=ladder, costs={1: cost, 2: cost}, iteration=2)
    assert offline.oracle().iteration == 2


def test_the_seconds_of_scoring_and_the_memory_of_a_gpu_are_nan_where_there_are_none():
    members = [scores("x", COUNTS[:1]), scores("y", COUNTS[1:])]
    table = aggregate(members)
    for aggregation in ("pooled", "frame_weighted"):
        for metric in ("wall_time_score", "peak_gpu_memory_bytes"):
            assert np.isnan(value(table, aggregation, metric))
    one = dataclasses.replace(members[0], peak_gpu_memory=7.0, score_time=np.array([0.25]))
    table = aggregate([one, dataclasses.replace(members[1], score_time=np.array([0.75]))])
    for aggregation in ("pooled", "frame_weighted"):
        assert value(table, aggregation, "wall_time_score") == 0.5
        assert value(table, aggregation, "peak_gpu_memory_bytes") == 7
        assert value(table, aggregation, "peak_memory_bytes") == 1000


def test_a_file_of_scores_names_the_commit_that_made_it(video, tmp_path):
    path, predictions = video
    predict(predictions)
    score_predictions(ScoringJob(path, predictions, "test", tmp_path / "scores.h5"))
    with h5py.File(tmp_path / "scores.h5") as file:
        made = json.loads(file.attrs["provenance"])
    assert source_tree().items() <= made.items()
    assert made["predictions"] == {}


def test_predictions_of_another_kind_are_not_scored(video):
    message = r"predictions\.h5: .* 'classes', but the task 'panoptic' is scored on 'panoptic'"
    with pytest.raises(InputError, match=message):
        scored(video, "panoptic", kind="semantic")


@pytest.mark.parametrize("task", ["instance", "panoptic"])
def test_hyperparameters_are_selected_by_any_metric(video, tmp_path, task):
    write_scores(tmp_path / "scores.h5", scored(video, task, ladder=(1, 2)), {})
    metric = headline(task).pooled
    words = [
        "select", "--method", "m", "--trial",
        json.dumps({"values": {"batch": 2}, "scores": [str(tmp_path / "scores.h5")]}),
        "--grid", str(tmp_path / "grid.csv"), "--output", str(tmp_path / "selected.json"),
    ]  # fmt: skip
    main([*words, "--metric", metric])
    chosen = json.loads((tmp_path / "selected.json").read_text())
    assert (chosen["metric"], chosen["iteration"]) == (metric, 2)
    grid = pd.read_csv(tmp_path / "grid.csv")
    assert grid[metric].iloc[1] == pytest.approx(chosen["value"])
    assert grid[metric].iloc[0] < grid[metric].iloc[1]


def test_selecting_by_a_metric_that_the_task_lacks_is_bad_input(video, tmp_path, capsys):
    write_scores(tmp_path / "scores.h5", scored(video, "panoptic"), {})
    trial = json.dumps({"values": {}, "scores": [str(tmp_path / "scores.h5")]})
    outputs = ["--grid", str(tmp_path / "grid.csv"), "--output", str(tmp_path / "selected.json")]
    with pytest.raises(SystemExit):
        main(["select", "--method", "m", "--trial", trial, *outputs, "--metric", "pq_poled"])
    message = "no metric 'pq_poled' of the task 'panoptic'; did you mean 'pq_pooled'?"
    assert message in capsys.readouterr().err


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
    path = store_frames(tmp_path / "frames.h5", frames, classes=CLASSES, things=())
    predict(tmp_path / "predictions.h5")
    with (
        FrameStore(path) as store,
        PredictionReader(tmp_path / "predictions.h5") as predictions,
        pytest.raises(InputError, match="no frame of 'tiny_0' is labelled"),
    ):
        score_video(store, predictions, "test")
