"""Find the GPUs of this machine, and lease each to one job at a time.

Neither Snakemake nor CUDA spreads jobs over several GPUs: all would take the first. A lease is a
locked file. The system unlocks it when the process that holds it ends, however it ends.
"""

import itertools
import logging
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from videottt.core.errors import InputError
from videottt.runtime.nvml import Gpu, installed_gpus

if TYPE_CHECKING:
    from filelock import FileLock

logger = logging.getLogger(__name__)

VISIBLE = "CUDA_VISIBLE_DEVICES"
# How many jobs may share a GPU; of config.yaml, which is no reason to run anything again.
JOBS_PER_GPU = "VIDEOTTT_JOBS_PER_GPU"
# Seconds between two looks for a GPU that is free.
POLL = 0.5

# GPU's id -> the lease of this process: a lock that is dropped is given back.
_leases: dict[str, "FileLock"] = {}


def visible_gpus() -> list[Gpu]:
    """Return the GPUs that a process which is started here may use, in the order of their numbers.

    They are those of the driver that CUDA_VISIBLE_DEVICES leaves, whose numbers are taken to be
    those of the driver (and of `nvidia-smi`). Without a driver there are none.
    """
    wanted = os.environ.get(VISIBLE)
    if wanted is not None and not wanted.strip():
        return []
    whole = installed_gpus()
    if wanted is None:
        return list(itertools.chain.from_iterable(parts or [gpu] for gpu, parts in whole))
    gpus = [gpu for gpu, _ in whole]
    every_part = list(itertools.chain.from_iterable(parts for _, parts in whole))
    visible: list[Gpu] = []
    for entry in wanted.split(","):
        chosen = _chosen(entry.strip(), gpus, every_part)
        # CUDA leaves out whatever follows the first that it does not know.
        if chosen is None:
            break
        visible.append(chosen)
    return visible


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
    for gpu in gpus:
        if gpu.id in _leases:
            return gpu
    # The second place on a GPU comes after all first ones.
    folder = lease_folder()
    places = [
        (folder / f"{gpu.id}.{place}.lock", gpu)
        for place, gpu in itertools.product(range(jobs_per_gpu()), gpus)
    ]
    told = False
    while True:
        for path, gpu in places:
            if _leased(gpu, path):
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


def _leased(gpu: Gpu, path: Path) -> bool:
    """Lock a file until this process ends; return whether nobody else has it."""
    # Not for every job that only asks for the GPUs.
    from filelock import FileLock, Timeout

    # Where the system has no locks nothing else will do: it would outlive the process. A child
    # of this process has none of it, and a lock of one thread would end with the thread.
    lock = FileLock(path, mode=0o600, thread_local=False, fallback_to_soft=False)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return False
    _leases[gpu.id] = lock
    path.write_text(f"{os.getpid()}\n", encoding="ascii")
    return True


def _holder(path: Path) -> str:
    """Return the process that has a lease, or had it last."""
    return path.read_text(encoding="ascii").strip() or "?"
