"""What a change of the package re-runs, by Snakemake's own word."""

import os
import re
import shutil
import stat

import pytest
from clone import Clone

from support import ROOT, users_file, whole_config

PACKAGE = "src/videottt"
METHODS = ["main_task_only", "mae_joint_training", "tent", "online_ttt_mae"]
PREDICTION = "results/predictions/synthetic/semantic/{}/seed0/short_0.h5"
TARGETS = [
    *(PREDICTION.format(method) for method in METHODS),
    "results/frames/synthetic_coco/short_0.h5",
    "results/figures/tiny_demo/bars.png",
]
# Writes every file that it is asked for, and nothing into it.
PRETENDED = """#!/bin/sh
verb=$1
while [ $# -gt 0 ]; do
    case $1 in
        --output|--png|--pdf|--history)
            if [ $verb = render ]; then mkdir -p "$2"; else : > "$2"; fi
            shift;;
    esac
    shift
done
"""


class Changed(Clone):
    """A clone with a package of its own and a finished study, whose jobs did nothing."""

    def __init__(self, root):
        super().__init__(root)
        shutil.copytree(ROOT / PACKAGE, root / PACKAGE)
        command = root / "bin/videottt"
        command.parent.mkdir()
        command.write_text(PRETENDED)
        command.chmod(command.stat().st_mode | stat.S_IXUSR)
        places = [root / "guard", root / "src"]
        self.environment["PYTHONPATH"] = os.pathsep.join(map(str, places))
        self.environment["PATH"] = os.pathsep.join([str(command.parent), os.environ["PATH"]])
        config = whole_config()
        config["study"] = "tiny_demo"
        study = config["studies"]["tiny_demo"]
        study |= {"streams": {"synthetic": ["semantic"]}, "methods": METHODS}
        study["drawn"] = {"figure2": METHODS[:1]}
        (root / "config.yaml").write_text(users_file(config))

    def make(self):
        """Make all targets."""
        result = self.snakemake("--cores", "2", *TARGETS)
        assert result.returncode == 0, result.stderr[-4000:]

    def rerun(self):
        """Return every job that is made again: its rule, and that with its method or data set."""
        result = self.snakemake("-n", "--cores", "1", *TARGETS)
        assert result.returncode == 0, result.stderr
        found = set()
        for job in re.split(r"^(?=(?:local)?rule )", result.stdout, flags=re.MULTILINE)[1:]:
            rule = re.match(r"(?:local)?rule (\w+)", job)[1]
            wildcards = dict(re.findall(r"(\w+)=([^,\s]+)", job.partition("wildcards:")[2]))
            found |= {rule, f"{rule} {wildcards.get('method', wildcards.get('dataset'))}"}
        return found

    def after(self, module, change):
        """Return the same after a change of a module, which is then taken back."""
        file = self.root / PACKAGE / module
        before = file.read_text()
        file.write_text(change(before))
        try:
            return self.rerun()
        finally:
            file.write_text(before)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    clone = Changed(tmp_path_factory.mktemp("clone"))
    clone.make()
    return clone


def with_logic(text):
    return f"{text}\nADDED = 1\n"


def with_other_words(text):
    """Return a module with a comment, another docstring and other error and log lines."""
    changed = f"{text}\n# Added.\n".replace('"""', '"""Reworded. ', 1)
    changed, errors = re.subn(r'(InputError\(\s*f?")', r"\1Reworded: ", changed)
    changed, lines = re.subn(r'(logger\.\w+\(\s*")', r"\1Reworded: ", changed)
    assert errors
    assert lines
    return changed


PREDICTED = {f"predict {method}" for method in METHODS}


@pytest.mark.workflow
@pytest.mark.parametrize(
    ("module", "expected", "untouched"),
    [
        ("ttt/objectives/objective.py", PREDICTED, {"ingest", "render"}),
        ("ttt/objectives/tent.py", {"predict tent"}, {"train", *PREDICTED} - {"predict tent"}),
        ("core/frame_result.py", PREDICTED, {"train", "ingest", "render"}),
        ("data/layouts/kitti_step.py", {"ingest synthetic"}, {"ingest synthetic_coco"}),
        ("data/layouts/coco_videos.py", {"ingest synthetic_coco"}, {"ingest synthetic", "train"}),
    ],
)
def test_a_change_reruns_the_jobs_that_it_may_change(finished, module, expected, untouched):
    found = finished.after(module, with_logic)
    assert expected <= found
    assert not untouched & found


@pytest.mark.workflow
def test_a_change_of_a_figure_reruns_that_figure_alone(finished):
    found = finished.after("report/figures/bars.py", with_logic)
    assert {job for job in found if " " not in job} == {"plot_bars"}


@pytest.mark.workflow
def test_words_and_the_plumbing_rerun_nothing(finished):
    assert finished.rerun() == set()
    assert finished.after("ttt/job.py", with_other_words) == set()
    assert finished.after("core/progress.py", with_logic) == set()
