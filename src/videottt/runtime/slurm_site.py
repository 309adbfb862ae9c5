"""Read what the SLURM profiles need to know of a cluster: slurm.yaml, the user's own small file.

The profiles (workflow/profiles/slurm-*/) ask here while Snakemake reads them.
"""

import os
import sys
from pathlib import Path
from typing import Any

import yaml

from videottt.core.annotations import Count
from videottt.core.errors import InputError
from videottt.core.paths import named_path
from videottt.core.settings import build_settings, settings

SITE = "slurm.yaml"
# Names another file.
SITE_VARIABLE = "VIDEOTTT_SLURM"
# What asks for ever more is never run: a job asks for this many times its first request at most.
MOST_TIMES = 3


@settings
class Site:
    """What a cluster wants to be told; every key may be left out.

    Attributes:
        account: account that jobs are charged to.
        partition: partition of GPU jobs, and of CPU jobs too unless `cpu_partition` is set.
        cpu_partition: partition of jobs without a GPU.
        qos: quality of service.
        constraint: node features that GPU jobs require.
        gpu_model: name of the GPUs to ask for, as in `--gpus=a100:1`.
        max_runtime_min: minutes that a job may ask for; a job that is not done by then saves its
            state, and the next one goes on from it.
        max_mem_gb: gigabytes of memory that a job may ask for.
        jobs: most jobs at once, waiting or running.
        extra: further options of sbatch.
    """

    account: str | None = None
    partition: str | None = None
    cpu_partition: str | None = None
    qos: str | None = None
    constraint: str | None = None
    gpu_model: str | None = None
    max_runtime_min: Count = 1440
    max_mem_gb: Count = 128
    jobs: Count = 100
    extra: str = ""

    def job(self, minutes: int, gigabytes: int) -> dict[str, Any]:
        """Return what a job without a GPU asks for, as Snakemake's resources.

        Args:
            minutes: at the first attempt; twice and three times as many at the next.
            gigabytes: likewise.
        """
        attempts = f"min(attempt, {MOST_TIMES})"
        # Appending keeps what a job said before it was requeued.
        named = {
            "slurm_account": self.account,
            "slurm_partition": self.cpu_partition or self.partition,
            "qos": self.qos,
            "slurm_extra": f"--open-mode=append {self.extra}".strip(),
        }
        return {
            "runtime": f"min({minutes} * {attempts}, {self.max_runtime_min})",
            "mem_mb": f"min({gigabytes} * {attempts}, {self.max_mem_gb}) * 1000",
            **_texts(named),
        }

    def gpu_job(self, minutes: int, gigabytes: int, gpus: int = 1) -> dict[str, Any]:
        """Return what a job with GPUs asks for where --gpus is understood; others as of `job`."""
        named = {
            "slurm_partition": self.partition,
            "constraint": self.constraint,
            "gpu_model": self.gpu_model,
        }
        return {**self.job(minutes, gigabytes), "gpu": gpus, **_texts(named)}

    def gres_job(self, minutes: int, gigabytes: int, gpus: int = 1) -> dict[str, Any]:
        """Return what a job with GPUs asks for where --gres is understood; others as of `job`."""
        kind = f":{self.gpu_model}" if self.gpu_model else ""
        named = {
            "slurm_partition": self.partition,
            "constraint": self.constraint,
            "gres": f"gpu{kind}:{gpus}",
        }
        return {**self.job(minutes, gigabytes), "gpu": 0, **_texts(named)}


def _texts(named: dict[str, str | None]) -> dict[str, str]:
    """Return what is there, quoted: Snakemake would evaluate it."""
    return {name: repr(value) for name, value in named.items() if value}


def read_site() -> Site:
    """Return what slurm.yaml of this folder says, or the file that VIDEOTTT_SLURM names.

    Raises:
        InputError: one is named that is not there, or it says something that is not to be said.
    """
    named = os.environ.get(SITE_VARIABLE)
    path = named_path(named or SITE)
    if not path.exists() and not named:
        return Site()
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path}: cannot be read ({reason}); see docs/cluster.md") from None
    return build_settings(Site, {} if values is None else values, str(path))


def site_or_exit() -> Site:
    """Return what slurm.yaml says; what is wrong with it is one line, and the end of Snakemake."""
    try:
        return read_site()
    except InputError as error:
        sys.exit(f"videottt: error: {error}")


def training_processes(config: Path = Path("config.yaml")) -> int:
    """Return how many processes, each with a GPU, share a training: what config.yaml says, or 1."""
    try:
        return int(yaml.safe_load(config.read_text(encoding="utf-8"))["training_processes"])
    # Whatever is wrong with it, the rules say so.
    except (OSError, ValueError, yaml.YAMLError, KeyError, TypeError, RecursionError):
        return 1


def prefer_commands(folder: Path) -> None:
    """Let this process, and the jobs that it submits, find commands in a folder before others.

    Those of workflow/slurm/ stand for SLURM's own, and know what Snakemake does not.
    """
    os.environ["PATH"] = os.pathsep.join([str(folder), os.environ.get("PATH", os.defpath)])
    # Snakemake hides what begins with SLURM from the steps of jobs.
    os.environ.setdefault("VIDEOTTT_SLURM_CONF", os.environ.get("SLURM_CONF", ""))
