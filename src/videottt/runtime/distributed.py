"""Several processes that train one model, started by torchrun.

    torchrun --standalone --nproc-per-node 8 -m videottt train ...

Each process takes its share of the parts of a batch; losses and gradients are summed over all of
them, so that every process takes the same step. Gradients are summed here and not by
DistributedDataParallel: a part has two losses, with a backward pass each through another branch,
and a process may have several parts, so that one sum after the last pass is both simpler and less
to send.
"""

import contextlib
import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import torch
from torch import Tensor

import videottt
from videottt.core.errors import InputError
from videottt.runtime.gpus import lease_gpu, visible_gpus

if TYPE_CHECKING:
    from torch._C._distributed_c10d import Store

# Longer than the slowest thing that one process does alone, writing a checkpoint.
TIMEOUT = timedelta(minutes=30)
# Elements of gradients that are summed at once: 128 MiB of float32.
BUCKET = 2**25


@dataclass(frozen=True)
class Processes:
    """Those that train one model together; by default this one alone.

    Attributes:
        rank: of this process, 0 ... count - 1.
        count: how many there are.
    """

    rank: int = 0
    count: int = 1

    @property
    def writes(self) -> bool:
        """Return whether this is the process that writes what all of them made."""
        return self.rank == 0

    def share(self, parts: int) -> range:
        """Return which of a batch's `parts` this process takes.

        Raises:
            InputError: they cannot be shared evenly.
        """
        if parts % self.count:
            raise InputError(
                f"training: {self.count} processes cannot share the {parts} part(s) of a batch "
                "evenly; start a number of processes that divides batch / micro_batch, or change "
                "micro_batch in config.yaml"
            )
        own = parts // self.count
        return range(self.rank * own, (self.rank + 1) * own)

    def sum(self, values: Tensor) -> Tensor:
        """Replace `values`, of one shape in all processes, by their sum, and return them.

        Raises:
            InputError: another process has ended or does not answer.
        """
        if self.count > 1:
            try:
                torch.distributed.all_reduce(values)
            except RuntimeError as error:
                raise InputError(
                    "training: another process has ended or does not answer "
                    f"({str(error).splitlines()[0]}); start again, it resumes from the last state"
                ) from None
        return values

    def any(self, said: bool) -> bool:
        """Return whether any process says so; all wait for each other."""
        return bool(self.sum(torch.tensor([said], dtype=torch.int32)).item())

    def sum_gradients(self, parameters: Sequence[Tensor]) -> None:
        """Replace the gradients of `parameters` by their sums over all processes.

        A parameter has a gradient afterwards if it had one in any process.
        """
        if self.count == 1 or not parameters:
            return
        found = torch.tensor([p.grad is not None for p in parameters], dtype=torch.int32)
        reached = self.sum(found.to(parameters[0].device)).tolist()
        gradients = []
        for parameter, times in zip(parameters, reached, strict=True):
            if times:
                if parameter.grad is None:
                    parameter.grad = torch.zeros_like(parameter)
                gradients.append(parameter.grad)
        for bucket in _buckets(gradients):
            flat = self.sum(torch.cat([gradient.flatten() for gradient in bucket]))
            summed = torch.split(flat, [gradient.numel() for gradient in bucket])
            for gradient, values in zip(bucket, summed, strict=True):
                gradient.copy_(values.view_as(gradient))

    def agree(self, value: int, what: str) -> None:
        """Check that all processes have the same `value`.

        Raises:
            InputError: they have not.
        """
        values = torch.zeros(self.count, dtype=torch.int64)
        values[self.rank] = value
        if len(set(self.sum(values).tolist())) > 1:
            raise InputError(
                f"training: the processes do not have the same {what}; let all of them see the "
                "same files, run the same code, and start again"
            )


ALONE = Processes()


@contextlib.contextmanager
def joined(device: str) -> Iterator[Processes]:
    """Yield the processes that torchrun started, or this one alone.

    On GPUs "cuda" is another one for each process. Of several that fail, the first one says why,
    and the others end without a word.

    Args:
        device: "auto", "cpu" or "cuda".

    Raises:
        InputError: there are fewer GPUs than processes, or one GPU was asked for by its number.
    """
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        yield ALONE
        return
    from torch import distributed
    from torch.distributed.rendezvous import rendezvous

    store, rank, count = next(rendezvous("env://", timeout=TIMEOUT))
    if rank:
        logging.getLogger(videottt.__name__).setLevel(logging.WARNING)
    try:
        backend = "cpu:gloo,cuda:nccl" if _takes_gpu(device) else "gloo"
        distributed.init_process_group(
            backend, store=store, rank=rank, world_size=count, timeout=TIMEOUT
        )
        processes = Processes(rank, count)
        yield processes
        # None may leave before the first has written: leaving would end it too.
        processes.sum(torch.zeros(1))
    except BaseException:
        if not _first_to_fail(store):
            raise SystemExit(2) from None
        raise
    distributed.destroy_process_group()


def _takes_gpu(device: str) -> bool:
    """Lease a GPU of this process's own; return whether there is one."""
    if device == "cpu":
        return False
    there, wanted = len(visible_gpus()), int(os.environ["LOCAL_WORLD_SIZE"])
    if there and device not in ("auto", "cuda"):
        raise InputError(
            f"device '{device}': several processes cannot share one GPU; use auto, cuda or cpu"
        )
    # Before one is taken: the last of them would wait for ever.
    if there and wanted > there:
        raise InputError(
            f"training: {wanted} processes on a machine with {there} GPU(s); start it with "
            f"--nproc-per-node {there}"
        )
    return lease_gpu() is not None and torch.cuda.is_available()


def _first_to_fail(store: "Store") -> bool:
    try:
        failed: int = store.add("videottt/failed", 1)
    except RuntimeError:
        # The store went away with the process that failed before.
        return False
    return failed == 1


def _buckets(tensors: list[Tensor]) -> Iterator[list[Tensor]]:
    bucket: list[Tensor] = []
    size = 0
    for tensor in tensors:
        if bucket and size + tensor.numel() > BUCKET:
            yield bucket
            bucket, size = [], 0
        bucket.append(tensor)
        size += tensor.numel()
    if bucket:
        yield bucket
