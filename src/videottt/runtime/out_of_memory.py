"""Telling that memory ran out from other errors."""

# What torch says on a CPU, where it has no exception of its own for it.
_ON_CPU = "DefaultCPUAllocator: "


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that a device, or this machine, has no memory left."""
    # By its name, because this is asked where torch may not be imported.
    names = {kind.__name__ for kind in type(error).__mro__}
    return bool(names & {"OutOfMemoryError", "MemoryError"}) or _ON_CPU in str(error)
