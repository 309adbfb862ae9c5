import importlib.util
import re
import sys

import h5py
import numpy as np
import pandas as pd
import pytest

from support import ROOT, SIZE, store_frames
from videottt.cli import main
from videottt.core.frame_result import PHASES, FrameResult
from videottt.core.ids import JobKey
from videottt.core.segments import VOID, Panoptic, instances_from
from videottt.evaluation.crosscheck.reference import COMMIT, INSTANCE, PANOPTIC, REQUIREMENTS
from videottt.evaluation.metrics import statistics_of
from videottt.evaluation.scores import score_video, write_scores
from videottt.store.frames import FrameStore
from videottt.store.predictions import PredictionReader, write_predictions
from videottt.store.source_frame import SourceFrame

needs_detectron2 = pytest.mark.skipif(
    importlib.util.find_spec("detectron2") is None,
    reason="detectron2 cannot be imported: `videottt crosscheck` says how to get it",
)
CLASSES, THINGS = ("road", "sky", "person", "car", "nowhere"), ("person", "car", "nowhere")
NAMES = {
    "semantic": {"miou_pooled"},
    "instance": set(INSTANCE),
    "panoptic": set(PANOPTIC),
}
TASKS = list(NAMES)


def drawn_frames(seed, number=6):
    """Every other frame labelled: two stuff classes, objects of all sizes, a crowd and void."""
    random = np.random.default_rng(seed)
    for index in range(number):
        semantic, instance = np.zeros((128, 192), np.uint8), np.zeros((128, 192), np.uint16)
        semantic[:50] = 1
        for identity in range(7):  # 0 = a crowd
            edges = random.integers(8, 110, 2)
            top, left = random.integers(0, 100), random.integers(0, 150)
            place = slice(top, top + edges[0]), slice(left, left + edges[1])
            semantic[place], instance[place] = 2 + identity % 2, identity
        semantic[random.integers(0, 120) :][:8] = VOID
        instance[semantic == VOID] = 0
        image = np.zeros((128, 192, 3), np.uint8)
        labels = (semantic, instance) if index % 2 == 0 else (None, None)
        yield SourceFrame(f"{index:06d}", image, *labels)


def rendered_frames(source_frames):
    for index, frame in enumerate(source_frames):
        labels = (frame.semantic, frame.instance) if index % 4 == 0 else (None, None)
        yield SourceFrame(frame.name, frame.image, *labels)


def predicted(store, index, task, random):
    """Labels moved aside, some of their classes changed, with scores that are often equal."""
    # Frames without labels are predicted, too.
    label = statistics_of(task).label(store, index)
    by = tuple(random.integers(-6, 7, 2))
    if task == "semantic":
        moved = np.roll(label, by, (0, 1))
        return np.where(moved == VOID, random.integers(0, 4), moved).astype(np.uint8)
    number = len(label.classes)
    classes = label.classes.copy()
    # Stuff must stay stuff, and a thing a thing, for what an instance may be.
    other = random.random(number) < 0.2
    classes[other & (classes == 2)] = 3
    scores = random.integers(1, 6, number) / 5
    if task == "panoptic":
        ids = np.roll(label.ids, by, (0, 1))
        return Panoptic(ids, classes, scores.astype(np.float32), np.zeros(number, bool))
    masks = np.roll(label.pixels(), by, (1, 2))
    return instances_from(masks, classes, scores)


def write_job(folder, store_path, task, predict=predicted, *, video="tiny_0", ladder=()):
    """Predict and score a video as the program does, and return the three files."""
    paths = {
        "frames": store_path,
        "predictions": folder / f"{video}.{task}.predictions.h5",
        "scores": folder / f"{video}.{task}.scores.h5",
    }
    random = np.random.default_rng(1)

    def results(store):
        for index in range(len(store)):
            prediction = predict(store, index, task, random)
            yield FrameResult(index, prediction, 0.0, 0.0, 0, dict.fromkeys(PHASES, 0.0))

    with FrameStore(store_path) as store:
        with write_predictions(
            paths["predictions"],
            JobKey("synthetic", task, "m", 0, video),
            kind=statistics_of(task).kind,
            frames=len(store),
            size=store.size,
            classes=store.classes,
            settings={"ladder": list(ladder)},
            provenance={},
        ) as writer:
            for result in results(store):
                writer.add(result)
            for rung in ladder[:-1]:
                for result in results(store):
                    writer.add_to_rung(rung, result)
        with PredictionReader(paths["predictions"]) as predictions:
            scores = score_video(store, predictions, "test")
    write_scores(paths["scores"], scores.after(ladder[0]) if ladder else scores, {})
    return paths


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """Two videos that are drawn at random."""
    folder = tmp_path_factory.mktemp("drawn")
    return {
        video: store_frames(
            folder / f"{video}.h5", drawn_frames(seed), video=video, classes=CLASSES, things=THINGS
        )
        for seed, video in enumerate(("one", "two"))
    }


def crosscheck(folder, *jobs):
    """Run the verb, and return its table and its report."""
    arguments = ["crosscheck", "--csv", folder / "out.csv", "--markdown", folder / "out.md"]
    for kind in ("frames", "predictions", "scores"):
        arguments += [f"--{kind}", *(job[kind] for job in jobs)]
    main([str(each) for each in arguments])
    return results(folder)


def results(folder):
    table = pd.read_csv(folder / "out.csv", keep_default_na=False, na_values=["NaN"])
    return table, (folder / "out.md").read_text().splitlines()


@needs_detectron2
@pytest.mark.parametrize("task", TASKS)
def test_every_number_of_drawn_videos_agrees_by_video_and_pooled(drawn, tmp_path, task):
    jobs = [write_job(tmp_path, path, task, video=video) for video, path in drawn.items()]
    table, report = crosscheck(tmp_path, *jobs)
    assert set(table.video) == {"one", "two", "all"}
    for _, rows in table.groupby("video"):
        assert set(rows.metric) >= NAMES[task]
    headlines = table[table.metric.isin(NAMES[task])]
    assert set(headlines.agrees) == {"yes"}
    # Numbers that say something: a perfect or a hopeless prediction agrees too easily.
    assert headlines.ours.between(0.01, 0.99).mean() > 0.8
    assert headlines.ours.nunique() > 0.8 * len(headlines)
    assert "no" not in set(table.agrees)
    assert "all agree within 1e-12" in report[-1]


@needs_detectron2
def test_classes_agree_and_one_that_never_occurs_is_undefined_in_both(drawn, tmp_path):
    for task, prefix, names in (("semantic", "iou", CLASSES), ("instance", "ap", THINGS)):
        table, _ = crosscheck(tmp_path, write_job(tmp_path, drawn["one"], task, video="one"))
        rows = table[(table.video == "one") & table.metric.str.startswith(f"{prefix}:")]
        assert rows.metric.tolist() == [f"{prefix}:{name}" for name in names]
        assert set(rows.agrees) == {"yes"}
        assert rows.ours.isna().tolist() == [name == "nowhere" for name in names]
        assert rows.detectron2.isna().tolist() == rows.ours.isna().tolist()


@needs_detectron2
def test_rendered_videos_agree_in_all_tasks_at_once(source_frames, tmp_path):
    path = store_frames(
        tmp_path / "f.h5", rendered_frames(source_frames), things=("person", "car", "bus", "train")
    )
    table, report = crosscheck(tmp_path, *(write_job(tmp_path, path, task) for task in TASKS))
    assert set(table.task) == set(TASKS)
    assert set(table[table.metric.isin(set.union(*NAMES.values()))].agrees) == {"yes"}
    assert "all agree" in report[-1]


@needs_detectron2
def test_objects_that_overlap_agree(tmp_path):
    random = np.random.default_rng(3)

    def frames():
        for index, frame in enumerate(drawn_frames(2)):
            masks = np.zeros((6, 128, 192), bool)
            for mask in masks:
                top, left, height, width = random.integers(4, 90, 4)
                mask[top : top + height, left : left + width] = True
            objects = instances_from(masks, [2, 2, 2, 3, 3, 3], crowd=[0, 0, 1, 0, 0, 0])
            semantic = np.zeros((128, 192), np.uint8) if index else frame.semantic
            yield SourceFrame(frame.name, frame.image, semantic, instances=objects)

    path = store_frames(tmp_path / "f.h5", frames(), classes=CLASSES, things=THINGS)
    table, _ = crosscheck(tmp_path, write_job(tmp_path, path, "instance"))
    assert set(table.agrees) == {"yes"}
    assert 0.01 < table[table.metric == "ap_pooled"].ours.iloc[0] < 0.99


@needs_detectron2
def test_what_detectron2_leaves_undefined_is_neither_agreement_nor_a_difference(drawn, tmp_path):
    def nothing(store, index, task, random):
        return instances_from(np.zeros((0, *store.size), bool), [])

    def of_stuff(store, index, task, random):
        return np.full(store.size, 4, np.uint8)

    table, report = crosscheck(
        tmp_path,
        write_job(tmp_path, drawn["one"], "instance", nothing, video="one"),
        write_job(tmp_path, drawn["one"], "semantic", of_stuff, video="one"),
    )
    agrees = table[table.video == "one"].set_index("metric").agrees
    assert agrees["ap_pooled"] == agrees["iou:nowhere"] == "–"
    assert agrees["ap:nowhere"] == agrees["miou_pooled"] == "yes"
    assert "all agree" in report[-1]


@needs_detectron2
def test_a_panoptic_video_without_things_has_no_reference(tmp_path):
    frames = [SourceFrame("0", np.zeros((*SIZE, 3), np.uint8), np.zeros(SIZE, np.uint8))]
    path = store_frames(tmp_path / "f.h5", frames, classes=CLASSES, things=THINGS)
    table, _ = crosscheck(tmp_path, write_job(tmp_path, path, "panoptic"))
    assert set(table.agrees) == {"–"}
    assert table.detectron2.isna().all()


@needs_detectron2
def test_an_offline_method_is_compared_after_the_updates_that_its_scores_are_of(drawn, tmp_path):
    job = write_job(tmp_path, drawn["one"], "semantic", video="one", ladder=(1, 10))
    table, _ = crosscheck(tmp_path, job)
    assert "no" not in set(table.agrees)
    with h5py.File(job["scores"], "r+") as file:
        file.attrs["iteration"] = 10
    with pytest.raises(SystemExit):
        crosscheck(tmp_path, job)


@needs_detectron2
@pytest.mark.parametrize(
    ("task", "name"), [("semantic", "confusion"), ("instance", "row_truths"), ("panoptic", "iou")]
)
def test_one_wrong_number_fails_and_is_named(drawn, tmp_path, caplog, task, name):
    job = write_job(tmp_path, drawn["one"], task, video="one")
    with h5py.File(job["scores"], "r+") as file:
        values = file[f"statistics/{name}"][:]
        first = np.unravel_index(np.argmax(values > 0), values.shape)
        values[first] = values[first] * (1 + 1e-6) if name == "iou" else values[first] - 1
        file[f"statistics/{name}"][:] = values
    with pytest.raises(SystemExit) as stopped:
        crosscheck(tmp_path, job)
    assert stopped.value.code == 1
    table, report = results(tmp_path)
    assert "DIFFER" in report[-1]
    wrong = table[table.agrees == "no"]
    assert len(wrong) > 0
    assert all(metric in caplog.text for metric in wrong.metric)


@needs_detectron2
def test_files_that_do_not_belong_together_are_not_compared(drawn, tmp_path, capsys):
    one, two = (write_job(tmp_path, path, "semantic", video=v) for v, path in drawn.items())
    with pytest.raises(SystemExit) as stopped:
        crosscheck(tmp_path, one | {"scores": two["scores"]})
    assert stopped.value.code == 2
    assert "two.semantic.scores.h5" in capsys.readouterr().err


def test_without_detectron2_one_line_says_how_to_get_it(tmp_path, capsys, monkeypatch):
    # What an import of an absent module does, also where it is present.
    for name in ("detectron2", "detectron2.evaluation"):
        monkeypatch.setitem(sys.modules, name, None)
    job = dict.fromkeys(("frames", "predictions", "scores"), "absent.h5")
    with pytest.raises(SystemExit) as stopped:
        crosscheck(tmp_path, job)
    assert stopped.value.code == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert "git clone https://github.com/facebookresearch/detectron2" in lines[0]
    assert "--sdm conda" in lines[0]


def test_the_environment_has_the_same_detectron2_and_the_same_packages_as_the_other():
    folder = ROOT / "envs"
    packages, own = (
        (folder / f"{name}.yaml").read_text().splitlines() for name in ("videottt", "detectron2")
    )
    assert {line for line in packages if "==" in line} <= set(own)
    for name in REQUIREMENTS:
        package = re.search(r"[\w-]+", name)[0]
        assert any(line.strip().startswith(f"- {package}==") for line in own)
    assert COMMIT in (folder / "detectron2.post-deploy.sh").read_text()
