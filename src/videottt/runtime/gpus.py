"""Find the GPUs of this machine, and lease each to one job at a time.

Neither Snakemake nor CUDA spreads jobs over several GPUs; without leases all jobs would use the
first. A lease is a locked file, which the system unlocks when its process ends, however it ends.
"""

import contextlib
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
# The number of jobs that may share a GPU; set from config.yaml, and a change re-runs nothing.
JOBS_PER_GPU = "VIDEOTTT_JOBS_PER_GPU"
# Seconds between two attempts to lease a GPU.
POLL = 0.5

# GPU's id -> this process's lease; a lock must stay referenced, or it is released.
_leases: dict[str, "FileLock"] = {}


def visible_gpus() -> list[Gpu]:
    """Return the GPUs that a process started here may use, in the order of their numbers.

    They are the driver's GPUs that CUDA_VISIBLE_DEVICES leaves; its numbers are taken as the
    driver's numbers, as `nvidia-smi` shows them. Without a driver there are none.
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
        # CUDA ignores everything after the first unknown entry.
        if chosen is None:
            break
        visible.append(chosen)
    return visible


def _chosen(entry: str, gpus: Sequence[Gpu], parts: Sequence[Gpu]) -> Gpu | None:
    """Return the GPU for an entry of CUDA_VISIBLE_DEVICES: a number, or the start of a UUID."""
    if entry.isdecimal():
        return gpus[int(entry)] if int(entry) < len(gpus) else None
    matches = [gpu for gpu in (*gpus, *parts) if entry and gpu.id.startswith(entry)]
    return matches[0] if len(matches) == 1 else None


def jobs_per_gpu() -> int:
    """Return how many jobs may share a GPU.

    Raises:
        InputError: VIDEOTTT_JOBS_PER_GPU is not a whole number of at least 1.
    """
    text = os.environ.get(JOBS_PER_GPU, "1")
    if not text.isdecimal() or int(text) < 1:
        raise InputError(
            f"{JOBS_PER_GPU}: is '{text}', but must be a whole number of at least 1; correct it"
        )
    return int(text)


def lease_gpu() -> Gpu | None:
    """Lease a GPU until this process ends, and hide all others; wait until one is free.

    Call this before the first use of CUDA. A second call returns the same GPU.

    Returns:
        the GPU; None if no GPU is visible.

    Raises:
        InputError: the folder of the leases cannot be used.
    """
    gpus = visible_gpus()
    if not gpus:
        return None
    for gpu in gpus:
        if gpu.id in _leases:
            return gpu
    # No GPU gets a second job before every GPU has one.
    places = [
        (f"{gpu.id}.{place}.lock", gpu)
        for place, gpu in itertools.product(range(jobs_per_gpu()), gpus)
    ]
    logged = False
    while True:
        # Made again where it was removed, as a cleaner of temporary files may do.
        folder = lease_folder()
        for name, gpu in places:
            if _leased(gpu, folder / name):
                os.environ[VISIBLE] = gpu.id
                logger.info("GPU %s (%s) is leased to this job", gpu.id, gpu.name)
                return gpu
        if not logged:
            taken = ", ".join(
                f"{gpu.name} by process {_holder(folder / name)}" for name, gpu in places
            )
            logger.info("every GPU is in use (%s); waiting until one is free", taken)
            logged = True
        time.sleep(POLL)


def lease_folder() -> Path:
    """Return the folder of this user's leases on this machine, one for each SLURM allocation.

    Allocations need no common folder: SLURM gives no GPU to two of them.

    Raises:
        InputError: the folder cannot be made, or belongs to another user.
    """
    allocation = os.environ.get("SLURM_JOB_ID", "")
    suffix = f"-{allocation}" if allocation.isdecimal() else ""
    try:
        folder = Path(tempfile.gettempdir()) / f"videottt-gpus-{os.getuid()}{suffix}"
    except FileNotFoundError:
        raise InputError(
            "no folder for temporary files can be written; set TMPDIR to one that can"
        ) from None
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        owner = folder.lstat().st_uid
    except OSError as error:
        raise InputError(
            f"{folder}: cannot make this folder for GPU leases ({error.strerror}); set TMPDIR to a "
            "writable local folder"
        ) from None
    if folder.is_symlink() or owner != os.getuid():
        raise InputError(f"{folder}: belongs to another user; set TMPDIR to your own folder")
    return folder


def _leased(gpu: Gpu, path: Path) -> bool:
    """Lock a file until this process ends; return whether the lock was free."""
    # Imported here, because most callers only list the GPUs.
    from filelock import FileLock, Timeout

    # A soft lock, used where a file system has no locks, would outlive a killed process. A lock of
    # one thread would end with that thread.
    lock = FileLock(path, mode=0o600, thread_local=False, fallback_to_soft=False)
    try:
        lock.acquire(blocking=False)
    # The folder may have been removed since it was made.
    except (Timeout, FileNotFoundError):
        return False
    _leases[gpu.id] = lock
    # Only a note for those who wait, for which a full disk has no room.
    with contextlib.suppress(OSError):
        path.write_text(f"{os.getpid()}\n", encoding="ascii")
    return True


def _holder(path: Path) -> str:
    """Return the id of the process that holds a lease, or held it last."""
    try:
        return path.read_text(encoding="ascii").strip() or "?"
    except FileNotFoundError:
        return "?"
