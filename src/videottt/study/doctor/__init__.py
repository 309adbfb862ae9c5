"""Find what would make a run fail, hang or be slow on a machine or a cluster."""

import shutil
from collections.abc import Iterator
from pathlib import Path

from videottt.study.doctor.findings import BAD, GOOD, WARNING, Finding
from videottt.study.doctor.machine import disk, gpus, packages
from videottt.study.doctor.slurm import ask, cluster
from videottt.study.doctor.surroundings import surroundings

__all__ = ["BAD", "GOOD", "WARNING", "Finding", "examine"]


def examine(results: Path) -> Iterator[Finding]:
    """Yield what there is to say of this machine, and of the cluster that it belongs to.

    Args:
        results: folder that results are written to.
    """
    yield from packages()
    yield gpus()
    yield from surroundings()
    yield from disk(results)
    if shutil.which("sbatch"):
        yield from cluster(ask)
    else:
        yield Finding(GOOD, "SLURM", "is not here: jobs run on this machine")
