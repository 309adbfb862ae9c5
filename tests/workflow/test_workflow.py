"""The whole DAG through Snakemake, on a study small enough for a test."""

import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml

REPOSITORY = Path(__file__).parents[2]
METHODS = ["mae_joint_training", "online_ttt_mae"]
PREDICTION = "results/predictions/synthetic/semantic/{}/seed0/test_0.h5"


def small_config():
    config = yaml.safe_load((REPOSITORY / "config.yaml").read_text())
    phases = [{"place": "avenue", "light": "day"}, {"place": "market", "light": "warm"}]
    dataset = config["datasets"]["synthetic"]
    dataset["splits"] = {"train": ["stills"], "val": ["val_0"], "test": ["test_0"]}
    dataset["render"]["size"] = [64, 96]
    dataset["render"]["videos"] = {
        "stills": {"frames": 6},
        "val_0": {"frames": 4, "phases": phases},
        "test_0": {"frames": 6, "phases": phases},
    }
    study = config["studies"]["demo"]
    study["methods"] = list(METHODS)
    study["splits"] = ["test"]
    study["training"]["augmentation"]["crop"] = [64, 96]
    study["training"]["optimizer"] |= {"batch": 2, "warmup": 0}
    study["training"]["iterations"] = {"main_task": 2, "joint": 2}
    study["updates"]["batch"] = 2
    study["input"]["shortest_edge"] = 64
    study.pop("pinned", None)
    study["selection"] = {
        "split": "val",
        "seeds": [0],
        "metric": "miou_pooled",
        "grid": {"optimizer.learning_rate": [1.0e-4, 1.0e-3]},
    }
    return config


class Project:
    """A working directory of its own, with the repository's workflow."""

    def __init__(self, root):
        self.root = root
        self.config = small_config()

    def snakemake(self, *arguments):
        (self.root / "config.yaml").write_text(yaml.safe_dump(self.config))
        command = [sys.executable, "-m", "snakemake", "--snakefile"]
        command += [REPOSITORY / "workflow/Snakefile", "--directory", self.root, *arguments]
        return subprocess.run(command, cwd=self.root, capture_output=True, text=True, check=False)

    def jobs(self, *arguments):
        """Return the rules that a dry run would execute, and the methods of their predictions."""
        result = self.snakemake("-n", "--cores", "1", *arguments)
        assert result.returncode == 0, result.stderr
        rules = re.findall(r"^(?:local)?rule (\w+):", result.stdout, re.MULTILINE)
        methods = re.findall(
            r"output: results/(?:trials|predictions)/synthetic/semantic/(\w+)/", result.stdout
        )
        return set(rules), set(methods)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    project = Project(tmp_path_factory.mktemp("study"))
    result = project.snakemake("--cores", "2")
    assert result.returncode == 0, result.stderr[-4000:]
    return project


@pytest.mark.workflow
def test_one_command_leads_from_rendering_to_table_figures_and_video(project):
    results = project.root / "results"
    table = pd.read_csv(results / "tables/demo.csv").set_index("method")
    assert list(table.index) == METHODS
    assert table.miou_pooled_mean.between(0, 100).all()
    assert table.paper_miou.to_dict() == {"mae_joint_training": 52.5, "online_ttt_mae": 54.3}
    assert table.seconds_per_frame_mean.gt(0).all()
    for shown in (
        "tables/demo.md",
        "tables/demo.tex",
        "tables/demo_classes.csv",
        "figures/demo/bars.png",
        "figures/demo/synthetic/semantic/test_0/curves.pdf",
        "figures/synthetic/semantic/online_ttt_mae/seed0/test_0_reconstruction.png",
        "videos/synthetic/semantic/seed0/test_0.mp4",
    ):
        assert (results / shown).stat().st_size > 0, shown
    grid = pd.read_csv(results / "selection/synthetic/semantic/online_ttt_mae.csv")
    assert list(grid["optimizer.learning_rate"]) == [1e-4, 1e-3]
    assert not (results / "selection/synthetic/semantic/mae_joint_training.csv").exists()


@pytest.mark.workflow
def test_a_finished_study_has_nothing_left_to_do(project):
    assert project.jobs() == (set(), set())


@pytest.mark.workflow
def test_changing_one_method_reruns_that_method_only(project):
    project.config = small_config()
    project.config["methods"]["online_ttt_mae"]["window"] = 2
    try:
        rules, methods = project.jobs()
    finally:
        project.config = small_config()
    assert methods == {"online_ttt_mae"}
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
        (lambda c: c["studies"]["demo"]["methods"].append("online_ttt"), [], "'online_ttt_mae'?"),
        (lambda c: None, [PREDICTION.format("online_tt_mae")], "did you mean 'online_ttt_mae'?"),
        (
            lambda c: None,
            [PREDICTION.format("online_ttt_mae").replace("test_0", "test_00")],
            "no video 'test_00'; did you mean 'test_0'?",
        ),
        (
            lambda c: None,
            ["results/tables/demoo.md"],
            "unknown study 'demoo'; did you mean 'demo'?",
        ),
        (lambda c: c.update(study="camvid", data_root="nowhere"), [], "data set 'camvid'"),
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
