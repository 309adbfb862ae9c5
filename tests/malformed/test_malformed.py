"""Every malformed input is one clear line and a failure: no output and no process is left."""

import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from malformed import (
    annotations,
    configs,
    downloads,
    pictures,
    settings,
    sheets,
    stores,
    videos,
    weights,
)
from malformed.case import Whole
from support import FRAMES, SIZE, VIDEO
from videottt.cli import main
from videottt.core.errors import InputError
from videottt.core.frame_result import PHASES, FrameResult
from videottt.core.ids import JobKey
from videottt.core.settings import with_values
from videottt.data.layouts.kitti_step import CITYSCAPES
from videottt.store.predictions import write_predictions
from videottt.study.layers import Layers
from videottt.study.validation import validate

THEMES = (pictures, annotations, videos, stores, weights, sheets, settings, downloads, configs)
CATALOGUE = [case for theme in THEMES for case in theme.CASES]
# One line; argparse puts the usage before it.
LINE = re.compile(r"videottt(?: [\w-]+)?: error: (.+)")
# Cases that a process of its own meets too: of each verb one, and of videos one that runs ffmpeg.
ALONE = (
    "PNG: truncated",
    "video: damaged inside",
    "frame store: a damaged frame",
    "predictions: a damaged map",
    "scores: truncated",
    "foreign checkpoint: a pickle that runs a command",
    "metrics: a row twice",
    "selection: an unknown metric",
    "download: a zip cut off",
    "config.yaml: a tab",
)


@pytest.fixture(scope="session")
def whole(store_path, main_task_checkpoint, source_frames, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    names = {"predictions": "predictions.h5", "scores": "scores.h5", "metrics": "metrics.csv"}
    made = {name: folder / file for name, file in names.items()}
    with write_predictions(
        made["predictions"], JobKey("synthetic", "semantic", "m", 0, VIDEO),
        kind="classes", frames=FRAMES, size=SIZE, classes=CITYSCAPES, settings={}, provenance={},
    ) as writer:  # fmt: skip
        for index, frame in enumerate(source_frames):
            seconds = dict.fromkeys(PHASES, 0.0)
            writer.add(FrameResult(index, frame.semantic, 0.5, 0.5, 0, seconds))
    main(["score", "--frames", str(store_path), "--predictions", str(made["predictions"]),
          "--split", "test", "--output", str(made["scores"])])  # fmt: skip
    main(["aggregate", "--scores", str(made["scores"]), "--output", str(made["metrics"])])
    return Whole(store_path, main_task_checkpoint, **made)


def state_of(folder):
    """Return all that is in a folder, hidden or not."""
    return {
        path.relative_to(folder): path.is_file() and hashlib.sha256(path.read_bytes()).digest()
        for path in folder.rglob("*")
    }


def assert_nothing_is_left(case, folder, before):
    """Check that all is as it was, but for what a verb keeps about its input."""
    now = state_of(folder)
    new = {path for path in now.keys() - before.keys() if not any(map(path.match, case.keeps))}
    assert not new
    assert {path: now.get(path) for path in before} == before


def read(path):
    """Return what a file of the system says; nothing if it is gone or another's."""
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def children():
    """Return the processes that this one has started and that are not gone."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        text = read(path)
        if text and int(text.rpartition(")")[2].split()[1]) == os.getpid():
            found.add(int(path.parent.name))
    return found


def complaint(text):
    """Return the one line of an error that standard error ends with."""
    assert "Traceback" not in text
    errors = [line for line in text.splitlines() if ": error: " in line]
    assert len(errors) == 1, text
    assert text.splitlines()[-1] == errors[0]
    return LINE.fullmatch(errors[0])[1]


@pytest.mark.parametrize("case", CATALOGUE, ids=[case.id for case in CATALOGUE])
def test_a_malformed_input_is_one_line_and_leaves_nothing(case, whole, tmp_path, capfd):
    (tmp_path / "out").mkdir()
    words = case.make(tmp_path, whole)
    before, running = state_of(tmp_path), children()
    capfd.readouterr()
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    said = capfd.readouterr()
    assert said.out == ""
    assert re.search(case.says, complaint(said.err)), said.err
    assert_nothing_is_left(case, tmp_path, before)
    assert children() <= running


@pytest.mark.parametrize("name", ALONE)
def test_a_process_of_its_own_fails_and_leaves_no_other(name, whole, tmp_path):
    (case,) = (each for each in CATALOGUE if each.id == name)
    (tmp_path / "out").mkdir()
    words = case.make(tmp_path, whole)
    before, mark = state_of(tmp_path), f"VIDEOTTT_TEST_MARK={tmp_path}"
    ended = subprocess.run(
        [sys.executable, "-m", "videottt", *words],
        env={**os.environ, "VIDEOTTT_TEST_MARK": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 2
    assert re.search(case.says, complaint(ended.stderr))
    assert_nothing_is_left(case, tmp_path, before)
    assert not [path for path in Path("/proc").glob("[0-9]*/environ") if mark in read(path)]


@pytest.mark.parametrize("name", configs.CHANGES)
def test_a_malformed_configuration_is_refused_before_anything_runs(name, config):
    changes, says = configs.CHANGES[name]
    with pytest.raises(InputError, match=says) as caught:
        validate(Layers(with_values(config, changes)))
    assert len(str(caught.value).splitlines()) == 1


def test_the_catalogue_names_every_case_once():
    assert len({case.id for case in CATALOGUE}) == len(CATALOGUE) >= 60
