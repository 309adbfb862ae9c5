"""Scores after several numbers of offline updates."""

import dataclasses

import numpy as np
import pytest

from videottt.core.errors import InputError
from videottt.core.ids import JobKey
from videottt.core.segments import ClassSpace
from videottt.evaluation.aggregation import aggregate
from videottt.evaluation.metrics.semantic import ConfusionCounts
from videottt.evaluation.scores import Cost, Scores, read_scores, write_scores
from videottt.store.predictions import WALL_TIMES


def scores_of(video, hits, **changes):
    """Scores of ten pixels of class 0 a frame, of which `hits` are right, after 1, 2, 3 updates."""
    space = ClassSpace(("road", "sky"))
    ladder = {
        updates: ConfusionCounts(space, np.array([[[hit, 10 - hit], [0, 10]]]))
        for updates, hit in enumerate(hits, start=1)
    }
    # Learning takes half a second an update and frame, all else a quarter; in rung 2, one is
    # skipped.
    costs = {
        updates: Cost(
            {name: np.full(4, updates / 2 if name == "adapt" else 0.25) for name in WALL_TIMES},
            np.array([updates // 2, 0, 0, 0]),
            np.array([updates / 8]),
        )
        for updates in ladder
    }
    values = {
        "split": "test",
        "fps": 10.0,
        "index": np.array([0]),
        "statistics": ladder[3],
        **vars(costs[3]),
        "resets": np.array([0, 1, 0, 1]),
        "peak_memory": 100 * hits[0],
        "ladder": ladder,
        "costs": costs,
        "iteration": 3,
    }
    key = JobKey("synthetic", "semantic", "offline", 0, video)
    return Scores(key, **{**values, **changes})


def metric(table, name, aggregation="pooled", video="all"):
    chosen = table[(table.metric == name) & (table.aggregation == aggregation)]
    return chosen[chosen.video == video].value.item()


def test_the_oracle_takes_the_best_rung_of_each_video(tmp_path):
    scores = [scores_of("a", (4, 8, 6)), scores_of("b", (9, 1, 7))]
    best = [each.oracle() for each in scores]
    assert [each.iteration for each in best] == [2, 1]
    assert [int(each.statistics.confusion[0, 0, 0]) for each in best] == [8, 9]
    table = aggregate(best)
    assert metric(table, "iteration", "video", "a") == 2
    for aggregation in ("pooled", "frame_weighted"):
        assert np.isnan(metric(table, "iteration", aggregation))
        assert metric(table, "resets", aggregation) == 4
        assert metric(table, "peak_memory_bytes", aggregation) == 900
    # The seconds, too, are those of the rung that each video takes: on average 1.5 updates.
    assert metric(table, "wall_time_adapt", "video", "a") == 1
    assert metric(table, "wall_time_adapt", "video", "b") == 0.5
    assert metric(table, "wall_time_adapt") == 0.75
    assert metric(table, "seconds_per_frame") == 1
    assert metric(table, "wall_time_score") == (1 / 4 + 1 / 8) / 2
    assert metric(table, "skipped_steps") == 1
    last = aggregate(scores)
    assert metric(last, "seconds_per_frame") == 1.75
    # Road: 17 of 20, nothing else called road; sky: 20, and 3 called so wrongly.
    assert metric(table, "miou_pooled") == pytest.approx((17 / 20 + 20 / 23) / 2)
    assert metric(aggregate(each.after(3) for each in scores), "iteration") == 3
    with pytest.raises(InputError, match=r"no scores after 4 updates; its ladder is \[1, 2, 3\]"):
        scores[0].after(4)
    with pytest.raises(InputError, match="offline: no scores"):
        dataclasses.replace(scores[0], ladder={}, iteration=None).oracle()

    path = tmp_path / "scores.h5"
    write_scores(path, best[0], {})
    read = read_scores(path)
    for field in dataclasses.fields(Scores):
        if field.name not in ("statistics", "ladder", "costs"):
            np.testing.assert_equal(getattr(read, field.name), getattr(best[0], field.name))
    assert read.space == best[0].space
    for one, other in (
        (read.statistics, best[0].statistics),
        *((read.ladder[rung], best[0].ladder[rung]) for rung in (1, 2, 3)),
    ):
        assert np.array_equal(one.confusion, other.confusion)
    for rung, cost in scores[0].costs.items():
        np.testing.assert_equal(vars(read.costs[rung]), vars(cost))
    assert read.after(3).iteration == 3
    assert read.after(3).wall_time["adapt"].tolist() == [1.5] * 4
    streamed = dataclasses.replace(scores[0], ladder={}, costs={}, iteration=None)
    write_scores(path, streamed, {})
    read = read_scores(path)
    assert (read.ladder, read.costs, read.iteration) == ({}, {}, None)
    assert np.isnan(metric(aggregate([streamed]), "iteration"))
