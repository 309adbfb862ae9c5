"""List the GPUs that NVIDIA's driver reports."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Gpu:
    """A GPU, or a part of one (MIG), as CUDA uses it.

    Attributes:
        id: UUID, the same for every process of the machine.
        name: name of the GPU's model.
    """

    id: str
    name: str


def installed_gpus() -> list[tuple[Gpu, list[Gpu]]]:
    """Return the driver's GPUs, each with its parts; none if no driver answers."""
    # Imported here, because most processes only import this module.
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
    """Yield the parts (MIG) of a GPU, given the driver's handle."""
    import pynvml

    try:
        most = pynvml.nvmlDeviceGetMaxMigDeviceCount(gpu)
    # Old drivers do not support parts.
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
