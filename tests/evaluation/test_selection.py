"""Selections: which trial is chosen, and whether a better one may lie beyond the grid."""

import json
import logging

import numpy as np
import pandas as pd
import pytest

from videottt.core.ids import JobKey
from videottt.core.segments import ClassSpace
from videottt.evaluation.metrics.semantic import ConfusionCounts
from videottt.evaluation.scores import Cost, Scores, write_scores
from videottt.evaluation.selection import Trial, at_edge, ordered, select
from videottt.report.figures.selection import read_grid
from videottt.store.predictions import WALL_TIMES

SPACE = ClassSpace(("road", "sky"))
RATE, BETWEEN = "optimizer.learning_rate", "optimizer_between_frames"


def statistics(hits):
    """Ten pixels of each of two classes in one frame, of which `hits` of the first are right."""
    return ConfusionCounts(SPACE, np.array([[[hits, 10 - hits], [0, 10]]]))


def scored(path, hits, seed=0, ladder=()):
    """Write scores; with a ladder, `hits` are right at its first rung, and fewer at the others."""
    cost = {"wall_time": {name: np.ones(1) for name in WALL_TIMES}, "score_time": np.ones(1)}
    cost["skipped_steps"] = np.zeros(1, int)
    rungs = {rung: statistics(hits - number) for number, rung in enumerate(ladder)}
    scores = Scores(
        JobKey("d", "semantic", "m", seed, "v"), "val", 1.0, np.array([0]), statistics(hits),
        resets=np.zeros(1, int), peak_memory=1, ladder=rungs,
        costs=dict.fromkeys(rungs, Cost(**cost)), iteration=ladder[0] if ladder else None, **cost,
    )  # fmt: skip
    write_scores(path, scores, {})
    return str(path)


def chosen_of(folder, trials):
    """Select from (values, hits) or (values, hits, ladder); return the JSON and the grid."""
    made = [
        Trial(values, (scored(folder / f"{number}.h5", *rest[:1], ladder=sum(rest[1:], ())),))
        for number, (values, *rest) in enumerate(trials)
    ]
    select("m", "miou_pooled", made, folder / "grid.csv", folder / "chosen.json")
    return json.loads((folder / "chosen.json").read_text()), folder / "grid.csv"


def test_a_choice_at_the_edge_of_its_grid_is_said_with_what_to_extend(tmp_path, caplog):
    trials = [
        ({RATE: rate, BETWEEN: between, "batch": 4}, hits)
        for rate, between, hits in (
            (1e-4, "rebuilt", 3), (1e-3, "rebuilt", 5), (1e-2, "rebuilt", 8),
            (1e-4, "kept", 3), (1e-3, "kept", 4), (1e-2, "kept", 2),
        )
    ]  # fmt: skip
    chosen, _ = chosen_of(tmp_path, trials)
    assert chosen["selected"] == {RATE: 1e-2, BETWEEN: "rebuilt", "batch": 4}
    assert chosen["at_edge"] == [RATE]
    (warning,) = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    for said in (f"m: the selected {RATE}, 0.01, is at the edge", "extend selection.grids.m"):
        assert said in warning
    caplog.clear()
    extended = [*trials, ({RATE: 0.1, BETWEEN: "rebuilt", "batch": 4}, 7)]
    assert chosen_of(tmp_path, extended)[0]["at_edge"] == []
    assert not caplog.records


def test_a_window_of_all_frames_is_a_value_like_others(tmp_path):
    trials = [({"window": window}, hits) for window, hits in ((None, 9), (1, 3), (16, 4), (4, 9))]
    chosen, path = chosen_of(tmp_path, trials)
    # Of equal trials the first; null in JSON, as the settings of a method have it.
    assert chosen["selected"] == {"window": None}
    assert chosen["at_edge"] == []
    assert path.read_text().splitlines()[1].startswith("all,")
    grid = read_grid(path, "miou_pooled")
    assert ordered(grid.window) == ["1", "4", "16", "all"]
    assert grid[grid.selected].window.tolist() == ["all"]


def test_the_iteration_of_an_offline_method_has_edges_too(tmp_path, caplog):
    chosen, _ = chosen_of(tmp_path, [({RATE: 1e-4}, 9, (10, 30)), ({RATE: 1e-3}, 4, (10, 30))])
    assert (chosen["iteration"], chosen["at_edge"]) == (10, [RATE, "iteration"])
    assert "m: the selected iteration, 10, is at the edge of its grid" in caplog.text
    assert "extend its ladder" in caplog.text
    # Fewer than one update is no learning.
    chosen, _ = chosen_of(tmp_path, [({RATE: 1e-4}, 9, (1, 30))])
    assert (chosen["iteration"], chosen["at_edge"]) == (1, [])


@pytest.mark.parametrize(
    ("setting", "values", "chosen", "edge"),
    [
        ("window", [1, 4, "all"], 1, False),
        ("window", [1, 4, "all"], "all", False),
        ("window", [2, 4, 16], 2, True),
        ("window", ["1", "4", "16"], "16", True),  # as read beside "all"
        ("smoothing", [1, 2, 4], 1, False),
        ("smoothing", [1, 2, 4], 4, True),
        ("options.weight", [0.0, 0.3, 1.0], 1.0, False),
        ("options.weight", [0.0, 0.3, 1.0], 0.0, False),
        ("options.weight", [0.1, 0.3, 0.9], 0.9, True),
        ("options.threshold", [0.0, 0.5, 0.8], 0.0, False),
        ("options.threshold", [0.0, 0.5, 0.8], 0.8, True),
        ("collapse.difference", [0, 1, 2], 0, False),
        (RATE, [0.0, 1e-3, 1e-2], 0.0, False),
        # A multiplier may well be larger than 1.
        ("optimizer.encoder_multiplier", [0.1, 0.3, 1.0], 1.0, True),
        (BETWEEN, ["rebuilt", "kept"], "kept", False),
        ("drop_path", [False, True], True, False),
        ("batch", [8], 8, False),
    ],
)
def test_the_end_of_what_a_setting_may_be_is_no_edge(setting, values, chosen, edge):
    grid = pd.DataFrame({setting: pd.Series(values, dtype=object)})
    grid["selected"] = grid[setting].map(lambda value: value == chosen)
    assert at_edge(grid, [setting]) == [setting] * edge


def test_a_trial_that_is_undefined_for_a_seed_is_not_chosen(tmp_path):
    """Both classes are absent in one seed of the first trial, which is perfect in the other."""
    undefined = Scores(
        JobKey("d", "semantic", "m", 1, "v"), "val", 1.0, np.array([0]),
        ConfusionCounts(SPACE, np.zeros((1, 2, 2), int)),
        wall_time={name: np.ones(1) for name in WALL_TIMES}, skipped_steps=np.zeros(1, int),
        resets=np.zeros(1, int), peak_memory=1,
    )  # fmt: skip
    write_scores(tmp_path / "undefined.h5", undefined, {})
    trials = [
        Trial({RATE: 1e-4}, (scored(tmp_path / "a.h5", 10), str(tmp_path / "undefined.h5"))),
        Trial({RATE: 1e-3}, (scored(tmp_path / "b.h5", 5), scored(tmp_path / "c.h5", 5, seed=1))),
    ]
    select("m", "miou_pooled", trials, tmp_path / "grid.csv", tmp_path / "chosen.json")
    assert json.loads((tmp_path / "chosen.json").read_text())["selected"] == {RATE: 1e-3}
    assert read_grid(tmp_path / "grid.csv", "miou_pooled").miou_pooled.isna().tolist() == [
        True, False
    ]  # fmt: skip
