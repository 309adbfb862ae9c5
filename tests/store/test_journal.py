"""The journal of a prediction job: what it replays after a kill, and what it takes for its own."""

import json

import h5py
import numpy as np
import pytest

from support import FRAMES, SIZE, VIDEO
from videottt.core.frame_result import ADAPT_PHASES, PHASES, FrameResult
from videottt.core.ids import JobKey
from videottt.store.frames import FrameStore
from videottt.store.journal import PredictionJob, open_journal
from videottt.store.predictions import PredictionReader

JOB = PredictionJob(
    JobKey("synthetic", "semantic", "offline", 0, VIDEO), "classes", {"ladder": (1, 2)},
    {"code": "the same", "threads": 1},
)  # fmt: skip
SECONDS = {1: 2.0, 2: 5.0}


class Killed(Exception):
    """What ends a job in the middle."""


def result(index, rung):
    seconds = dict.fromkeys(PHASES, SECONDS[rung])
    return FrameResult(index, np.full(SIZE, rung, np.uint8), 0.5, 1.0, rung, seconds)


def run(store_path, folder, kill=None):
    """Predict both rungs; return how many of the results had been saved before."""
    with FrameStore(store_path) as store, open_journal(
        folder / "out.h5", JOB, store, state=folder / "state", save_every=0
    ) as journal:  # fmt: skip
        done = resumed = (journal.resume() or {"done": 0})["done"]
        order = [(rung, index) for rung in (1, 2) for index in range(FRAMES)]
        for rung, index in order[done:]:
            if rung == 1:
                journal.add_to_rung(rung, result(index, rung))
            else:
                journal.add(result(index, rung))
            done += 1
            journal.save_if_due(lambda done=done: {"done": done})
            if done == kill:
                raise Killed
        journal.peak_memory(5, float("nan"))
    return resumed


@pytest.fixture
def commit(monkeypatch):
    """Return what sets the commit of the source tree."""
    return lambda name: monkeypatch.setattr(
        "videottt.core.provenance.source_tree", lambda: {"commit": name, "dirty": False}
    )


def test_every_rung_keeps_its_seconds_and_skipped_steps_over_kills(store_path, tmp_path):
    for kill in (FRAMES // 2, FRAMES + 2):
        with pytest.raises(Killed):
            run(store_path, tmp_path, kill)
    assert run(store_path, tmp_path) == FRAMES + 2
    with PredictionReader(tmp_path / "out.h5") as reader:
        for rung, seconds in SECONDS.items():
            assert reader.wall_time("predict", rung).tolist() == [seconds] * FRAMES
            learning = seconds * len(ADAPT_PHASES)
            assert reader.wall_time("adapt", rung).tolist() == [learning] * FRAMES
            assert (reader.wall_time("write", rung) > 0).all()
            assert reader.number("skipped_steps", rung).tolist() == [rung] * FRAMES
            assert (reader.prediction_after(rung, FRAMES - 1) == rung).all()


def test_a_commit_is_recorded_and_throws_no_state_and_no_output_away(store_path, tmp_path, commit):
    commit("before")
    with pytest.raises(Killed):
        run(store_path, tmp_path, kill=3)
    commit("after")
    assert run(store_path, tmp_path) == 3
    with h5py.File(tmp_path / "out.h5") as file:
        made = json.loads(file.attrs["provenance"])
    assert made == {"code": "the same", "threads": 1, "commit": "after", "dirty": False}
    commit("later")
    assert JOB.is_made(tmp_path / "out.h5")
    changed = PredictionJob(JOB.key, JOB.kind, JOB.settings, {**JOB.provenance, "code": "another"})
    assert not changed.is_made(tmp_path / "out.h5")
