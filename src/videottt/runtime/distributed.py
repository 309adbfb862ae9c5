"""Train one model with several processes, started by torchrun.

    torchrun --standalone --nproc-per-node 8 -m videottt train ...

Each process takes its share of the parts of a batch; losses and gradients are summed over all
processes, so that every process takes the same step. Gradients are summed here and not by
DistributedDataParallel: a part has two losses, each with a backward pass through another branch,
and a process may have several parts, so that one sum after the last pass is simpler and sends less.
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
from videottt.runtime.out_of_memory import MORE_SHARED_MEMORY, is_out_of_shared_memory

if TYPE_CHECKING:
    from torch._C._distributed_c10d import Store

# Longer than writing a checkpoint, the slowest step of a single process.
TIMEOUT = timedelta(minutes=30)
# Number of gradient elements that are summed at once: 128 MiB of float32.
BUCKET = 2**25


@dataclass(frozen=True)
class Processes:
    """The processes that train one model together; by default only this one.

    Attributes:
        rank: number of this process, 0 ... count - 1.
        count: number of processes.
    """

    rank: int = 0
    count: int = 1

    @property
    def writes(self) -> bool:
        """Return whether this process writes the results of all."""
        return self.rank == 0

    def share(self, parts: int) -> range:
        """Return the parts of a batch that this process takes.

        Args:
            parts: number of parts of the batch.

        Raises:
            InputError: the parts cannot be shared evenly.
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
        """Sum `values` over all processes in place, and return them.

        Args:
            values: a tensor that has the same shape in all processes.

        Raises:
            InputError: another process has ended or does not answer, or they have too little
                shared memory.
        """
        if self.count > 1:
            try:
                torch.distributed.all_reduce(values)
            except RuntimeError as error:
                if is_out_of_shared_memory(error):
                    last = str(error).splitlines()[-1]
                    raise InputError(f"training: {last}; {MORE_SHARED_MEMORY}") from None
                raise InputError(
                    "training: another process has ended or does not answer "
                    f"({str(error).splitlines()[0]}); run the same command again to resume"
                ) from None
        return values

    def any(self, condition: bool) -> bool:
        """Return whether the condition holds in any process; all processes wait for each other."""
        return bool(self.sum(torch.tensor([condition], dtype=torch.int32)).item())

    def sum_gradients(self, parameters: Sequence[Tensor]) -> None:
        """Replace the gradients of `parameters` by their sums over all processes.

        A parameter has a gradient afterwards if it had one in any process.
        """
        if self.count == 1 or not parameters:
            return
        has_gradient = torch.tensor([p.grad is not None for p in parameters], dtype=torch.int32)
        counts = self.sum(has_gradient.to(parameters[0].device)).tolist()
        gradients = []
        for parameter, count in zip(parameters, counts, strict=True):
            if count:
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

        Args:
            value: the value of this process.
            what: its name, for the error.

        Raises:
            InputError: the values differ.
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

    With "cuda" or "auto" each process gets its own GPU. Where several processes fail, only the
    first reports its error.

    Args:
        device: "auto", "cpu" or "cuda".

    Raises:
        InputError: there are fewer GPUs than processes, or `device` is a single GPU.
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
        # A process that leaves would end the one that still writes, so all wait here.
        processes.sum(torch.zeros(1))
    except BaseException:
        if not _first_to_fail(store):
            raise SystemExit(2) from None
        raise
    distributed.destroy_process_group()


def _takes_gpu(device: str) -> bool:
    """Lease a GPU for this process; return whether it can be used."""
    if device == "cpu":
        return False
    gpus, processes = len(visible_gpus()), int(os.environ["LOCAL_WORLD_SIZE"])
    if gpus and device not in ("auto", "cuda"):
        raise InputError(
            f"device '{device}': several processes cannot share one GPU; use auto, cuda or cpu"
        )
    # Checked before any GPU is leased, because the last process would wait for ever.
    if gpus and processes > gpus:
        raise InputError(
            f"training: {processes} processes on a machine with {gpus} GPU(s); start it with "
            f"--nproc-per-node {gpus}"
        )
    return lease_gpu() is not None and torch.cuda.is_available()


def _first_to_fail(store: "Store") -> bool:
    try:
        failed: int = store.add("videottt/failed", 1)
    except RuntimeError:
        # The store ended with the process that failed first.
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
