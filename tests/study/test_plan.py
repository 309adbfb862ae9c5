"""What a study costs before it is run: the jobs of its DAG, and their hours, bytes and frames."""

import csv
import re
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from itertools import chain

import pytest

from support import ROOT, users_file, whole_config
from videottt.cli import main
from videottt.data.fetch.catalogue import Source, Unpacking
from videottt.study.costs import CostInputs, frames_of, read_cost_inputs
from videottt.study.jobs import Job, planned_jobs
from videottt.study.plan import HOUR, Plan, csv_text, price, text, total
from videottt.study.pricing import cost_of

RESOURCES = ROOT / "workflow/resources"
SNAKEFILE = ROOT / "workflow/Snakefile"

# A model that predicts a frame of 10 x 10 in 2 s, and learns from an image of it in as much.
STATED = {
    "models": {
        "large": {
            "gpu": {
                "prediction": {"seconds": 2.0, "size": [10, 10]},
                "update": {"seconds": 8.0, "images": 4, "size": [10, 10]},
            },
            "cpu": {
                "prediction": {"seconds": 200.0, "size": [10, 10]},
                "update": {"seconds": 200.0, "images": 1, "size": [10, 10]},
            },
            "checkpoint": {"model": 300, "decoder": 100},
        },
    },
    "objectives": {"none": "main_task_only", "mae": "online_ttt_mae", "tent": "tent"},
    "rules": {
        "score": {"cpu": {"job": 1, "megapixel": {"semantic": 1e4}}, "labelled": True},
        "predict": {"bytes": {"job": 5, "frame": 1, "seen_megapixel": 1e6}},
        "predict_segmenter": {"gpu": {"frame": 1}, "cpu": {"frame": 9}},
        "default": {"cpu": {"job": 2}},
    },
    "fetching": {"bytes_per_second": 10, "unpacked": 1.5},
    "sizes": {"default": [10, 10], "wide": [10, 20]},
    "frames": 7,
}
TIMES = {"main_task_only": 1.0, "online_ttt_mae": 3.0, "tent": 2.0, "offline": 1.0}
PUBLISHED = {"drive": {"splits": {"test": {"a": 10, "b": 20}}, "labelled": {"b": 5}}}
CONFIG = {
    "study": "made_up",
    "device": "auto",
    "data_root": "data",
    "datasets": {name: {"fps": 10} for name in ("drive", "wide", "own")},
}
SEEN = {"shortest_edge": 10, "longest_edge": 20}
LEARNING = {"objective": "mae", "batch": 4, **SEEN}
PREDICTING = {"objective": "none", **SEEN}


@pytest.fixture
def inputs():
    return CostInputs(CONFIG, STATED, TIMES, PUBLISHED, {})


def job_of(rule="predict", method="online_ttt_mae", settings=LEARNING, **changes):
    ids = {"dataset": "drive", "task": "semantic", "method": method, "seed": "0", "video": "a"}
    return Job(rule, ids | changes, settings=settings, model="large")


@pytest.mark.parametrize(
    ("job", "seconds"),
    [
        # Ten frames: ten predictions, and an update of four images before each.
        (job_of(), 10 * (2 + 8)),
        (job_of(video="b"), 20 * (2 + 8)),
        (job_of("predict_trial"), 10 * (2 + 8)),
        (job_of(method="online_ttt_mae,window=4"), 10 * (2 + 8)),
        (job_of(settings={**LEARNING, "steps": 2, "every": 4}), 10 * (2 + 8 / 2)),
        (job_of(settings={**LEARNING, "batch": 2}), 10 * (2 + 4)),
        # An update of tent takes half of one of the masked autoencoder: (2 - 1) / (3 - 1).
        (job_of(method="tent"), 10 * (2 + 4)),
        (job_of(method="another", settings={**LEARNING, "objective": "tent"}), 10 * (2 + 4)),
        (job_of(method="main_task_only", settings=PREDICTING), 10 * 2),
        (job_of(method="vote", settings={**PREDICTING, "votes": 5}), 10 * 5 * 2),
        # Two rungs: three updates of the whole video, and every frame predicted twice.
        (job_of(method="offline", settings={**LEARNING, "ladder": [1, 3]}), 3 * 8 + 2 * 10 * 2),
        # A crop is no larger than the frame that it is cut from; a view is.
        (job_of(settings={**LEARNING, "crop": [5, 20]}), 10 * (2 + 8 / 2)),
        (job_of(settings={**LEARNING, "views": {"crop": [20, 20]}}), 10 * (2 + 4 * 8)),
        # Seen twice as high and wide; nothing is known of the length of this video.
        (job_of(settings={**LEARNING, "shortest_edge": 20}), 10 * 4 * (2 + 8)),
        (job_of(dataset="wide", settings={**LEARNING, "longest_edge": 10}), 7 * (2 + 8) / 2),
        # Twelve gradients of a labelled frame; three frames of 20 steps, seen 21 times three.
        (job_of("theory", video="b"), 5 * 12 * 2),
        (job_of("trace"), 3 * (20 * 8 + 63 * 2)),
        (job_of("predict_segmenter"), 10),
    ],
)
def test_jobs_that_run_a_model_cost_its_predictions_and_updates_on_a_gpu(inputs, job, seconds):
    cost = cost_of(job, inputs)
    assert cost.gpu_seconds == pytest.approx(seconds)
    assert cost.cpu_seconds == 0


def test_training_costs_every_image_once_for_each_loss_and_writes_the_parts_it_has(inputs):
    training = {"iterations": 100, "batch": 3, "reconstruction": True}
    settings = {"training": training, "augmentation": {"crop": [10, 20]}}
    ids = {"dataset": "drive", "task": "semantic", "checkpoint": "joint", "seed": "0"}
    joint = cost_of(Job("train", ids, settings=settings, model="large"), inputs)
    assert joint.gpu_seconds == pytest.approx(100 * 3 * 2 * (2 * 2))
    assert joint.results == 400
    training["reconstruction"] = False
    main_task = cost_of(Job("train", ids, settings=settings, model="large"), inputs)
    assert (main_task.gpu_seconds, main_task.results) == (joint.gpu_seconds / 2, 300)


def test_on_the_cpu_the_same_jobs_are_priced_there(inputs):
    on_cpu = replace(inputs, config={**CONFIG, "device": "cpu"})
    cost = cost_of(job_of(), on_cpu)
    assert (cost.gpu_seconds, cost.cpu_seconds) == (0, pytest.approx(10 * (200 + 4 * 200)))
    assert cost_of(job_of("predict_segmenter"), on_cpu).cpu_seconds == 90


def test_other_jobs_cost_what_is_stated_of_them_their_frames_and_their_pixels(inputs):
    # Of video b, five frames have labels; of video a nothing says that they have not.
    assert cost_of(job_of("score"), inputs).cpu_seconds == pytest.approx(1 + 10 * 1e4 * 100 / 1e6)
    assert cost_of(job_of("score", video="b"), inputs).cpu_seconds == pytest.approx(1 + 5)
    assert cost_of(Job("a_new_rule"), inputs).cpu_seconds == 2
    # Bytes of a job, of its frames, and of one frame as the model sees it; once a rung.
    assert cost_of(job_of(), inputs).results == pytest.approx(5 + 10 + 100)
    rungs = job_of(method="offline", settings={**LEARNING, "ladder": [1, 3]})
    assert cost_of(rungs, inputs).results == pytest.approx(2 * (5 + 10 + 100))


def test_a_download_that_is_there_is_not_fetched_again(inputs, tmp_path):
    facts = {"bytes": 40, "licence": "none", "purpose": "a test", "access": "open"}
    sources = {
        "archive": Source("a.zip", provides=("a",), unpack=Unpacking({"": "a/"}, 99, 9), **facts),
        "file": Source("b.pth", provides=("weights/b.pth",), **facts),
    }
    config = {**CONFIG, "data_root": str(tmp_path)}
    inputs = replace(inputs, config=config, sources=sources)

    def cost(name):
        found = cost_of(Job("fetch_source", {"source": name}), inputs)
        return found.network, found.data, found.cpu_seconds

    assert (cost("archive"), cost("file")) == ((40, 40 + 60, 4), (40, 40, 4))
    (tmp_path / "downloads").mkdir()
    (tmp_path / "downloads/a.zip").write_bytes(b"by hand")
    assert cost("archive") == (0, 60, 4)
    (tmp_path / "a").mkdir()
    (tmp_path / "a/frame.png").write_bytes(b"unpacked")
    assert cost("archive") == (0, 0, 0)


def test_stages_count_what_is_done_and_learn_from_it_how_long_the_rest_takes(inputs, tmp_path):
    benchmark = tmp_path / "benchmark.tsv"
    benchmark.write_text("s\th:m:s\tmax_rss\n250.0\t0:04:10\t-\n")
    done = replace(job_of(video="a"), done=True, benchmark=benchmark)
    unknown = replace(job_of(method="tent"), done=True, benchmark=tmp_path / "none.tsv")
    jobs = [done, unknown, job_of(video="b"), job_of(method="tent", video="b"), Job("make_table")]
    predict, table = price(jobs, inputs)
    # 250 s measured for 100 s stated: 2.5 times the 200 s stated of video b. Not of another method.
    assert predict.gpu_hours * HOUR == pytest.approx(2.5 * 200 + 120)
    assert (predict.rule, predict.jobs, predict.done) == ("predict", 2, 2)
    assert (predict.times, table.times) == ("measured in part", "stated")
    assert price(jobs[:3], inputs)[0].times == "measured"
    everything = total([predict, table])
    assert (everything.jobs, everything.done) == (3, 2)
    assert everything.cpu_hours * HOUR == pytest.approx(2)
    rows = list(csv.DictReader(csv_text([predict, table]).splitlines()))
    assert [row["rule"] for row in rows] == ["predict", "make_table", "total"]
    assert float(rows[-1]["gpu_hours"]) == pytest.approx(everything.gpu_hours, rel=1e-5)


def test_a_plan_names_the_videos_whose_length_it_has_assumed(inputs):
    jobs = [job_of(), job_of(dataset="own", video="clip")]
    shown = text(Plan(price(jobs, inputs), inputs, jobs))
    assert "7 frames assumed of: own/clip." in shown
    assert "drive/a" not in shown


def test_at_the_paper_s_settings_every_method_costs_what_its_table_1_says(config):
    inputs = read_cost_inputs({**config, "device": "auto"}, RESOURCES, [])
    learning = {"batch": 32, "crop": [512, 1024], "shortest_edge": 1024, "longest_edge": 2048}
    own = {method for method in inputs.times if not method.startswith("offline")}
    assert len(own) == 9
    for method in own:
        settings = {**learning, "objective": config["methods"][method]["objective"]}
        ids = {"dataset": "kitti_step", "task": "semantic", "method": method, "video": "0002"}
        job = Job("predict", ids, settings=settings, model="swin_small")
        assert cost_of(job, inputs).gpu_seconds / 233 == pytest.approx(
            inputs.times[method], rel=1e-3
        )


def test_the_length_of_every_video_of_the_paper_is_known(config):
    inputs = read_cost_inputs(config, RESOURCES, [])
    kitti = config["datasets"]["kitti_step"]["splits"]
    frames = {s: sum(frames_of("kitti_step", v, inputs) for v in kitti[s]) for s in kitti}
    assert frames == {"val": 2981, "test": 5027}
    for dataset in ("coco_videos", "lumiere", "cityscapes", "coco", "synthetic", "camvid"):
        for video in chain.from_iterable(config["datasets"][dataset]["splits"].values()):
            assert frames_of(dataset, video, inputs), (dataset, video)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A working directory without results."""
    config = whole_config()
    config["sources"] = str(RESOURCES / "datasets.yaml")
    (tmp_path / "config.yaml").write_text(users_file(config), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.workflow
def test_a_plan_has_the_jobs_that_snakemake_would_run(project):
    command = [sys.executable, "-m", "snakemake", "-n", "--cores", "1", "--snakefile", SNAKEFILE]
    done = subprocess.run(
        [*command, "--quiet", "rules", "--config", "study=demo"],
        capture_output=True,
        text=True,
        check=True,
    )
    counts = dict(re.findall(r"^(\w+) +(\d+)$", done.stdout, re.MULTILINE))
    jobs, config = planned_jobs(SNAKEFILE, {"study": "demo"})
    expected = {rule: int(n) for rule, n in counts.items() if rule not in ("all", "total")}
    assert len(jobs) > 50
    assert Counter(job.rule for job in jobs) == expected
    stages = price(jobs, read_cost_inputs(config, RESOURCES, jobs))
    assert {stage.rule: stage.jobs for stage in stages} == expected
    assert total(stages).gpu_hours == 0
    # Nothing but Snakemake's own notes was written.
    assert not (project / "results").exists()


@pytest.mark.workflow
def test_a_plan_of_single_files_has_what_they_need(project):
    target = "results/predictions/synthetic/semantic/online_ttt_mae,steps=3/seed0/short_0.h5"
    jobs, _ = planned_jobs(SNAKEFILE, {"study": "tiny_demo"}, [target])
    rules = Counter(job.rule for job in jobs)
    assert rules == {"render": 2, "ingest": 2, "train": 1, "predict": 1}
    predict = next(job for job in jobs if job.rule == "predict")
    assert (predict.model, predict.settings["steps"], predict.done) == ("tiny", 3, False)


@pytest.mark.workflow
def test_the_command_prices_a_file_and_writes_what_it_shows(project, capsys):
    target = "results/frames/synthetic/short_0.h5"
    changed = ("--config-values", "study=camvid", "device=cpu", "--study", "demo")
    main(["plan", target, *changed, "--workflow", str(SNAKEFILE.parent), "--output", "plan.csv"])
    shown = capsys.readouterr().out
    assert shown.startswith("study 'demo': 2 jobs to run, 0 done\n")
    assert "device is 'cpu'" in shown
    rows = list(csv.DictReader((project / "plan.csv").open(encoding="utf-8")))
    assert [(row["rule"], row["jobs"]) for row in rows] == [
        ("render", "1"),
        ("ingest", "1"),
        ("total", "2"),
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--config-values", "demo"), "'demo' is not KEY=VALUE"),
        (("results/no_such_file",), "cannot be built"),
        (("--workflow", "elsewhere"), "elsewhere/Snakefile: no such workflow"),
    ],
)
@pytest.mark.workflow
def test_what_cannot_be_planned_is_one_line(project, capsys, arguments, message):
    with pytest.raises(SystemExit) as stopped:
        main(["plan", "--workflow", str(SNAKEFILE.parent), *arguments])
    shown = capsys.readouterr().err.strip().splitlines()
    assert stopped.value.code == 2
    assert len(shown) == 1
    assert message in shown[0]
