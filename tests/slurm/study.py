"""A cluster of its own for the tests, and a small study that runs on it through the profiles."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import yaml
from filelock import SoftFileLease

from support import pretend_gpus, users_file
from videottt.runtime.saved_state import target_id
from workflow.test_workflow import small_config

REPOSITORY = Path(__file__).parents[2]
CLUSTER = Path(__file__).parent / "cluster.sh"
POLLING = Path(__file__).parent / "polling.py"
GPUS = ("GPU-first", "GPU-second")
# Seconds that anything may take on a busy machine.
PATIENCE = 150
TARGET = "results/predictions/synthetic/semantic/{}/seed0/test_0.h5"


def until(seen, what):
    """Wait until something is seen, and return it."""
    end = time.monotonic() + PATIENCE
    while not (found := seen()):
        assert time.monotonic() < end, f"not within {PATIENCE} s: {what}"
        time.sleep(0.1)
    return found


class Cluster:
    """A running SLURM."""

    def __init__(self, folder):
        self.folder = folder
        self.environment = {**os.environ, "SLURM_CONF": str(folder / "slurm.conf")}
        for name in ("VIDEOTTT_SLURM", "CUDA_VISIBLE_DEVICES"):
            self.environment.pop(name, None)

    def up(self):
        self._script("up", self.folder)

    def down(self):
        self._script("down", self.folder)

    def controller(self, what):
        self._script("controller", self.folder, what)

    def node(self, state):
        """Take the node away, or give it back; it may have come back by itself."""
        name = self.run("sinfo", "--noheader", "--format=%n").split()[0]
        change = ["scontrol", "update", f"nodename={name}", f"state={state}", "reason=test"]
        subprocess.run(change, env=self.environment, timeout=30, capture_output=True, check=False)

    def run(self, *command):
        """Run a command of SLURM, and return what it says; its controller may be away at first."""

        def said():
            done = subprocess.run(
                command,
                env=self.environment,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            return None if done.returncode else (done.stdout,)

        return until(said, f"{command} succeeds")[0]

    def jobs(self, shown="%i|%T|%j|%k"):
        """Return all jobs, also those that have ended: (id, state, name, comment)."""
        text = self.run("squeue", "--noheader", "--states=all", f"--format={shown}")
        return [tuple(line.split("|")) for line in text.splitlines()]

    def running(self, method):
        """Return the id of the running job of a method, if there is one."""
        found = [
            i for i, state, _, note in self.jobs() if state == "RUNNING" and f"_{method}_" in note
        ]
        return found[0] if found else None

    def _script(self, *words):
        # Not through a pipe: the daemons would keep it open.
        subprocess.run([CLUSTER, *map(str, words)], env=self.environment, timeout=120, check=True)


class Study:
    """A working directory of its own, with the repository's workflow and a cluster to run it on."""

    def __init__(self, root, cluster, methods, frames):
        self.root = root
        self.cluster = cluster
        self._runs = []
        pretended = [(name, "Pretended") for name in GPUS]
        library = pretend_gpus(root / "library", *pretended)
        self.environment = {**cluster.environment, "PYTHONPATH": library}
        config = small_config()
        study = config["studies"]["tiny_demo"]
        for key in ("selection", "sweeps", "sizes"):
            study.pop(key, None)
        study["streams"] = {"synthetic": ["semantic"]}
        study["methods"] = ["main_task_only", "online_ttt_mae"]
        config["datasets"]["synthetic"]["render"]["videos"]["test_0"]["frames"] = frames
        for method in methods:
            config["methods"][method] = {**config["methods"]["online_ttt_mae"], "steps": 2}
        config["save_every"] = 0
        (root / "config.yaml").write_text(users_file(config))
        self.site()

    def site(self, name="slurm.yaml", **values):
        """Write what the user says of the cluster."""
        path = self.root / name
        path.write_text(yaml.safe_dump({"partition": "gpu", "max_mem_gb": 2, **values}))
        return path

    def start(self, *words, profile="slurm-gpu", site=None):
        """Start Snakemake; what it says is kept."""
        command = [sys.executable, POLLING, "--snakefile", REPOSITORY / "workflow/Snakefile",
                   "--workflow-profile", profile, "--latency-wait", "10",
                   "--slurm-init-seconds-before-status-checks", "2", *words]  # fmt: skip
        log = self.root / f"snakemake{len(self._runs)}.log"
        with log.open("w") as file:
            process = subprocess.Popen(
                list(map(str, command)),
                cwd=self.root,
                env={**self.environment, **({"VIDEOTTT_SLURM": str(site)} if site else {})},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                process_group=0,
            )
        process.said = log.read_text
        self._runs.append(process)
        return process

    def run(self, *words, **options):
        return self.end(self.start(*words, **options))

    def end(self, process):
        """Wait until Snakemake has ended well, and return what it said."""
        try:
            status = process.wait(PATIENCE * 2)
        except subprocess.TimeoutExpired:
            status = "none: it hangs"
        said = process.said()
        shown = [line[:200] for line in said.splitlines()]
        assert status == 0, f"{status}: {shown[-60:]}"
        return said

    def local(self, *words):
        """Run Snakemake without the cluster."""
        command = [sys.executable, "-m", "snakemake", "--snakefile"]
        command += [REPOSITORY / "workflow/Snakefile", "--cores", "1", *words]
        subprocess.run(list(map(str, command)), cwd=self.root, check=True, capture_output=True)

    def close(self):
        for process in self._runs:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def states(self, method):
        """Return how many states the job of a method has saved so far."""
        folder = self.root / "results/state"
        name = target_id(folder, self.root / TARGET.format(method))
        return max((int(path.stem) for path in folder.glob(f"{name}-*/[0-9]*.state")), default=0)

    def process(self, method):
        """Return the process that makes the predictions of a method."""
        folder = self.root / "results/state"
        path = folder / f"{target_id(folder, self.root / TARGET.format(method))}.claim"
        owner = SoftFileLease(path, lease_duration=60).owner
        return owner.pid if owner and self.alive(owner.pid) else None

    def stopped(self, method, states):
        """Stop the process of a method that has saved so many states, and return it."""
        until(lambda: self.states(method) >= states, f"{method}: {states} states")
        process = until(lambda: self.process(method), f"{method}: its process")
        self.signal(process, signal.SIGSTOP)
        return process

    def signal(self, process, number):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, number)

    def alive(self, process):
        """Return whether a process is there, and not only its exit status."""
        try:
            status = Path(f"/proc/{process}/status").read_text()
        except OSError:
            return False
        return not re.search(r"^State:\s+[ZX]", status, re.MULTILINE)

    def said(self, method):
        """Return all that the jobs of a method have said, of which the last began the log anew."""
        log = self.log(method)
        return log.read_text(errors="replace") if log.exists() else ""

    def log(self, method):
        path = TARGET.format(method).replace("results/", "results/logs/predict/", 1)
        return self.root / path.replace("predictions/", "", 1).replace(".h5", ".log")

    def resumed(self, method):
        """Return after how many frames the last job of a method went on."""
        found = re.search(r"resuming after (\d+) of", self.said(method))
        return int(found[1]) if found else 0
