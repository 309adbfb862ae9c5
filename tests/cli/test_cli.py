"""The verbs, one after the other, as the rules call them."""

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from support import SIZE, SPACE, VIDEO, contents, store_frames
from verbs import INGEST, ONLINE, TRAIN, call, ingest, predict, train
from videottt.cli import main
from videottt.core.ids import MethodId
from videottt.core.settings import with_values
from videottt.data.layouts import kitti_step
from videottt.data.layouts.kitti_step import CITYSCAPES
from videottt.evaluation.scores import read_scores
from videottt.models.checkpoint import load_checkpoint
from videottt.store.frames import FrameStore
from videottt.store.predictions import PredictionReader
from videottt.store.source_frame import SourceFrame
from videottt.study.job_settings import method_settings

OFFLINE = {
    **ONLINE,
    "order": "offline",
    "ladder": [1, 2, 3],
    "optimizer": {"learning_rate": 1e-2, "gradient_clip": None},
}
RENDER = {
    "size": list(SIZE),
    "seed": 0,
    "frames": 3,
    "phases": [{"place": "park", "light": "day"}, {"place": "park", "light": "dusk"}],
}


@pytest.fixture(scope="module")
def root(source_frames, tmp_path_factory):
    """The tiny video in KITTI-STEP's layout."""
    folder = tmp_path_factory.mktemp("kitti")
    kitti_step.write(folder, "test", VIDEO, source_frames, SPACE)
    return folder


def test_every_verb_from_files_on_disk_to_selected_settings(root, source_frames, tmp_path):
    frames, joint, out = (tmp_path / name for name in ("v.h5", "joint.safetensors", "out"))
    ingest(root, frames)
    with FrameStore(frames) as store:
        assert len(store) == len(source_frames)
        assert np.array_equal(store.semantic(5), source_frames[5].semantic)
    train(frames, joint, state=tmp_path / "states")
    assert load_checkpoint(joint).classes == list(CITYSCAPES)
    history = pd.read_csv(joint.with_suffix(".csv"))
    assert history.iteration.tolist() == [0, 1, 2, 3]
    assert list((tmp_path / "states").glob("*")) == []

    for name, rate in (("slow", 0.0), ("fast", 1e-3)):
        settings = with_values(ONLINE, {"optimizer.learning_rate": rate})
        predict(frames, joint, out / f"{name}.h5", settings=settings)
        call("score", frames=frames, predictions=out / f"{name}.h5", split="test", method=name,
             output=out / f"{name}.scores.h5")  # fmt: skip
    found = read_scores(out / "fast.scores.h5")
    assert found.statistics.confusion.sum() == sum(frame.semantic.size for frame in source_frames)
    call("aggregate", scores=[out / "slow.scores.h5", out / "fast.scores.h5"], output=out / "t.csv")
    # The same files, named by a pattern: thousands are more than a command line holds.
    call("aggregate", scores=out / "{name}.scores.h5", of='[{"name": ["slow", "fast"]}]',
         output=out / "u.csv")  # fmt: skip
    assert (out / "u.csv").read_bytes() == (out / "t.csv").read_bytes()
    table = pd.read_csv(out / "t.csv")
    assert set(table.aggregation) == {"video", "pooled", "frame_weighted"}
    assert {"miou_pooled", "miou_frames", "iou:road", "seconds_per_frame"} <= set(table.metric)

    trials = [
        {"values": {"optimizer.learning_rate": rate}, "scores": [str(out / f"{name}.scores.h5")]}
        for name, rate in (("slow", 0.0), ("fast", 1e-3))
    ]
    main([
        "select", "--method", "online_ttt_mae", "--metric", "miou_pooled",
        "--trial", json.dumps(trials[0]), "--trial", json.dumps(trials[1]),
        "--grid", str(out / "grid.csv"), "--output", str(out / "selected.json"),
    ])  # fmt: skip
    chosen = json.loads((out / "selected.json").read_text())
    grid = pd.read_csv(out / "grid.csv")
    best = grid.loc[grid.miou_pooled.idxmax()]
    assert chosen["selected"] == {"optimizer.learning_rate": best["optimizer.learning_rate"]}
    assert chosen["value"] == pytest.approx(best.miou_pooled)
    predict(frames, joint, out / "chosen.h5", selection=out / "selected.json")
    with PredictionReader(out / "chosen.h5") as reader:
        assert reader.settings["optimizer"]["learning_rate"] == best["optimizer.learning_rate"]
        assert reader.provenance["selected"] == chosen["selected"]


def test_predictions_of_another_job_are_never_scored(
    store_path, joint_checkpoint, tmp_path, capsys
):
    predict(store_path, joint_checkpoint, tmp_path / "p.h5")
    with PredictionReader(tmp_path / "p.h5") as made:
        ids = dict(vars(made.key))
    words = {"frames": store_path, "predictions": tmp_path / "p.h5", "split": "test"}
    call("score", **words, job=json.dumps(ids), output=tmp_path / "s.h5")
    capsys.readouterr()
    for name in ids:
        with pytest.raises(SystemExit):
            call("score", **words, job=json.dumps({**ids, name: 9}), output=tmp_path / "t.h5")
        assert f"p.h5: its {name} is '{ids[name]}', not '9'" in capsys.readouterr().err
    assert not (tmp_path / "t.h5").exists()


def test_joint_training_starts_from_encoder_and_head_of_another_checkpoint(store_path, tmp_path):
    main_task, joint = tmp_path / "main.safetensors", tmp_path / "joint.safetensors"
    settings = with_values(TRAIN, {"training.reconstruction": False, "training.iterations": 1})
    train(store_path, main_task, settings=settings)
    assert not load_checkpoint(main_task).has_decoder
    still = with_values(TRAIN, {"training.learning_rate": 0.0, "training.iterations": 1})
    train(store_path, joint, settings=still, initial=main_task, seed=5)
    first, second = load_checkpoint(main_task), load_checkpoint(joint)
    assert second.has_decoder
    for branch in ("encoder", "head"):
        states = [getattr(each.model, branch).state_dict() for each in (first, second)]
        assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_an_interrupted_training_is_resumed_and_ends_the_same(
    store_path, tmp_path, monkeypatch, capfd, caplog
):
    import videottt.core.progress

    caplog.set_level("INFO")
    whole, resumed, states = tmp_path / "a.safetensors", tmp_path / "b.safetensors", tmp_path / "s"
    train(store_path, whole)
    report = videottt.core.progress.Progress.report

    def stopped(self, done, detail=""):
        if done == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        report(self, done, detail)

    monkeypatch.setattr(videottt.core.progress.Progress, "report", stopped)
    with pytest.raises(SystemExit) as caught:
        train(store_path, resumed, state=states)
    assert caught.value.code == 75
    assert capfd.readouterr().err.splitlines()[-1] == (
        "videottt: stopped by SIGTERM: the state is saved, the same command goes on from it"
    )
    assert len(list(states.iterdir())) == 1
    assert not resumed.exists()
    monkeypatch.setattr(videottt.core.progress.Progress, "report", report)
    train(store_path, resumed, state=states)
    # The processes of a training agree on when to stop with the losses of the next iteration.
    assert "resuming after iteration 3" in caplog.text
    assert list(states.iterdir()) == []
    assert resumed.read_bytes() == whole.read_bytes()
    assert resumed.with_suffix(".csv").read_text() == whole.with_suffix(".csv").read_text()


def test_two_predictions_of_one_job_are_equal_but_for_their_seconds(
    store_path, joint_checkpoint, tmp_path
):
    made = []
    for name in ("a.h5", "b.h5"):
        predict(store_path, joint_checkpoint, tmp_path / name)
        made.append(contents(tmp_path / name, without=["wall_time", "memory"]))
    assert made[0] == made[1]
    assert {"prediction/map", "loss", "look/pixels"} <= made[0].keys()


@pytest.mark.parametrize(
    ("task", "settings"),
    [
        ("semantic", ONLINE),
        ("semantic", OFFLINE),
        ("panoptic", ONLINE),
        ("instance", ONLINE),
        ("instance", OFFLINE),
    ],
    ids=["online", "offline", "panoptic", "instance", "instance offline"],
)
def test_labels_do_not_reach_a_prediction(
    store_path, joint_checkpoint, source_frames, tmp_path, task, settings
):
    from dataclasses import replace

    unlabelled = [replace(each, semantic=None, instance=None) for each in source_frames]
    bare = store_frames(tmp_path / "bare.h5", unlabelled)
    made = []
    for name, frames in (("a.h5", store_path), ("b.h5", bare)):
        predict(frames, joint_checkpoint, tmp_path / name, settings=settings, task=task)
        made.append(contents(tmp_path / name, without=["wall_time", "memory"]))
        del made[-1]["attributes"]["provenance"]
    assert made[0] == made[1]


def test_phases_add_up_and_looks_are_spread_over_the_video(store_path, joint_checkpoint, tmp_path):
    predict(store_path, joint_checkpoint, tmp_path / "x.h5", looks=3)
    with PredictionReader(tmp_path / "x.h5") as reader:
        parts = ("reset", "sample", "forward", "backward", "optimizer")
        assert np.allclose(
            reader.wall_time("adapt"), sum(reader.wall_time(f"adapt_{p}") for p in parts)
        )
        for name in ("load", "predict", "write", "adapt_forward", "adapt_backward"):
            assert (reader.wall_time(name) > 0).all(), name
        assert [index for index, _, _ in reader.looks()] == [3, 6, 8]
        assert np.isfinite(reader.number("loss")).all()


def test_every_method_of_the_paper_runs_as_the_config_has_it(
    config, source_frames, joint_checkpoint, main_task_checkpoint, tmp_path
):
    short = [SourceFrame(each.name, each.image[16:48, 16:80]) for each in source_frames[:2]]
    frames = store_frames(tmp_path / "short.h5", short)
    checkpoint = {
        "main_task": main_task_checkpoint,
        "main_task_continued": main_task_checkpoint,
        "joint": joint_checkpoint,
    }
    finite = {}
    learning = {m: each for m, each in config["methods"].items() if "checkpoint" in each}
    for method, entry in learning.items():
        settings = method_settings(config, "synthetic", MethodId(method))
        small = {"shortest_edge": 32, "ladder": [1, 2], "votes": 2}
        small = {name: value for name, value in small.items() if name in settings}
        if "batch" in settings:
            small["batch"] = 1
        path = tmp_path / f"{method}.h5"
        predict(frames, checkpoint[entry["checkpoint"]], path, method=method,
                settings=with_values(settings, small), looks=1)  # fmt: skip
        with PredictionReader(path) as reader:
            assert reader.key.method == method
            assert reader.ladder == small.get("ladder", [])
            assert len(reader.looks()) == (entry["checkpoint"] == "joint")
            finite[method] = bool(np.isfinite(reader.number("loss")).all())
    by_gradient = {"mae", "tent", "self_train"}
    for method, entry in learning.items():
        online = entry.get("order") != "offline"
        assert finite[method] == (entry["objective"] in by_gradient and online), method


@pytest.fixture(scope="module")
def offline_predictions(store_path, joint_checkpoint, tmp_path_factory):
    path = tmp_path_factory.mktemp("offline") / "offline.h5"
    predict(store_path, joint_checkpoint, path, method="offline", settings=OFFLINE)
    return path


def test_the_iteration_of_an_offline_method_is_a_number_the_oracles_or_selected(
    store_path, offline_predictions, tmp_path
):
    def scored(name, **options):
        path = tmp_path / f"{name}.h5"
        call("score", frames=store_path, predictions=offline_predictions, split="test",
             output=path, **options)  # fmt: skip
        return read_scores(path)

    with FrameStore(store_path) as store, PredictionReader(offline_predictions) as reader:
        hits = {
            rung: sum(
                (reader.prediction_after(rung, i) == store.semantic(i)).sum()
                for i in range(len(store))
            )
            for rung in (1, 2, 3)
        }
    assert len(set(hits.values())) == 3
    found = {rung: scored(rung, iteration=rung, method=f"after_{rung}") for rung in (1, 2, 3)}
    for rung, each in found.items():
        assert each.iteration == rung
        assert np.trace(each.statistics.confusion.sum(axis=0)) == hits[rung]
    last, oracle = scored("last"), scored("oracle", iteration="oracle", method="best")
    assert np.array_equal(last.statistics.confusion, found[3].statistics.confusion)
    assert oracle.key.method == "best"

    call("aggregate", scores=[tmp_path / f"{rung}.h5" for rung in found], output=tmp_path / "t.csv")
    trial = {"values": {"batch": 2}, "scores": [str(tmp_path / "last.h5")]}
    call("select", method="offline", metric="miou_pooled", trial=trial, grid=tmp_path / "grid.csv",
         output=tmp_path / "selected.json")  # fmt: skip
    grid = pd.read_csv(tmp_path / "grid.csv")
    assert grid.iteration.tolist() == [1, 2, 3]
    best = int(grid.iteration[grid.miou_pooled.idxmax()])
    assert grid.iteration[grid.selected].tolist() == [best]
    chosen = json.loads((tmp_path / "selected.json").read_text())
    assert (chosen["iteration"], chosen["trials"]) == (best, 1)
    assert oracle.iteration == best
    # A number selected elsewhere is used even where another would be better.
    other = next(rung for rung in found if rung != best)
    (tmp_path / "other.json").write_text(json.dumps({**chosen, "iteration": other}))
    picked = scored("picked", iteration="selected", selection=tmp_path / "other.json")
    assert picked.iteration == other
    assert np.array_equal(picked.statistics.confusion, found[other].statistics.confusion)


def test_a_part_of_a_source_video_can_be_ingested(root, tmp_path):
    ingest(root, tmp_path / "x.h5", settings={**INGEST, "first": "000003", "last": "000006"})
    with FrameStore(tmp_path / "x.h5") as store:
        assert store.names == ["000003", "000004", "000005", "000006"]


# Bad input


def lose_a_frame(root):
    (root / f"images/test/{VIDEO}/000001.png").unlink()


def resize_a_frame(root):
    for kind in ("images", "panoptic_maps"):
        path = root / f"{kind}/test/{VIDEO}/000002.png"
        Image.open(path).resize((96, 32), Image.Resampling.NEAREST).save(path)


def label_outside(root):
    path = root / f"panoptic_maps/test/{VIDEO}/000002.png"
    panoptic = np.asarray(Image.open(path)).copy()
    panoptic[5, 5, 0] = 77
    Image.fromarray(panoptic).save(path)


def lose_all_frames(root):
    for path in (root / f"images/test/{VIDEO}").iterdir():
        path.unlink()


def change_nothing(root):
    pass


@pytest.fixture
def complaint(capfd, tmp_path):
    """Run a call that must fail as bad input does, without output; return its one line."""

    def run(verb, *arguments, **options):
        output = tmp_path / "out" / "result"
        output.parent.mkdir()
        capfd.readouterr()
        with pytest.raises(SystemExit) as caught:
            verb(*arguments, output, **options)
        lines = capfd.readouterr().err.splitlines()
        errors = [line for line in lines if line.startswith("videottt: error: ")]
        assert caught.value.code == 2
        assert len(errors) == 1
        assert lines[-1] == errors[0]
        assert not any("Traceback" in line for line in lines)
        assert list(output.parent.iterdir()) == []
        return errors[0]

    return run


@pytest.mark.parametrize(
    ("spoil", "changes", "parts"),
    [
        (lose_a_frame, {}, ["000001.png", "missing", "restore it"]),
        (resize_a_frame, {}, ["frame '000002' of video 'tiny_0'", "96x32", "resize them"]),
        (label_outside, {}, ["000002.png", "class 77", "0..18", "255 for void", "restore it"]),
        (lose_all_frames, {}, [f"images/test/{VIDEO}", "holds no frame"]),
        (change_nothing, {"video": "tiny_1"}, ["tiny_1", "did you mean 'tiny_0'"]),
        (change_nothing, {"settings": {**INGEST, "first": "999999"}}, ["has no frames"]),
        (
            change_nothing,
            {"settings": {**INGEST, "layout": "kitti"}},
            ["did you mean 'kitti_step'"],
        ),
        (change_nothing, {"settings": {**INGEST, "frist": "000001"}}, ["frist", "first"]),
        (change_nothing, {"settings": {"fps": 10}}, ["missing"]),
        (
            change_nothing,
            {"settings": {"layout": "kitti_step", "classes": SPACE.classes}},
            ["images have no time stamps", "'fps'"],
        ),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_ingest_says_what_is_wrong_in_one_line(
    complaint, source_frames, tmp_path, spoil, changes, parts
):
    root = tmp_path / "copy"
    kitti_step.write(root, "test", VIDEO, source_frames[:4], SPACE)
    spoil(root)
    line = complaint(ingest, root, **changes)
    assert all(part in line for part in parts), line


def test_a_process_with_bad_input_exits_with_2_and_prints_one_line(tmp_path):
    words = [
        "ingest", "--dataset", "d", "--split", "s", "--video", "v", "--root", tmp_path / "none",
        "--settings", json.dumps(INGEST), "--output", tmp_path / "x.h5",
    ]  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "videottt", *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("videottt: error: ")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"settings": {**ONLINE, "widow": 4}}, ["'widow'", "did you mean 'window'"]),
        ({"settings": {**ONLINE, "optimizer": {"learningrate": 1}}}, ["mean 'learning_rate'"]),
        ({"settings": {**ONLINE, "objective": "mea"}}, ["'mea'", "did you mean 'mae'"]),
        ({"settings": {**ONLINE, "options": {"mask": 0.5}}}, ["did you mean 'mask_ratio'"]),
        ({"settings": {**ONLINE, "reset": "sometimes"}}, ["reset", "never"]),
        ({"settings": {**ONLINE, "window": 0}}, ["window", "at least 1"]),
        ({"settings": {**ONLINE, "window": "4"}}, ["window"]),
        ({"settings": {**ONLINE, "crop": [30, 64]}}, ["crop", "multiple of 32"]),
        ({"settings": {"window": 4}}, ["'objective' is missing"]),
        ({"task": "semntic"}, ["did you mean 'semantic'"]),
        ({"device": "cuda:77"}, ["cuda:77", "auto or cpu"]),
    ],
    ids=str,
)  # fmt: skip
def test_predict_says_what_is_wrong_in_one_line(
    complaint, store_path, joint_checkpoint, changes, parts
):
    def run(output, device="cpu", **changes):
        options = {"task": "semantic", "method": "online_ttt_mae", "settings": ONLINE, "seed": 0}
        call("predict", frames=store_path, checkpoint=joint_checkpoint, output=output,
             device=device, **{**options, **changes})  # fmt: skip

    line = complaint(run, **changes)
    assert all(part in line for part in parts), line


@pytest.mark.parametrize(
    ("settings", "options", "parts"),
    [
        (OFFLINE, {"iteration": 7}, ["after 7 updates", "[1, 2, 3]"]),
        (OFFLINE, {"iteration": "selected"}, ["--iteration selected needs --selection"]),
        (OFFLINE, {"iteration": "selected", "selection": "{}"}, ["selects no iteration"]),
        (OFFLINE, {"iteration": "selected", "selection": '{"iteration": null}'}, ["selects no"]),
        (ONLINE, {"iteration": "oracle"}, ["only an offline method has a ladder"]),
        (ONLINE, {"iteration": 3}, ["after 3 updates", "[]"]),
    ],
    ids=str,
)
def test_score_says_what_is_wrong_in_one_line(
    complaint, store_path, joint_checkpoint, offline_predictions, tmp_path, settings, options, parts
):
    predictions = offline_predictions
    if settings is ONLINE:
        predictions = tmp_path / "fixed.h5"
        fixed = {"objective": "none", "shortest_edge": 32, "longest_edge": 256}
        predict(store_path, joint_checkpoint, predictions, settings=fixed)
    if "selection" in options:
        (tmp_path / "s.json").write_text(options["selection"])
        options = {**options, "selection": tmp_path / "s.json"}

    def score(output):
        call("score", frames=store_path, predictions=predictions, split="test", output=output,
             **options)  # fmt: skip

    line = complaint(score)
    assert all(part in line for part in parts), line


def test_a_checkpoint_without_decoder_cannot_learn_at_test_time(
    complaint, store_path, main_task_checkpoint
):
    line = complaint(predict, store_path, main_task_checkpoint)
    assert "has no decoder g" in line
    assert "'joint' checkpoint" in line


def test_frames_of_other_classes_are_not_predicted(
    complaint, source_frames, joint_checkpoint, tmp_path
):
    classes = [*CITYSCAPES[:-1], "bike"]
    path = store_frames(tmp_path / "x.h5", source_frames[:2], classes=classes)
    assert "same classes" in complaint(predict, path, joint_checkpoint)


def test_inputs_that_are_not_there_are_named(complaint, joint_checkpoint, tmp_path):
    line = complaint(predict, tmp_path / "nothing.h5", joint_checkpoint)
    assert "nothing.h5: no such file" in line


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"settings": with_values(TRAIN, {"training.itertions": 5})}, ["mean 'iterations'"]),
        ({"settings": with_values(TRAIN, {"augmentation.crops": 5})}, ["did you mean 'crop'"]),
        ({"settings": {"training": TRAIN["training"]}}, ["augmentation"]),
        ({"model": "tny"}, ["did you mean 'tiny'"]),
    ],
    ids=["training", "augmentation", "half", "model"],
)  # fmt: skip
def test_train_says_what_is_wrong_in_one_line(complaint, store_path, changes, parts):
    line = complaint(train, store_path, **changes)
    assert all(part in line for part in parts), line


def test_a_video_is_rendered_into_a_layout_that_ingest_reads(tmp_path):
    call("render", split="test", video="v", settings=RENDER, output=tmp_path / "rendered")
    ingest(tmp_path / "rendered", tmp_path / "x.h5", video="v")
    with FrameStore(tmp_path / "x.h5") as store:
        assert len(store) == 3
        assert store.size == SIZE
        assert store.labelled.all()
    assert sorted(each.name for each in tmp_path.iterdir()) == ["rendered", "x.h5"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"frmes": 3}, "did you mean 'frames'"),
        ({"phases": [{"place": "parc", "light": "day"}]}, "did you mean 'park'"),
        ({"frames": 0}, "at least 1"),
    ],
    ids=str,
)
def test_render_says_what_is_wrong_in_one_line(complaint, changes, message):
    def run(output):
        call("render", split="test", video="v", settings={**RENDER, **changes}, output=output)

    assert message in complaint(run)
