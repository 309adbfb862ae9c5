import dataclasses
import json

import numpy as np
import pytest

from support import SPACE, contents, store_frames
from videottt.cli import main
from videottt.core.ids import JobKey
from videottt.core.segments import Panoptic, instances_from
from videottt.models.checkpoint import load_checkpoint
from videottt.report.figures.steps import steps_figure
from videottt.report.figures.view import scored_view
from videottt.settings.method import method_from
from videottt.store.frames import FrameStore
from videottt.store.traces import FrameTrace, read_traces, write_traces
from videottt.tasks import task_named
from videottt.ttt.stream import Stream

STEPS = 3
SETTINGS = {
    "objective": "mae",
    "window": 1,
    "reset": "every_frame",
    "batch": 2,
    "shortest_edge": 64,
    "longest_edge": 256,
    "optimizer": {"learning_rate": 1e-3, "encoder_multiplier": 1.0},
}


def command(frames, checkpoint, output, *others, settings=SETTINGS):
    files = ["--frames", str(frames), "--checkpoint", str(checkpoint), "--output", str(output)]
    ids = ["--task", "semantic", "--method", "ttt_mae_no_memory", "--seed", "0"]
    steps = ["--settings", json.dumps(settings), "--steps", str(STEPS), "--device", "cpu"]
    return ["trace", *files, *ids, *steps, *others]


def refused(capsys, arguments, output):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert not output.exists()
    return capsys.readouterr().err


@pytest.fixture(scope="module")
def traced(store_path, joint_checkpoint, tmp_path_factory):
    path = tmp_path_factory.mktemp("traces") / "traces.h5"
    main(command(store_path, joint_checkpoint, path, "--frame", "2,7"))
    return path


def test_a_trace_starts_at_the_fixed_model_and_learns(traced, store, joint_checkpoint):
    fixed = method_from({"objective": "none", "shortest_edge": 64, "longest_edge": 256})
    stream = Stream(
        load_checkpoint(joint_checkpoint).model,
        task_named("semantic", SPACE),
        fixed,
        JobKey(store.dataset, "semantic", "online_ttt_mae", 0, store.video),
    )
    frames = read_traces(traced).frames
    assert [frame.index for frame in frames] == [2, 7]
    for frame in frames:
        before = stream.step(store.frame(frame.index), frame.index)
        np.testing.assert_array_equal(frame.prediction[0], before.prediction)
        assert [each.shape for each in frame.prediction] == [store.size] * (STEPS + 1)
        assert frame.loss.shape == (STEPS + 1,)
        assert len(np.unique(frame.loss)) == STEPS + 1
        assert all((frame.pixels[step] != frame.pixels[step + 1]).any() for step in range(STEPS))
        # 80 % of the patches are masked.
        assert frame.visible.mean() == pytest.approx(0.2, abs=0.03)


def test_a_frame_learns_nothing_from_the_frames_traced_before_it(
    traced, store_path, joint_checkpoint, tmp_path
):
    main(command(store_path, joint_checkpoint, tmp_path / "t.h5", "--frame", "7"))
    (alone,) = read_traces(tmp_path / "t.h5").frames
    other = read_traces(traced).frames[1]
    for field in dataclasses.fields(alone):
        np.testing.assert_array_equal(getattr(alone, field.name), getattr(other, field.name))


def test_two_runs_agree_byte_for_byte(traced, store_path, joint_checkpoint, tmp_path):
    main(command(store_path, joint_checkpoint, tmp_path / "t.h5", "--frame", "2,7"))
    assert contents(tmp_path / "t.h5") == contents(traced)


def test_labelled_frames_are_traced_where_none_are_named(source_frames, joint_checkpoint, tmp_path):
    labelled = (1, 4, 5, 8, 11)
    frames = [
        frame if index in labelled else dataclasses.replace(frame, semantic=None, instance=None)
        for index, frame in enumerate(source_frames)
    ]
    path = store_frames(tmp_path / "sparse.h5", frames)
    main(command(path, joint_checkpoint, tmp_path / "t.h5"))
    assert [frame.index for frame in read_traces(tmp_path / "t.h5").frames] == [4, 5, 8]


def test_segments_of_each_frame_and_step_come_back(tmp_path):
    """As many objects as steps so far, so that no two predictions are alike."""
    masks = np.tril(np.ones((6, 5, 8), bool), 2) & (np.arange(8) < np.arange(1, 7)[:, None, None])
    found = {
        "instances": [instances_from(masks[:n], [n] * n, [n / 8] * n) for n in range(6)],
        "panoptic": [
            Panoptic(masks[n].astype(np.uint16), *np.array([[n]], np.uint8), np.float32([n / 8]),
                     np.zeros(1, bool))
            for n in range(6)
        ],
    }  # fmt: skip
    visible, pixels = np.ones((2, 2), bool), np.zeros((3, 2, 2, 3), np.uint8)
    for kind, predictions in found.items():
        frames = [
            FrameTrace(index, np.arange(3.0), predictions[first : first + 3], visible, pixels)
            for index, first in ((4, 0), (9, 3))
        ]
        path = tmp_path / f"{kind}.h5"
        key = JobKey("toy", "a task", "m", 0, "v")
        about = {"kind": kind, "size": (5, 8), "classes": ["a"] * 6}
        write_traces(path, key, frames, **about, settings={}, provenance={})
        traces = read_traces(path)
        assert [frame.index for frame in traces.frames] == [4, 9]
        read = [each for frame in traces.frames for each in frame.prediction]
        for each, expected in zip(read, predictions, strict=True):
            for field in dataclasses.fields(expected):
                values = getattr(each, field.name), getattr(expected, field.name)
                np.testing.assert_array_equal(*values)


def test_invalid_traces_are_refused(
    store_path, joint_checkpoint, main_task_checkpoint, tmp_path, capsys
):
    output = tmp_path / "t.h5"
    none = {"objective": "none"}
    cases = {
        "reconstructs nothing": command(store_path, joint_checkpoint, output, settings=none),
        "has no decoder g": command(store_path, main_task_checkpoint, output),
        "no frame 12; the video has frames 0 to 11": command(
            store_path, joint_checkpoint, output, "--frame", "3,12"
        ),
        "'2;7' is not numbers": command(store_path, joint_checkpoint, output, "--frame", "2;7"),
    }
    for words, arguments in cases.items():
        assert words in refused(capsys, arguments, output)


def test_steps_of_another_video_are_refused(traced, source_frames, tmp_path, capsys):
    cases = {
        "frames of 'other'": store_frames(tmp_path / "other.h5", source_frames, video="other"),
        "holds 5 frames": store_frames(tmp_path / "short.h5", source_frames[:5]),
    }
    png, pdf = tmp_path / "s.png", tmp_path / "s.pdf"
    for words, path in cases.items():
        files = ["--frames", str(path), "--traces", str(traced)]
        arguments = ["plot-steps", *files, "--png", str(png), "--pdf", str(pdf)]
        assert words in refused(capsys, arguments, png)


def test_frames_without_labels_have_a_loss_but_no_miou(source_frames, traced, tmp_path):
    frames = [dataclasses.replace(f, semantic=None, instance=None) for f in source_frames]
    with FrameStore(store_frames(tmp_path / "unlabelled.h5", frames)) as unlabelled:
        view = scored_view(unlabelled, "semantic")
        loss, share = steps_figure(view, read_traces(traced)).subfigs[1].axes
    assert np.isfinite(loss.lines[0].get_ydata()).all()
    assert np.isnan(share.lines[0].get_ydata()).all()
    assert share.texts[0].get_text() == "no labels"
