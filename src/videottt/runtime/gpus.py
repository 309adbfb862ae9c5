"""The GPUs of this machine, one lease for each job that runs on one.

Neither Snakemake nor CUDA spreads jobs over several GPUs: all would take the first. A lease is a
locked file. The system unlocks it when the process that holds it ends, however it ends.
"""

import fcntl
import itertools
import logging
import os
import re
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from videottt.core.errors import InputError

logger = logging.getLogger(__name__)

VISIBLE = "CUDA_VISIBLE_DEVICES"
# How many jobs may share a GPU; of config.yaml, which is no reason to run anything again.
JOBS_PER_GPU = "VIDEOTTT_JOBS_PER_GPU"
# Seconds between two looks for a GPU that is free.
POLL = 0.5

_GPU = re.compile(r"GPU \d+: (?P<name>.+) \(UUID: (?P<id>\S+)\)")
_PART = re.compile(r"\s+MIG (?P<name>.+?)\s+Device\s+\d+: \(UUID: (?P<id>\S+)\)")


@dataclass(frozen=True)
class Gpu:
    """A GPU, or a part of one (MIG), that CUDA would use.

    Attributes:
        id: its UUID, the same for every process of the machine.
        name: of its model.
    """

    id: str
    name: str


def visible_gpus() -> list[Gpu]:
    """Return the GPUs that a process which is started here may use, in the order of their numbers.

    They are those of `nvidia-smi` that CUDA_VISIBLE_DEVICES leaves, whose numbers are taken to be
    those of `nvidia-smi`. Without a driver there are none.
    """
    wanted = os.environ.get(VISIBLE)
    if wanted is not None and not wanted.strip():
        return []
    try:
        listed = subprocess.run(
            ["nvidia-smi", "--list-gpus"], capture_output=True, text=True, timeout=60, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return []
    whole = _listed(listed.stdout) if listed.returncode == 0 else []
    parts = list(itertools.chain.from_iterable(each for _, each in whole))
    if wanted is None:
        return list(itertools.chain.from_iterable(parts or [gpu] for gpu, parts in whole))
    found: list[Gpu] = []
    for entry in (each.strip() for each in wanted.split(",")):
        chosen = _chosen(entry, [gpu for gpu, _ in whole], parts)
        # CUDA leaves out whatever follows the first that it does not know.
        if chosen is None:
            break
        found.append(chosen)
    return found


def _listed(text: str) -> list[tuple[Gpu, list[Gpu]]]:
    """Return the GPUs that `nvidia-smi --list-gpus` names, each with its parts."""
    found: list[tuple[Gpu, list[Gpu]]] = []
    for line in text.splitlines():
        if gpu := _GPU.match(line):
            found.append((Gpu(gpu["id"], gpu["name"]), []))
        elif found and (part := _PART.match(line)):
            found[-1][1].append(Gpu(part["id"], f"{found[-1][0].name} MIG {part['name']}"))
    return found


def _chosen(entry: str, gpus: Sequence[Gpu], parts: Sequence[Gpu]) -> Gpu | None:
    """Return what an entry of CUDA_VISIBLE_DEVICES stands for: a number, or how a UUID begins."""
    if entry.isdecimal():
        return gpus[int(entry)] if int(entry) < len(gpus) else None
    found = [each for each in (*gpus, *parts) if entry and each.id.startswith(entry)]
    return found[0] if len(found) == 1 else None


def jobs_per_gpu() -> int:
    """Return how many jobs may share a GPU.

    Raises:
        InputError: the environment says something that is no number above 0.
    """
    text = os.environ.get(JOBS_PER_GPU, "1")
    if not text.isdecimal() or int(text) < 1:
        raise InputError(f"{JOBS_PER_GPU}: is '{text}', but must be a whole number of at least 1")
    return int(text)


def lease_gpu() -> Gpu | None:
    """Take a GPU until this process ends, and let it see no other; wait for one that is free.

    To be called before CUDA is asked for anything. A second call takes nothing more.

    Returns:
        the GPU; None if none is visible, of which nothing is leased.

    Raises:
        InputError: the locks cannot be kept.
    """
    gpus = visible_gpus()
    if not gpus:
        return None
    # The second place on a GPU comes after all first ones.
    folder = lease_folder()
    places = [
        (folder / f"{gpu.id}.{place}.lock", gpu)
        for place, gpu in itertools.product(range(jobs_per_gpu()), gpus)
    ]
    own = str(os.getpid())
    for path, gpu in places:
        if path.exists() and _holder(path) == own and not _locked(path):
            return gpu
    told = False
    while True:
        for path, gpu in places:
            if _locked(path):
                os.environ[VISIBLE] = gpu.id
                logger.info("GPU %s (%s) is this job's", gpu.id, gpu.name)
                return gpu
        if not told:
            taken = ", ".join(f"{gpu.name} by process {_holder(path)}" for path, gpu in places)
            logger.info("every GPU is taken (%s): waiting until one is free", taken)
            told = True
        time.sleep(POLL)


def lease_folder() -> Path:
    """Return the folder of the leases of this user on this machine, in one of its allocations.

    Inside an allocation of SLURM the GPUs are nobody else's.

    Raises:
        InputError: it cannot be made, or is another user's.
    """
    allocation = os.environ.get("SLURM_JOB_ID", "")
    suffix = f"-{allocation}" if allocation.isdecimal() else ""
    folder = Path(tempfile.gettempdir()) / f"videottt-gpus-{os.getuid()}{suffix}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        owner = folder.lstat().st_uid
    except OSError as error:
        raise InputError(
            f"{folder}: cannot keep the leases of GPUs here ({error.strerror}); set TMPDIR to a "
            "folder of this machine"
        ) from None
    if folder.is_symlink() or owner != os.getuid():
        raise InputError(f"{folder}: is another user's; set TMPDIR to a folder of your own")
    return folder


def _locked(path: Path) -> bool:
    """Lock a file until this process ends; return whether nobody else has it."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        return False
    # The file stays open on purpose: closing it would give the lock back.
    os.ftruncate(file, 0)
    os.write(file, f"{os.getpid()}\n".encode())
    return True


def _holder(path: Path) -> str:
    """Return the process that has a lease, or had it last."""
    return path.read_text(encoding="ascii").strip() or "?"
