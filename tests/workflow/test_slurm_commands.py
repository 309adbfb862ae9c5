"""What stands before SLURM's commands (workflow/slurm/), in front of pretended ones."""

import os
import subprocess

import pytest

from support import ROOT

COMMANDS = ROOT / "workflow/slurm"
# As Snakemake's executor asks.
QUEUE = ["squeue", "--format=%i|%T", "--states=all", "--noheader", "--name", "run"]
ACCOUNTING = [
    "sacct",
    "-X",
    "--parsable2",
    "--noheader",
    "--format=JobIdRaw,State",
    "--name",
    "run",
]


@pytest.fixture
def said(tmp_path):
    """Return a function: what a command says where SLURM's own are some scripts, and its status."""

    def run(words, environment=None, **scripts):
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        for name, script in scripts.items():
            (folder / name).write_text(f"#!/bin/sh\n{script}\n")
            (folder / name).chmod(0o755)
        path = os.pathsep.join([str(COMMANDS), str(folder), "/usr/bin", "/bin"])
        done = subprocess.run(
            words, env={"PATH": path, **(environment or {})}, capture_output=True, text=True
        )
        return done.stdout.splitlines(), done.returncode

    return run


def test_final_states_that_snakemake_waits_on_for_ever_are_named_otherwise(said):
    lines = "1|RUNNING\\n2|PREEMPTED\\n3|NODE_FAIL\\n4|COMPLETED\\n5|PENDING\\n"
    assert said(QUEUE, squeue=f"printf '{lines}'") == (
        ["1|RUNNING", "2|CANCELLED", "3|FAILED", "4|COMPLETED", "5|PENDING"],
        0,
    )
    assert said(QUEUE, squeue="true") == ([], 0)
    assert said(QUEUE, squeue="echo 1 >&2; exit 3") == ([], 3)


def test_accounting_is_asked_and_the_queue_of_what_may_run_again(said):
    accounted = "printf '1|COMPLETED\\n2|PREEMPTED\\n3|PREEMPTED\\n4|NODE_FAIL\\n5|RUNNING\\n'"
    queue = 'for job; do :; done; case $job in 2) echo "2|PENDING" ;; 3) echo "3|PREEMPTED" ;; esac'
    found = said(ACCOUNTING, sacct=accounted, squeue=queue)
    expected = ["1|COMPLETED", "2|PENDING", "3|CANCELLED", "4|FAILED", "5|RUNNING"]
    assert found == (expected, 0)


def test_the_queue_is_asked_where_accounting_is_off_away_or_missing(said):
    queue = 'echo "7|RUNNING"; echo "8|PREEMPTED"; echo "$@" >&2'
    off = "echo 'Slurm accounting storage is disabled' >&2; exit 1"
    for scripts in ({"sacct": off, "squeue": queue}, {"squeue": queue}):
        assert said(ACCOUNTING, **scripts) == (["7|RUNNING", "8|CANCELLED"], 0)
    # Neither answers: that is no answer, and is asked again.
    assert said(ACCOUNTING, sacct=off, squeue="exit 1")[1] != 0


@pytest.mark.parametrize(
    "words",
    [
        ["sacct", "-nu", "root", "-o", "Account%256", "|", "tail", "-1"],
        ["sacct", "-j", "12.0", "--format=Reason", "--noheader"],
    ],
)
def test_a_question_that_accounting_cannot_answer_is_no_error(said, words):
    assert said(words, sacct="exit 1") == ([], 0)
    assert said(words, sacct="echo lab") == (["lab"], 0)


def test_a_step_is_told_where_the_configuration_is(said):
    shown = 'echo "$SLURM_CONF"; for word; do echo "$word"; done; exit 4'
    told = {"VIDEOTTT_SLURM_CONF": "/a b/slurm.conf"}
    words = ["srun", "-n1", "a b", "$(touch x)"]
    assert said(words, told, srun=shown) == (["/a b/slurm.conf", *words[1:]], 4)
    assert said(words, {"VIDEOTTT_SLURM_CONF": ""}, srun=shown) == (["", *words[1:]], 4)
    assert said(words, {"SLURM_CONF": "/c"}, srun=shown) == (["/c", *words[1:]], 4)
