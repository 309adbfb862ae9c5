"""Load the samples of a training, in processes of their own where there is room for them."""

import functools
import itertools
import logging
import multiprocessing
import os
import re
import signal
import threading
import traceback
from collections.abc import Iterator

import torch
from torch.utils.data import DataLoader, Dataset

from videottt.core.errors import InputError
from videottt.runtime.interruption import STOPPING
from videottt.runtime.out_of_memory import MORE_SHARED_MEMORY, is_out_of_shared_memory
from videottt.settings.training import TrainingSettings
from videottt.tasks.task import LabelMaps
from videottt.training.stills import Still

logger = logging.getLogger(__name__)

# Fork, because an open frame store cannot be pickled for a spawned process.
_fork = multiprocessing.get_context("fork")
# How torch says that a process that loads images has ended.
_ENDED = re.compile(
    r"DataLoader worker \(pid.*?\) (?:is killed by signal: \w+|exited unexpectedly)"
)


def loaded_parts(
    stills: Dataset[Still], settings: TrainingSettings, own: range, first: int, device: torch.device
) -> Iterator[LabelMaps]:
    """Yield this process's parts of every batch, from iteration `first` on.

    Without room for the processes that load images this one loads them; that changes no sample.

    Raises:
        InputError: an image is broken, or a process that loads images has ended; torch may tell
            that anywhere else, too, see `check_loading`.
    """
    load = functools.partial(_loaded, stills, settings, own, first, device)
    done = 0
    try:
        if settings.workers:
            _check_room(settings.workers)
        for part in load(done, settings.workers):
            yield part
            done += 1
    except (OSError, RuntimeError) as error:
        if not settings.workers or not is_out_of_shared_memory(error):
            raise
        logger.warning(
            "images are loaded without the %d process(es) that do it beside the training, which is "
            "slower (%s); %s, and allow more open files (ulimit -n)",
            settings.workers, _last_line(error).removeprefix("RuntimeError: "), MORE_SHARED_MEMORY,
        )  # fmt: skip
        # Its variables keep the processes, which torch ends when nothing does.
        traceback.clear_frames(error.__traceback__)
    else:
        return
    yield from load(done, workers=0)


def check_loading(error: RuntimeError) -> None:
    """Explain an error that torch raises anywhere after a process that loads images has ended.

    Raises:
        InputError: the error says that.
    """
    ended = _ENDED.search(str(error))
    if ended:
        raise _has_ended(ended[0]) from None


def _loaded(
    stills: Dataset[Still],
    settings: TrainingSettings,
    own: range,
    first: int,
    device: torch.device,
    done: int,
    workers: int,
) -> Iterator[LabelMaps]:
    """Yield the parts after the first `done` ones."""
    size = settings.batch // settings.parts
    samples = (
        list(range(start, start + size))
        for iteration in range(first, settings.iterations)
        for part in own
        for start in [iteration * settings.batch + part * size]
    )
    loader = DataLoader(
        stills,
        # One iterator for the whole training: workers stay, and prefetch across iterations.
        batch_sampler=itertools.islice(samples, done, None),
        num_workers=workers,
        multiprocessing_context=_fork if workers else None,
        pin_memory=device.type == "cuda",
        worker_init_fn=_leave_stopping_to_the_training,
    )
    try:
        for images, semantic, instance in loader:
            yield LabelMaps(semantic, instance, images).to(device)
    except InputError as error:
        # A worker's error contains its traceback.
        raise InputError(_last_line(error).split("InputError: ")[-1]) from None
    # What it had loaded cannot be fetched from it any more.
    except (ConnectionError, EOFError) as error:
        raise _has_ended(str(error) or "no answer") from None


def _has_ended(reason: str) -> InputError:
    return InputError(
        f"training: a process that loads images has ended ({reason}), as where memory runs out; "
        f"lower workers in config.yaml, give it more memory, or {MORE_SHARED_MEMORY}, and run the "
        "same command again to resume"
    )


def _check_room(workers: int) -> None:
    """Open as many queues as the processes will need.

    Raises:
        OSError: there is no room for them; torch would leave what it has begun.
    """
    try:
        [_fork.Queue() for _ in range(workers + 2)]
    except OSError as error:
        raise OSError(f"no shared memory: {error.strerror}") from None


def _leave_stopping_to_the_training(_: int) -> None:
    """Let a process that loads images be stopped by the training alone.

    A signal to all processes of a job, as SLURM sends it, would end it before the state is saved.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
    threading.Thread(target=_end_with_the_training, args=(os.getppid(),), daemon=True).start()


def _end_with_the_training(training: int) -> None:
    while signal.sigwaitinfo(STOPPING).si_pid != training:
        pass
    os._exit(0)


def _last_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[-1]
