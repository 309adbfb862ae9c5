"""The device a job runs on."""

import logging
import resource
import sys

import torch

from videottt.core.errors import InputError
from videottt.runtime.gpus import lease_gpu

logger = logging.getLogger(__name__)


def prepare_device(name: str, threads: int) -> torch.device:
    """Return the device for `name` and limit torch to `threads` CPU threads.

    Of several GPUs it is one that no other job has: it is leased until this process ends. One that
    is named by its number is taken as it is.

    Args:
        name: "auto" (a GPU if one is visible, else the CPU), "cpu", "cuda" or "cuda:N".
        threads: CPU threads.

    Raises:
        InputError: the device does not exist here.
    """
    torch.set_num_threads(threads)
    if name in ("auto", "cuda"):
        gpu = lease_gpu()
        usable = torch.cuda.is_available()
        if name == "auto":
            name = "cuda" if usable else "cpu"
            if not usable:
                why = f"this torch cannot use {gpu.name}" if gpu else "no GPU is visible"
                logger.info("%s: the CPU is used", why)
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
    """Return the most memory that this process has used so far, in bytes.

    On a GPU what torch allocated there; on a CPU the resident memory, libraries included.
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux counts in KiB, macOS in bytes.
    return largest if sys.platform == "darwin" else largest * 1024


def device_label(device: torch.device) -> str:
    """Return what a device is to the numbers of a result: "cpu", or "cuda" and the GPU's name."""
    if device.type != "cuda":
        return device.type
    return f"cuda ({torch.cuda.get_device_name(device)})"
