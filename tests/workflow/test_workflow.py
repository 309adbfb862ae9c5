"""The whole DAG through Snakemake, on a study small enough for a test."""

import json
import os
import re
import subprocess
import sys

import imageio_ffmpeg
import pandas as pd
import pytest

from support import ROOT, pretend_gpus, users_file
from videottt.evaluation.scores import read_scores
from videottt.store.frames import FrameStore
from videottt.store.predictions import PredictionReader
from workflow.small_study import METHODS, SELF_TRAINED, small_config

GPUS = ("GPU-first", "GPU-second")
PREDICTION = "results/predictions/synthetic/semantic/{}/seed0/test_0.h5"
SCORES = PREDICTION.replace("predictions", "scores")


class Project:
    """A working directory of its own, with the repository's workflow."""

    def __init__(self, root, environment=None):
        self.root = root
        self.config = small_config()
        self.environment = {**os.environ, **(environment or {})}

    def snakemake(self, *arguments):
        (self.root / "config.yaml").write_text(users_file(self.config))
        command = [sys.executable, "-m", "snakemake", "--snakefile"]
        command += [ROOT / "workflow/Snakefile", "--directory", self.root, *arguments]
        return subprocess.run(
            command,
            cwd=self.root,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def jobs(self, *arguments):
        """Return the rules that a dry run would execute, and the methods of their predictions."""
        result = self.snakemake("-n", "--cores", "1", *arguments)
        assert result.returncode == 0, result.stderr
        rules = re.findall(r"^(?:local)?rule (\w+):", result.stdout, re.MULTILINE)
        methods = re.findall(
            r"output: results/(?:trials|predictions)/synthetic(?:_coco)?/\w+/([\w,=]+)/",
            result.stdout,
        )
        return set(rules), set(methods)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    root = tmp_path_factory.mktemp("study")
    library = pretend_gpus(root / "library", *((gpu, "Pretended") for gpu in GPUS))
    project = Project(root, {"PYTHONPATH": library, "TMPDIR": str(root)})
    result = project.snakemake("--cores", "2")
    assert result.returncode == 0, result.stderr[-4000:]
    return project


@pytest.mark.workflow
def test_one_command_leads_from_rendering_to_table_figures_and_video(project):
    results = project.root / "results"
    tables = dict(iter(pd.read_csv(results / "tables/tiny_demo/table1.csv").groupby("task")))
    table, panoptic = (tables[task].set_index("method") for task in ("semantic", "panoptic"))
    assert list(table.index) == METHODS[:-1]
    assert list(panoptic.index) == [METHODS[0], METHODS[1], METHODS[-2]]
    assert set(panoptic.metric) == {"PQ"}
    assert panoptic.test_paper["online_ttt_mae"] == 21.7
    assert panoptic.test_scored_frames_mean.eq(2).all()
    assert table.test_pooled_mean.between(0, 100).all()
    assert table.test_paper.dropna().to_dict() == {
        "main_task_only": 52.5,
        "mae_joint_training": 52.5,
        "offline_ttt_mae_all_frames": 51.2,
        SELF_TRAINED: 54.0,
        "online_ttt_mae": 54.3,
    }
    cost = pd.read_csv(results / "tables/tiny_demo/cost.csv")
    assert cost.seconds_per_frame_mean.gt(0).all()
    assert METHODS[-1] in (results / "tables/tiny_demo/ablations.csv").read_text()
    for shown in (
        "tables/tiny_demo/table1.md",
        "tables/tiny_demo/omissions.md",
        "tables/tiny_demo/diagnosis.md",
        "tables/tiny_demo/classes.csv",
        "tables/tiny_demo/conventions.md",
        "figures/tiny_demo/bars.png",
        "figures/tiny_demo/synthetic/semantic/test_0/curves.pdf",
        "figures/synthetic/semantic/online_ttt_mae/seed0/test_0_reconstruction.png",
        "videos/synthetic/semantic/seed0/test_0.mp4",
        "figures/synthetic_coco/panoptic/online_ttt_mae/seed0/test_0_strips.png",
        "videos/synthetic_coco/panoptic/seed0/test_0.mp4",
    ):
        assert (results / shown).stat().st_size > 0, shown
    grid = pd.read_csv(results / "selection/synthetic/semantic/online_ttt_mae.csv")
    assert list(grid["optimizer.learning_rate"]) == [1e-4, 1e-3]
    assert not (results / "selection/synthetic/semantic/mae_joint_training.csv").exists()
    chosen = json.loads((results / "selection/synthetic/semantic/online_ttt_mae.json").read_text())
    for method in METHODS[-2:]:
        with PredictionReader(project.root / PREDICTION.format(method)) as predictions:
            assert predictions.provenance["selected"] == chosen["selected"]
            assert predictions.settings["window"] == (2 if method == METHODS[-1] else 16)


@pytest.mark.workflow
def test_one_offline_run_is_scored_as_oracle_and_at_the_iteration_that_validation_chose(project):
    results = project.root / "results"
    made = {method: project.root / SCORES.format(method) for method in METHODS[2:4]}
    oracle, fixed = (read_scores(path) for path in made.values())
    assert (oracle.key.method, fixed.key.method) == tuple(made)
    assert not (results / "predictions/synthetic/semantic" / METHODS[3]).exists()
    name = "selection/synthetic/semantic/offline_ttt_mae_all_frames.json"
    assert fixed.iteration == json.loads((results / name).read_text())["iteration"]
    assert list(oracle.ladder) == list(fixed.ladder) == [1, 2]
    values = {n: counts.metrics()["miou_pooled"] for n, counts in oracle.ladder.items()}
    assert values[oracle.iteration] == max(values.values())
    grid = pd.read_csv((results / name).with_suffix(".csv"))
    assert list(grid.iteration) == [1, 2, 1, 2]
    assert grid.selected.sum() == 1


@pytest.mark.workflow
def test_jobs_spread_over_the_gpus_of_the_machine(project):
    logs = [*(project.root / "results/logs").glob("predict*/**/*.log")]
    said = [path.read_text() for path in logs]
    # Each has one, and what is pretended is not used.
    assert [text.count(" is leased to this job") for text in said] == [1] * len(said)
    assert all("this torch cannot use Pretended: using the CPU" in text for text in said)
    assert {gpu for gpu in GPUS for text in said if f"{gpu} (Pretended)" in text} == set(GPUS)


@pytest.mark.workflow
def test_a_sweep_holds_every_value_and_the_fixed_models(project):
    table = pd.read_csv(project.root / "results/metrics/tiny_demo/window.csv")
    assert set(table.method) == {*METHODS[:2], *METHODS[-2:]}
    assert set(table.split) == {"val"}


def make_clip(path, rate, length):
    """A moving picture with a tone."""
    path.parent.mkdir(parents=True)
    sources = [f"testsrc2=size=96x64:rate={rate}:duration={length}", f"sine=duration={length}"]
    inputs = [part for each in sources for part in ("-f", "lavfi", "-i", each)]
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", *inputs]
    subprocess.run([*command, "-pix_fmt", "yuv420p", path], check=True)


@pytest.mark.workflow
def test_video_files_are_coloured_and_scored_where_there_is_a_truth(project):
    make_clip(project.root / "data/own/clip.mp4", 4, 1.5)
    make_clip(project.root / "data/films/clip.mkv", 10, 1)
    result = project.snakemake("--cores", "2", "--config", "study=my_videos")
    assert result.returncode == 0, result.stderr[-4000:]
    results = project.root / "results"
    metrics = pd.read_csv(results / "metrics/my_videos.csv")
    assert set(metrics.dataset) == {"my_videos"}
    assert set(metrics.method) == {"left_grey", "main_task_only", "online_ttt_mae"}
    values = metrics[metrics.aggregation == "pooled"].set_index(["method", "metric"]).value
    assert values["left_grey", "frames"] == 6
    # Nothing is taught in two iterations.
    assert 5 < values["online_ttt_mae", "psnr_pooled"] < 40
    assert values["online_ttt_mae", "ssim_frames"] > 0.2
    table = (results / "tables/my_videos/table3.md").read_text()
    for shown in ("Left grey", "22.97", "colorization_release_v2-9b330a0b.pth", "alexnet"):
        assert shown in table
    assert not (results / "tables/my_videos/table1.md").exists()
    for dataset in ("my_videos", "lumiere"):
        film = f"videos/{dataset}/colorization/online_ttt_mae/seed0/clip.mp4"
        assert "Audio: aac" in said_of(results / film)
        for shown in (
            f"videos/{dataset}/colorization/seed0/clip.mp4",
            f"figures/my_videos/{dataset}/clip/colours.png",
        ):
            assert (results / shown).stat().st_size > 0, shown
    assert not (results / "scores/lumiere").exists()
    with FrameStore(results / "frames/lumiere/clip.h5") as store:
        assert store.timestamps == pytest.approx([0, 0.2, 0.4, 0.6, 0.8])


def said_of(path):
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-i", path]
    return subprocess.run(command, capture_output=True, text=True, check=False).stderr


@pytest.mark.workflow
def test_a_finished_study_has_nothing_left_to_do(project):
    assert project.jobs() == (set(), set())


@pytest.mark.workflow
def test_changing_one_method_reruns_that_method_only(project):
    project.config = small_config()
    project.config["methods"]["online_ttt_mae"]["steps"] = 2
    try:
        rules, methods = project.jobs()
    finally:
        project.config = small_config()
    # With its variants, which are this method with one thing changed.
    assert methods == set(METHODS[-2:])
    assert "train" not in rules
    assert {"predict", "predict_trial", "score", "make_table"} <= rules


@pytest.mark.workflow
def test_a_deleted_prediction_is_made_again_by_naming_its_file(project):
    target = PREDICTION.format("mae_joint_training")
    before = (project.root / target).read_bytes()
    (project.root / target).unlink()
    assert project.jobs(target)[0] == {"predict"}
    assert project.snakemake("--cores", "1", target).returncode == 0
    assert len((project.root / target).read_bytes()) == pytest.approx(len(before), rel=0.05)


@pytest.mark.workflow
@pytest.mark.parametrize(
    ("change", "target", "message"),
    [
        (lambda c: c.update(stduy="demo"), [], "did you mean 'study'?"),
        (
            lambda c: c["studies"]["tiny_demo"].update(methods=["online_tt"]),
            [],
            "'online_ttt_mae'?",
        ),
        (lambda c: None, [PREDICTION.format("online_tt_mae")], "did you mean 'online_ttt_mae'?"),
        (
            lambda c: None,
            [PREDICTION.format("online_ttt_mae").replace("test_0", "test_00")],
            "no video 'test_00'; did you mean 'test_0'?",
        ),
        (
            lambda c: None,
            ["results/tables/tiny_dem/table1.md"],
            "unknown study 'tiny_dem'; did you mean 'tiny_demo'?",
        ),
        (lambda c: None, ["results/tables/tiny_demo/tabel1.md"], "did you mean 'table1'?"),
        (lambda c: c.update(study="my_videos", data_root="nowhere"), [], "data set 'my_videos'"),
    ],
)
def test_bad_input_is_one_line_that_says_how_to_mend_it(tmp_path, change, target, message):
    project = Project(tmp_path)
    change(project.config)
    result = project.snakemake("--cores", "1", *target)
    assert result.returncode != 0
    complaints = [line for line in result.stderr.splitlines() if "error" in line.lower()]
    assert len(complaints) == 1, result.stderr
    assert complaints[0].startswith("videottt: error: ")
    assert message in complaints[0]
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "results").exists()
