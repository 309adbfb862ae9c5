"""With --sdm, jobs run with the Python of the environment or of the image, not with this one.

Neither conda nor Apptainer is needed: commands of their names do what Snakemake asks them for.
"""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from support import users_file
from workflow.clone import REPOSITORY
from workflow.small_study import small_config

RENDERED = "results/sources/synthetic/test/test_0"
TRAINED = "results/checkpoints/synthetic/semantic/joint/seed0.safetensors"
THERE = ("results/frames/synthetic/stills.h5", TRAINED.replace("joint", "main_task"))

CONDA = """#!/bin/sh
case "$1 $2" in
  "info --json") echo '{"conda_prefix": "'"$BASE"'", "platform": "linux-64"}' ;;
  "--version ") echo "conda 25.1.1" ;;
  "config --get") echo '{"get": {"channel_priority": "strict"}}' ;;
  "env create")
    for prefix in "$@"; do :; done
    mkdir -p "$prefix/bin" && cp "$BASE/python" "$prefix/bin" ;;
  "clean -y") ;;
  *) exit 1 ;;
esac
"""
ACTIVATE = 'export CONDA_PREFIX="$1" PATH="$1/bin:$PATH"\n'
# Of what is long or would install something, only the words are kept.
PYTHON = """#!/bin/sh
echo "$CONDA_PREFIX: ${PYTHONPATH-} python $*" >> "$CALLS"
case "$*" in
  "-m pip "*) ;;
  *" -m torch.distributed.run "*)
    while [ $# -gt 0 ]; do
      case "$1" in --output|--history) touch "$2" ;; esac
      shift
    done ;;
  *) exec "$VENV/python" "$@" ;;
esac
"""

# An image, here, is a folder with a bin of its own.
APPTAINER = """#!/bin/sh
[ "$1" = --version ] && echo "apptainer version 1.3.4" && exit
echo "apptainer $*" >> "$CALLS"
while [ "$1" != image.sif ]; do shift; done
export PATH="$PWD/image.sif/bin:/usr/bin:/bin"
shift
exec "$@"
"""
IN_IMAGE = """#!/bin/sh
echo "image: videottt $*" >> "$CALLS"
exec "$VENV/videottt" "$@"
"""


class Machine:
    """A working directory, and commands that come before those of this machine."""

    def __init__(self, root, monkeypatch):
        self.root = root
        (root / "config.yaml").write_text(users_file(small_config()))
        self.calls = root / "calls"
        monkeypatch.setenv("PATH", f"{root / 'bin'}:{os.environ['PATH']}")
        for name, path in {"BASE": root / "base", "CALLS": self.calls}.items():
            monkeypatch.setenv(name, str(path))
        monkeypatch.setenv("VENV", str(Path(sys.executable).parent))

    def command(self, name, text):
        file = self.root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(0o755)

    def snakemake(self, *arguments):
        command = [sys.executable, "-m", "snakemake", "--cores", "1"]
        command += ["--snakefile", REPOSITORY / "workflow/Snakefile", *arguments]
        return subprocess.run(command, cwd=self.root, capture_output=True, text=True, check=False)

    def called(self):
        return self.calls.read_text().splitlines()


@pytest.fixture
def machine(tmp_path, monkeypatch):
    return Machine(tmp_path, monkeypatch)


@pytest.mark.workflow
def test_in_a_conda_environment_jobs_run_with_its_python_and_this_source(machine):
    machine.command("bin/conda", CONDA)
    machine.command("base/bin/activate", ACTIVATE)
    machine.command("base/python", PYTHON)
    for path in THERE:
        (machine.root / path).parent.mkdir(parents=True, exist_ok=True)
        (machine.root / path).write_text("there")
    result = machine.snakemake(
        *("--sdm", "conda", "--rerun-triggers", "mtime", "--config", "training_processes=2"),
        *("--", RENDERED, TRAINED),
    )
    assert result.returncode == 0, result.stderr[-4000:]
    assert (machine.root / RENDERED).is_dir()
    environments, calls = zip(*(call.split(": ", 1) for call in machine.called()), strict=True)
    (environment,) = set(environments)
    assert Path(environment).parent == machine.root / ".snakemake/conda"
    setup, *jobs = calls
    no_dependencies = (REPOSITORY / "requirements-no-deps.lock").read_text().split()[-1]
    assert setup == f" python -m pip install --no-deps {no_dependencies}"
    source = REPOSITORY / "src"
    torchrun = "-P -m torch.distributed.run --standalone --nproc-per-node 2 -m videottt train "
    for wanted in ("-P -m videottt render ", torchrun):
        (job,) = (job for job in jobs if f"python {wanted}" in job)
        assert job.startswith(f"{source} python {wanted}")
        jobs.remove(job)
    assert not jobs


@pytest.mark.workflow
def test_an_image_runs_every_job_with_its_own_package_once_it_is_asked_for(machine):
    machine.command("bin/apptainer", APPTAINER)
    machine.command("image.sif/bin/videottt", IN_IMAGE)
    image = ("--config", "container=image.sif", "--", RENDERED)
    without = machine.snakemake("-n", "-p", *image)
    assert without.returncode == 0, without.stderr[-4000:]
    assert not machine.calls.exists()
    result = machine.snakemake("--sdm", "apptainer", "--apptainer-args=--nv", *image)
    assert result.returncode == 0, result.stderr[-4000:]
    assert (machine.root / RENDERED).is_dir()
    calls = machine.calls.read_text()
    started, ran = (calls.index(each) for each in ("apptainer ", "\nimage: videottt render "))
    assert started < ran
    words = shlex.split(calls[started:ran].split(" -c ", 1)[0])
    assert words[1] == "exec"
    assert "--nv" in words
    assert words[-2:] == ["image.sif", "bash"]


@pytest.mark.workflow
def test_without_an_image_apptainer_is_refused_before_any_job(machine):
    result = machine.snakemake("--sdm", "apptainer", "--", RENDERED)
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1].startswith("videottt: error: --sdm apptainer: no image")
