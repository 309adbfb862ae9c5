"""Run commands of this tree and of an earlier revision by turns, to compare what they take."""

import contextlib
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
NOW = "now"
WALL, PROCESSOR = "wall_seconds", "processor_seconds"


@dataclass(frozen=True)
class Taken:
    """What a command took.

    Attributes:
        wall: seconds until it ended.
        processor: seconds of processor time.
        peak: resident memory in MB.
        output: what it printed.
    """

    wall: float
    processor: float
    peak: float
    output: str


@contextlib.contextmanager
def trees(revision: str | None) -> Iterator[dict[str, Path]]:
    """Yield the tree of the project, and that of an earlier revision beside it, by name."""
    if revision is None:
        yield {NOW: ROOT}
        return
    with tempfile.TemporaryDirectory() as folder:
        archive = subprocess.run(
            ["git", "archive", revision], cwd=ROOT, check=True, stdout=subprocess.PIPE
        ).stdout
        subprocess.run(["tar", "-x", "-C", folder], input=archive, check=True)
        yield {NOW: ROOT, revision: Path(folder)}


def taken(command: Sequence[str], tree: Path, folder: Path) -> Taken:
    """Run Python with some arguments in a folder, with the package of a tree, on one thread.

    Raises:
        RuntimeError: the command failed; with what it said.
    """
    environment = {**os.environ, "PYTHONPATH": str(tree / "src"), "OMP_NUM_THREADS": "1"}
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    start = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-P", *command],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        output = process.stdout.read()
        # Of this process alone, and of its children.
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - start
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)}: {output}")
    return Taken(wall, _processor(used), used.ru_maxrss / 1024, output)


def _processor(used: resource.struct_rusage) -> float:
    return used.ru_utime + used.ru_stime


def compared(runs: Mapping[str, Sequence[Taken]]) -> dict[str, dict[str, float]]:
    """Return medians of what a command took in each tree, and the earlier one's over now's."""
    medians = {
        name: {
            WALL: statistics.median(run.wall for run in each),
            PROCESSOR: statistics.median(run.processor for run in each),
        }
        for name, each in runs.items()
    }
    now = medians[NOW]
    return {
        **medians,
        **{
            f"{earlier}_ratio": {unit: medians[earlier][unit] / now[unit] for unit in now}
            for earlier in medians
            if earlier != NOW
        },
    }
