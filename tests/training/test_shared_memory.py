"""Errors that say that processes have too little memory to share; see also test_loading.py."""

import errno
import os
import signal

import pytest
import torch
from torch.utils.data import Dataset, get_worker_info

from videottt.core.errors import InputError
from videottt.runtime.out_of_memory import is_out_of_shared_memory
from videottt.settings.training import TrainingSettings
from videottt.training.loading import loaded_parts

SAMPLES, BATCH = 12, 2


def no_files():
    raise RuntimeError("received 0 items of ancdata")


def end_by_bus_error():
    """End as the system ends who writes to shared memory that it has no room for."""
    os.kill(os.getpid(), signal.SIGBUS)


def broken():
    raise InputError("a.h5: is broken")


class Numbered(Dataset):
    """Samples that are their own number; a process that loads the fifth one has trouble."""

    def __init__(self, trouble):
        self.trouble = trouble

    def __getitem__(self, number):
        if number == 4 and get_worker_info() is not None:
            self.trouble()
        return (torch.full((1,), number),) * 3


def loaded(trouble):
    settings = TrainingSettings(SAMPLES // BATCH, BATCH, 1e-3, workers=2)
    own = range(settings.parts)
    parts = loaded_parts(Numbered(trouble), settings, own, 0, torch.device("cpu"))
    return torch.cat([part.colours.flatten() for part in parts]).tolist()


@pytest.mark.parametrize(
    ("trouble", "told"),
    [(end_by_bus_error, "DataLoader worker"), (no_files, "received 0 items of ancdata")],
)
def test_who_has_no_room_in_the_middle_loads_every_sample_once_and_in_order(trouble, told, caplog):
    assert loaded(trouble) == list(range(SAMPLES))
    (line,) = caplog.messages
    assert line.startswith("images are loaded without the 2 process(es) that do it beside the")
    assert told in line
    assert "docker run --ipc host, or --shm-size=1g" in line
    assert "\n" not in line


def test_a_broken_image_is_no_lack_of_room(caplog):
    with pytest.raises(InputError, match=r"^a\.h5: is broken$"):
        loaded(broken)
    assert not caplog.messages
    assert not is_out_of_shared_memory(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "a.h5"))
