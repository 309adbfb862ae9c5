"""List the GPUs that NVIDIA's driver knows."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Gpu:
    """A GPU, or a part of one (MIG), that CUDA would use.

    Attributes:
        id: its UUID, the same for every process of the machine.
        name: of its model.
    """

    id: str
    name: str


def installed_gpus() -> list[tuple[Gpu, list[Gpu]]]:
    """Return all GPUs that the driver knows, each with its parts; none if it does not answer."""
    # Not for every job that only reads the rules.
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return []
    try:
        handles = map(pynvml.nvmlDeviceGetHandleByIndex, range(pynvml.nvmlDeviceGetCount()))
        return [(_described(handle), list(_parts(handle))) for handle in handles]
    except pynvml.NVMLError:
        return []
    finally:
        pynvml.nvmlShutdown()


def _parts(gpu: Any) -> Iterator[Gpu]:
    """Yield the parts (MIG) of a GPU, by the driver's handle of it."""
    import pynvml

    try:
        most = pynvml.nvmlDeviceGetMaxMigDeviceCount(gpu)
    # A driver that has never heard of parts.
    except pynvml.NVMLError:
        return
    for index in range(most):
        try:
            part = pynvml.nvmlDeviceGetMigDeviceHandleByIndex(gpu, index)
        except pynvml.NVMLError_NotFound:
            continue
        yield _described(part)


def _described(handle: Any) -> Gpu:
    import pynvml

    return Gpu(pynvml.nvmlDeviceGetUUID(handle), pynvml.nvmlDeviceGetName(handle))
