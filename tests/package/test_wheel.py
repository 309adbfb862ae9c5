"""The wheel works in an environment of its own, outside of a clone."""

import importlib.metadata
import json
import os
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from small_inputs import write_inputs

from support import ROOT

PROJECT = ("config.yaml", "envs", "rules", "workflow")
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
# Libraries of the extras alone; torch brings jinja2.
ABSENT = {
    Requirement(line).name for extra in ("workflow", "figures", "colour") for line in EXTRAS[extra]
} - {"jinja2"}


def entries_of(distribution):
    """Return the names of what a distribution has put into the folder of all libraries."""
    parts = (file.parts[0] for file in importlib.metadata.files(distribution))
    return {part for part in parts if part not in ("..", "__pycache__")}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel of this tree."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation"]
    made = subprocess.run(
        [*command, "--wheel-dir", folder, ROOT], capture_output=True, text=True, check=False
    )
    assert made.returncode == 0, made.stderr
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The folder of a new environment's commands; it has the wheel, and no library of an extra."""
    root = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", root], check=True)
    site = Path(sysconfig.get_path("purelib", vars={"base": root, "platbase": root}))
    command = [sys.executable, "-m", "pip", "--python", root / "bin/python", "install"]
    made = subprocess.run(
        [*command, "--no-deps", "--no-index", wheel], capture_output=True, text=True, check=False
    )
    assert made.returncode == 0, made.stderr
    # The other libraries are those of the tests, by links: an editable install is not among them.
    hidden = {"pip", *entries_of("videottt"), *(e for each in ABSENT for e in entries_of(each))}
    for entry in Path(sysconfig.get_path("purelib")).iterdir():
        if entry.name not in hidden and entry.suffix != ".pth":
            (site / entry.name).symlink_to(entry)
    return root / "bin"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a second of video and a checkpoint, and nothing else."""
    path = tmp_path_factory.mktemp("outside")
    write_inputs(path)
    return path


def run(installed, folder, *words):
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    return subprocess.run(
        [installed / "videottt", *words],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_the_wheel_has_the_package_and_what_it_reads_of_the_project(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        metadata = archive.read("videottt-0.1.0.dist-info/METADATA").decode()
    package = {name for name in names if not name.startswith("videottt-")}
    assert all(name.startswith("videottt/") for name in package)
    assert {"videottt/__init__.py", "videottt/py.typed", "videottt/cli/run.py"} <= package
    shipped = {name for name in package if name.startswith("videottt/project/")}
    in_clone = [ROOT / each for each in PROJECT]
    files = [file for each in in_clone for file in (each, *each.rglob("*")) if file.is_file()]
    wanted = {f"videottt/project/{file.relative_to(ROOT)}" for file in files}
    assert shipped == {name for name in wanted if "__pycache__" not in name}
    assert not any(part in name for name in package for part in ("tests/", "results/", ".pyc"))
    assert {"workflow", "figures", "colour", "all"} <= {
        line.partition(": ")[2]
        for line in metadata.splitlines()
        if line.startswith("Provides-Extra")
    }


def test_the_wheel_is_small_with_its_models_in_it(wheel):
    assert wheel.stat().st_size < 32e6
    with zipfile.ZipFile(wheel) as archive:
        assert any(name.endswith("driving_semantic.safetensors") for name in archive.namelist())


def test_it_is_the_wheel_that_runs_and_help_needs_no_library_of_an_extra(installed, folder):
    where = subprocess.run(
        [installed / "python", "-c", "import videottt; print(videottt.__file__)"],
        cwd=folder, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert Path(where.stdout.strip()).is_relative_to(installed.parent)
    done = run(installed, folder, "--help")
    assert done.returncode == 0, done.stderr
    assert "videottt run clip.mp4" in done.stdout


def test_a_video_is_run_with_a_model_of_the_wheel(installed, folder):
    done = run(
        installed, folder, "run", "clip.mp4", "--override", '{"shortest_edge": 64}', "--device",
        "cpu", "--output", "shipped",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "driving_semantic.safetensors, which ships for the task semantic" in done.stderr
    assert (folder / "shipped/side_by_side.mp4").is_file()


def test_a_video_is_run_with_the_defaults_of_the_wheel(installed, folder):
    quick = json.dumps({"batch": 1, "shortest_edge": 64})
    done = run(
        installed, folder, "run", "clip.mp4", "--checkpoint", "joint.safetensors",
        "--override", quick, "--device", "cpu", "--output", "out",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    names = {"frames.h5", "without_learning.h5", "online_ttt_mae.h5", "side_by_side.mp4",
             "source.json"}  # fmt: skip
    assert {path.name for path in (folder / "out").iterdir()} == names


@pytest.mark.parametrize(
    ("words", "library", "extra"),
    [
        (["plot-bars", "--metrics", "x.csv", "--methods", "a", "--png", "x", "--pdf", "x"],
         "matplotlib", "figures"),
        (["plan"], "tabulate", "workflow"),
        (["aggregate", "--scores", "x.h5", "--output", "x.csv"], "pandas", "workflow"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else None,
)  # fmt: skip
def test_a_verb_without_its_library_names_the_extra_in_one_line(
    installed, folder, words, library, extra
):
    done = run(installed, folder, *words)
    assert done.returncode == 2
    assert done.stderr == (
        f"videottt: error: {words[0]} needs {library}; "
        f"install it with pip install 'videottt[{extra}]'\n"
    )
