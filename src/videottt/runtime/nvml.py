"""List the GPUs that NVIDIA's driver knows."""

from collections.abc import Iterator
from typing import Any

import pynvml

from videottt.runtime.gpus import Gpu


def installed_gpus() -> list[tuple[Gpu, list[Gpu]]]:
    """Return all GPUs that the driver knows, each with its parts; none if it does not answer."""
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
    return Gpu(pynvml.nvmlDeviceGetUUID(handle), pynvml.nvmlDeviceGetName(handle))
