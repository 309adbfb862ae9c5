"""The study on a real SLURM, through the profiles, and what may happen to its jobs there.

The cluster is one node of this machine, with two pretended GPUs: `make test-slurm`.
"""

import os
import shutil
import signal
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event, Lock

import pandas as pd
import pytest

from slurm.study import GPUS, PATIENCE, TARGET, Cluster, Study, until
from support import contents

# One for everything that may happen. They differ in name only, and so must make the same.
HAPPENING = (
    "killed", "cancelled", "requeued", "without_controller", "node_failed", "preempted",
    "cut_short",
)  # fmt: skip
TWICE, ORPHAN, REFERENCE = "twice", "orphan", "reference"
FRAMES = 16
# Whatever happens, happens when a job has made so many of them at least.
BEGUN = 3

pytestmark = [pytest.mark.slurm, pytest.mark.workflow]


@pytest.fixture(scope="module")
def cluster():
    if not os.environ.get("VIDEOTTT_SLURM_TESTS"):
        pytest.skip("a SLURM of its own: make test-slurm")
    if os.getuid() or not all(map(shutil.which, ("slurmctld", "slurmd", "munged"))):
        pytest.skip("needs root, and tests/slurm/cluster.sh install")
    # munge refuses a socket below a folder of one user's own, as pytest's are.
    with tempfile.TemporaryDirectory(prefix="slurm") as folder:
        Path(folder).chmod(0o755)
        cluster = Cluster(Path(folder))
        cluster.up()
        yield cluster
        cluster.down()


@pytest.fixture(scope="module")
def study(cluster, tmp_path_factory):
    methods = [*HAPPENING, TWICE, ORPHAN, REFERENCE]
    study = Study(tmp_path_factory.mktemp("study"), cluster, methods, FRAMES)
    study.local("results/frames/synthetic/stills.h5", "results/frames/synthetic/test_0.h5")
    study.run("results/tables/tiny_demo/table1.md", TARGET.format(REFERENCE))
    yield study
    study.close()


def predictions(study, method):
    """Return everything that a method has predicted, but for its name and what it cost."""
    found = contents(study.root / TARGET.format(method), without=("wall_time", "memory"))
    del found["attributes"]["method"]
    return found


def test_the_demo_runs_on_the_cluster_and_each_gpu_job_says_what_it_is(study, cluster):
    table = pd.read_csv(study.root / "results/tables/tiny_demo/table1.csv").set_index("method")
    assert table.test_pooled_mean.notna().all()
    gpus = {m: study.said(m) for m in ("main_task_only", "online_ttt_mae", REFERENCE)}
    for said in gpus.values():
        assert said.count(" is leased to this job") == 1
    # Two at a time, and as many GPUs.
    assert {name for name in GPUS if any(name in said for said in gpus.values())} == set(GPUS)
    jobs = {note: (state, name) for _, state, name, note in cluster.jobs()}
    state, name = jobs["rule_predict_wildcards_synthetic_semantic_reference_0_test_0"]
    assert state == "COMPLETED"
    assert name.startswith("videottt_")
    # Scores are one job, tables none.
    assert [note for note in jobs if "score" in note] == ["rule_scores_score"]
    assert not [note for note in jobs if "table" in note]
    log = study.root / "results/logs/slurm/rule_predict/synthetic_semantic_reference_0_test_0"
    assert len(list(log.glob("*.log"))) == 1
    assert not list((study.root / "results/state").iterdir())


class Happenings:
    """What happens to running jobs, once to each, and one after the other."""

    def __init__(self, study, cluster):
        self.study = study
        self.cluster = cluster
        self.lock = Lock()
        self.controller_is_back = Event()
        self.resumed = {}

    def happen_to(self, method):
        """Let it happen to the job of a method, when that is inside its video."""
        while True:
            process = self.study.stopped(method, BEGUN)
            with self.lock:
                job = self.cluster.running(method)
                # What happens to another may also end this one; then it goes on by itself.
                if job and self.study.alive(process):
                    getattr(self, method)(job, process)
                    self.study.signal(process, signal.SIGCONT)
                    break
        # It alone may not have been stopped.
        if method != "without_controller":
            self.note_resumed(method, process)

    def note_resumed(self, method, process):
        """Wait until the job of a method goes on, and note after how many frames.

        At once, because a job whose node fails when its last frame is made is run again as a whole,
        and begins its log anew.
        """

        def frames():
            other = self.study.process(method) not in (None, process)
            return other and self.study.resumed(method)

        self.resumed[method] = until(frames, f"{method}: goes on")

    def killed(self, job, process):
        self.study.signal(process, signal.SIGKILL)

    def cancelled(self, job, process):
        self.cluster.run("scancel", job)

    def requeued(self, job, process):
        self.cluster.run("scontrol", "requeue", job)

    def without_controller(self, job, process):
        """It is gone for longer than some looks at the jobs."""
        self.cluster.controller("stop")
        time.sleep(8)
        self.cluster.controller("start")
        self.controller_is_back.set()

    def node_failed(self, job, process):
        self.cluster.node("down")
        until(lambda: self.cluster.running("node_failed") != job, "the job is taken off its node")
        self.cluster.node("resume")

    def preempted(self, job, process):
        """Its partition cancels what it preempts; others would run it again."""
        self.cluster.run(
            "sbatch", "-p", "urgent", "--gpus=2", "-o", "/dev/null", "--wrap", "sleep 1"
        )
        until(lambda: self.cluster.running("preempted") != job, "the job is preempted")

    def cut_short(self):
        """It stands still until most of its minute is over."""
        while True:
            process = self.study.stopped("cut_short", BEGUN)
            end = time.monotonic() + 35
            while self.study.alive(process):
                if time.monotonic() > end:
                    self.study.signal(process, signal.SIGCONT)
                    self.note_resumed("cut_short", process)
                    return
                time.sleep(0.1)


# Of a job that need not have a GPU; there are two.
WITHOUT_GPU = ("--nolock", "--set-resources", "predict:gpu=0")


def test_whatever_happens_to_a_job_it_goes_on_inside_its_video_and_makes_the_same(study, cluster):
    happenings = Happenings(study, cluster)
    files = {method: TARGET.format(method) for method in HAPPENING}
    ordinary = HAPPENING[:-2]
    cancelling = study.site("cancelling.yaml", partition="cancelling")
    short = study.site("short.yaml", max_runtime_min=1)
    runs = [
        study.start(*(files[method] for method in ordinary)),
        study.start("--nolock", files["preempted"], profile="slurm-gres", site=cancelling),
    ]
    with ThreadPoolExecutor() as threads:
        happened = threads.map(happenings.happen_to, [*ordinary, "preempted"])
        # A job whose end cannot be asked for when it begins asks again only a minute later.
        happenings.controller_is_back.wait(PATIENCE)
        runs.append(study.start(*WITHOUT_GPU, "--", files["cut_short"], site=short))
        happenings.cut_short()
        list(happened)
    said = [study.end(run) for run in runs]
    assert "SLURM status is: 'CANCELLED'" in said[1]
    assert "stopped before the end of its SLURM allocation: the state is saved" in said[2]
    expected = predictions(study, REFERENCE)
    for method in HAPPENING:
        assert predictions(study, method) == expected, method
    assert min(happenings.resumed.values()) >= BEGUN - 1, happenings.resumed
    assert happenings.resumed.keys() == set(HAPPENING) - {"without_controller"}
    assert not list((study.root / "results/state").iterdir())


def test_two_submissions_of_a_job_and_a_rerun_beside_an_orphan_make_one_whole_file(study):
    twice, orphan = TARGET.format(TWICE), TARGET.format(ORPHAN)
    runs, lost = [study.start(twice)], study.start("--nolock", orphan)
    processes = [study.stopped(method, BEGUN) for method in (TWICE, ORPHAN)]
    lost.kill()
    lost.wait()
    runs += [study.start(*WITHOUT_GPU, "--", target) for target in (twice, orphan)]
    for method, process in zip((TWICE, ORPHAN), processes, strict=True):
        told = f"is being made by process {process} on "
        until(lambda method=method, told=told: told in study.said(method), f"{method}: waited for")
        study.signal(process, signal.SIGCONT)
    for run in runs:
        study.end(run)
    for method in (TWICE, ORPHAN):
        assert predictions(study, method) == predictions(study, REFERENCE)
    assert not list((study.root / "results/state").iterdir())
