"""Choose the device of a job, and measure its memory."""

import contextlib
import logging
import re
import resource
import sys
from pathlib import Path

import torch

from videottt.core.errors import InputError
from videottt.runtime.gpus import lease_gpu
from videottt.runtime.precision import allow_tf32

logger = logging.getLogger(__name__)

# Share of a GPU's free memory that a batch may be reckoned to need; the rest is for fragments.
FILLED = 0.9
# What Linux tells of this process.
STATUS = Path("/proc/self/status")


def prepare_device(name: str, threads: int) -> torch.device:
    """Return the device for `name`, limit torch to `threads` CPU threads, and set its arithmetic.

    "auto" and "cuda" lease a GPU that no other job uses, until this process ends. "cuda:N" takes
    GPU N without a lease. For the life of the process, a GPU's float32 is not TF32.

    Args:
        name: "auto" (a GPU if one is visible, else the CPU), "cpu", "cuda" or "cuda:N".
        threads: CPU threads.

    Raises:
        InputError: this machine has no such device.
    """
    torch.set_num_threads(threads)
    allow_tf32(False)
    if name in ("auto", "cuda"):
        gpu = lease_gpu()
        usable = torch.cuda.is_available()
        if name == "auto":
            name = "cuda" if usable else "cpu"
            if not usable:
                reason = f"this torch cannot use {gpu.name}" if gpu else "no GPU is visible"
                logger.info("%s: using the CPU", reason)
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"device '{name}' cannot be used ({reason}); use auto or cpu") from None
    label = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{threads} thread(s)"
    logger.info("device: %s (%s)", device, label)
    return device


def fitting_micro_batch(batch: int, one: int, free: int) -> int:
    """Return the largest micro-batch that fits into memory and cuts a batch into equal parts.

    Args:
        batch: images of an update.
        one: bytes that one image needs.
        free: bytes that are free.
    """
    fitting = min(max(int(FILLED * free / max(one, 1)), 1), batch)
    parts = -(-batch // fitting)
    return -(-batch // parts)


def free_memory(device: torch.device) -> int:
    """Return the bytes of a GPU that this process may still fill: free ones, and its cache."""
    free, _ = torch.cuda.mem_get_info(device)
    return int(free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device))


def peak_memory(device: torch.device) -> int:
    """Return the peak of the memory that holds a job's model so far, in bytes.

    On a GPU this is `gpu_peak`, on a CPU `resident_peak`.
    """
    return int(gpu_peak(device)) if device.type == "cuda" else resident_peak()


def gpu_peak(device: torch.device) -> float:
    """Return the most memory that torch had allocated on a GPU so far, in bytes; NaN on a CPU."""
    if device.type != "cuda":
        return float("nan")
    return float(torch.cuda.max_memory_allocated(device))


def resident_peak() -> int:
    """Return the largest resident memory of this process so far, in bytes, libraries included."""
    # Preferred, because Linux starts `ru_maxrss` with the memory of the process that started this
    # one, such as Snakemake's or a shell's.
    with contextlib.suppress(OSError):
        peak = re.search(r"^VmHWM:\s*(\d+) kB$", STATUS.read_text(), re.MULTILINE)
        if peak:
            return int(peak[1]) * 1024
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux counts in KiB, macOS in bytes.
    return largest if sys.platform == "darwin" else largest * 1024


def device_label(device: torch.device) -> str:
    """Return the device as provenance records it: "cpu", or "cuda" and the GPU's name."""
    if device.type != "cuda":
        return device.type
    return f"cuda ({torch.cuda.get_device_name(device)})"
