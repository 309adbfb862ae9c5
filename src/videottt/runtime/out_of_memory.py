"""Recognize errors that say that memory ran out, and say how to mend what a machine limits."""

import re
from pathlib import Path

# torch has an exception type for GPUs only; on a CPU the message alone tells.
_ON_CPU = "DefaultCPUAllocator: "
# Where Linux keeps what processes share: batches of images, and semaphores.
SHARED_MEMORY = Path("/dev/shm")
MORE_SHARED_MEMORY = (
    f"enlarge {SHARED_MEMORY} (of a container: docker run --ipc host, or --shm-size=1g)"
)
# Data pass in files of shared memory, so that too few open files look alike.
_SHARED = re.compile(r"shared memory|ancdata|Too many open files")


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that a device, or this machine, has no memory left."""
    # Compared by name, because callers may not import torch.
    names = {kind.__name__ for kind in type(error).__mro__}
    return bool(names & {"OutOfMemoryError", "MemoryError"}) or _ON_CPU in str(error)


def is_out_of_shared_memory(error: BaseException) -> bool:
    """Return whether an error, or a cause of it, says that too little memory can be shared."""
    # Of a process that the system has ended, torch names the reason only in the cause.
    cause = error.__cause__
    found = _SHARED.search(str(error))
    return bool(found) or (cause is not None and is_out_of_shared_memory(cause))
