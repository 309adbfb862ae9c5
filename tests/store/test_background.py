"""Predictions that a thread writes: the same file, the same errors, and bounded memory."""

import threading

import numpy as np
import pytest

from support import SIZE, VIDEO, contents
from videottt.core.frame_result import PHASES, FrameResult
from videottt.core.ids import JobKey
from videottt.store.background import AHEAD, BackgroundWriter, in_background
from videottt.store.predictions import PredictionReader, write_predictions

KEY = JobKey("synthetic", "semantic", "online_ttt_mae", 3, VIDEO)
FRAMES = 12


def result(index):
    labels = np.full(SIZE, index, np.uint8)
    return FrameResult(index, labels, 0.5 + index, 1.0, 0, dict.fromkeys(PHASES, 0.0))


def file_of(path):
    return write_predictions(
        path, KEY,
        kind="classes", frames=FRAMES, size=SIZE, classes=["class"] * 19,
        settings={"ladder": [1, 2]}, provenance={},
    )  # fmt: skip


def fill(writer):
    for index in range(FRAMES):
        writer.add_to_rung(1, result(index))
    for index in range(FRAMES):
        writer.add(result(index))
        writer.update(float(index))
    writer.look(3, np.ones((2, 2), bool), np.zeros((2, 2, 3), np.uint8))


def test_a_thread_writes_the_same_file(tmp_path):
    with file_of(tmp_path / "plain.h5") as writer:
        fill(writer)
    with file_of(tmp_path / "thread.h5") as writer, in_background(writer) as background:
        fill(background)
    plain, thread = (contents(tmp_path / f"{name}.h5") for name in ("plain", "thread"))
    differing = {name for name in plain if plain[name] != thread.get(name)}
    assert plain.keys() == thread.keys()
    assert differing <= {"wall_time/write", "ladder/1/wall_time/write"}
    with PredictionReader(tmp_path / "thread.h5") as reader:
        assert [int(reader.prediction(i)[0, 0]) for i in range(FRAMES)] == list(range(FRAMES))


BROKEN = FrameResult(0, np.zeros((1, 2, 3), np.uint8), 0, 0, 0, {})


def write_broken(path, error=None):
    with file_of(path) as writer, in_background(writer) as background:
        background.add(BROKEN)
        for index in range(1, FRAMES):
            if error:
                raise error
            background.add(result(index))


def test_an_error_of_the_thread_ends_the_job_and_leaves_no_file(tmp_path):
    with pytest.raises(TypeError, match="broadcast"):
        write_broken(tmp_path / "file.h5")
    assert list(tmp_path.iterdir()) == []
    assert not [each for each in threading.enumerate() if each.name == "predictions"]


def test_an_error_of_the_job_is_not_hidden_by_one_of_the_thread(tmp_path):
    with pytest.raises(KeyError, match="of the job"):
        write_broken(tmp_path / "file.h5", KeyError("of the job"))
    assert list(tmp_path.iterdir()) == []


def test_only_a_few_results_wait():
    allowed, added = threading.Semaphore(0), []

    class Slow:
        def add(self, result):
            allowed.acquire()

    background = BackgroundWriter(Slow())

    def add_all():
        for index in range(FRAMES):
            background.add(result(index))
            added.append(index)

    job = threading.Thread(target=add_all)
    job.start()
    job.join(timeout=0.5)
    # One result is with the writer, the others wait for it.
    assert len(added) == AHEAD + 1
    allowed.release(FRAMES)
    job.join()
    background.stop()
    assert len(added) == FRAMES
