"""Choose the device of a job, and measure its memory."""

import logging
import resource
import sys

import torch

from videottt.core.errors import InputError
from videottt.runtime.gpus import lease_gpu

logger = logging.getLogger(__name__)


def prepare_device(name: str, threads: int) -> torch.device:
    """Return the device for `name` and limit torch to `threads` CPU threads.

    "auto" and "cuda" lease a GPU that no other job uses, until this process ends. "cuda:N" takes
    GPU N without a lease.

    Args:
        name: "auto" (a GPU if one is visible, else the CPU), "cpu", "cuda" or "cuda:N".
        threads: CPU threads.

    Raises:
        InputError: this machine has no such device.
    """
    torch.set_num_threads(threads)
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


def peak_memory(device: torch.device) -> int:
    """Return the peak memory of this process so far, in bytes.

    On a GPU this is the memory that torch allocated; on a CPU the resident memory, libraries
    included.
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux counts in KiB, macOS in bytes.
    return largest if sys.platform == "darwin" else largest * 1024


def device_label(device: torch.device) -> str:
    """Return the device as provenance records it: "cpu", or "cuda" and the GPU's name."""
    if device.type != "cuda":
        return device.type
    return f"cuda ({torch.cuda.get_device_name(device)})"
