"""Recognize errors that say that memory ran out."""

# torch has an exception type for GPUs only; on a CPU the message alone tells.
_ON_CPU = "DefaultCPUAllocator: "


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that a device, or this machine, has no memory left."""
    # Compared by name, because callers may not import torch.
    names = {kind.__name__ for kind in type(error).__mro__}
    return bool(names & {"OutOfMemoryError", "MemoryError"}) or _ON_CPU in str(error)
