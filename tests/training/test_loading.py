"""Where processes that load images have no room, or are stopped or killed, nothing goes wrong."""

import contextlib
import errno
import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys

import pytest
import torch

from commands import heed_interrupts
from support import store_frames
from videottt.core.errors import InputError
from videottt.data.synthetic import render_stills
from videottt.runtime.interruption import Interruption, Stopped
from videottt.settings.augmentation import Augmentation
from videottt.settings.training import TrainingSettings
from videottt.store.frames import FrameStore
from videottt.store.source_frame import SourceFrame
from videottt.training.loading import check_loading, loaded_parts
from videottt.training.stills import StillImages

RECIPE = Augmentation(64, 256, (64, 64))
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def stills(tmp_path_factory):
    frames = [
        SourceFrame(f"{index:06d}", each.image, each.semantic, each.instance)
        for index, each in enumerate(render_stills(6, (64, 96), seed=0))
    ]
    return store_frames(tmp_path_factory.mktemp("stills") / "stills.h5", frames, video="stills")


def parts(path, workers, iterations=4):
    """Yield what is loaded: batches of four images in two parts, from iteration 1 on."""
    settings = TrainingSettings(iterations, 4, 1e-3, micro_batch=2, workers=workers)
    with FrameStore(path) as store:
        images = StillImages([store], RECIPE, ("joint", 0), 4 * iterations)
        yield from loaded_parts(images, settings, range(2), 1, CPU)


def sums(loaded):
    return [tuple(int(each.sum()) for each in vars(part).values()) for part in loaded]


def no_room_for_images(monkeypatch):
    def fail(size):
        raise RuntimeError(
            "unable to allocate shared memory(shm) for file </torch_1_2_3>: No space left on "
            "device (28)"
        )

    monkeypatch.setattr("torch.UntypedStorage._new_using_fd_cpu", fail)


def no_room_for_the_third(monkeypatch):
    given, allocate = [], torch.UntypedStorage._new_using_fd_cpu

    def fail_later(size):
        # An image, its classes and its instances: each process has room for one part.
        given.append(size)
        if len(given) > 3:
            raise RuntimeError("unable to open shared memory object </torch_1_2_3>: (24)")
        return allocate(size)

    monkeypatch.setattr("torch.UntypedStorage._new_using_fd_cpu", fail_later)


def no_semaphores(monkeypatch):
    def fail(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("multiprocessing.synchronize.SemLock.__init__", fail)


@pytest.mark.parametrize("short", [no_room_for_images, no_room_for_the_third, no_semaphores])
def test_without_room_for_processes_the_same_samples_are_loaded(
    stills, monkeypatch, caplog, capfd, short
):
    expected = sums(parts(stills, workers=0))
    assert len(set(expected)) == 6
    assert sums(parts(stills, workers=2)) == expected
    assert not caplog.text
    short(monkeypatch)
    assert sums(parts(stills, workers=2)) == expected
    assert not multiprocessing.active_children()
    assert "images are loaded without the 2 process(es)" in caplog.text
    assert "docker run --ipc host, or --shm-size=1g" in caplog.text
    assert "Traceback" not in caplog.text + capfd.readouterr().err


CAN_MOUNT = (
    shutil.which("unshare") is not None
    and subprocess.run(["unshare", "-rm", "true"], capture_output=True, check=False).returncode == 0
)


@pytest.mark.skipif(not CAN_MOUNT, reason="needs user namespaces")
def test_a_training_goes_on_with_a_small_dev_shm(stills, tmp_path):
    settings = {
        "training": {"iterations": 1, "batch": 2, "learning_rate": 1e-4, "workers": 1},
        "augmentation": {"shortest_edge": 64, "longest_edge": 128, "crop": [64, 64]},
    }
    words = [
        "train", "--frames", stills, "--task", "semantic", "--model", "tiny", "--seed", "0",
        "--device", "cpu", "--settings", json.dumps(settings),
        "--history", tmp_path / "history.csv", "--output", tmp_path / "joint.safetensors",
    ]  # fmt: skip
    script = 'mount -t tmpfs -o size=64k tmpfs /dev/shm && exec "$0" "$@"'
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", script, sys.executable, "-m", "videottt", *words],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "enlarge /dev/shm" in done.stderr
    assert "Traceback" not in done.stderr
    assert (tmp_path / "joint.safetensors").is_file()


def trained(path, ready, saved):
    """Go through parts as a training does, and end with its status; a process of its own."""
    os.setpgid(0, 0)
    heed_interrupts()
    with Interruption(1e9) as interruption, contextlib.closing(parts(path, 2, 10_000)) as loaded:
        try:
            for part in loaded:
                ready.put([each.pid for each in multiprocessing.active_children()])
                interruption.after_step(lambda part=part: saved.put(len(part.colours)))
        except Stopped:
            sys.exit(75)
        except RuntimeError as error:
            with pytest.raises(InputError, match="has ended"):
                check_loading(error)
            sys.exit(2)
        except InputError:
            sys.exit(2)


@pytest.fixture
def training(stills):
    """Yield a process that trains, the ids of those that load its images, and what it saves."""
    fork = multiprocessing.get_context("fork")
    ready, saved = fork.SimpleQueue(), fork.Queue()
    process = fork.Process(target=trained, args=(stills, ready, saved))
    process.start()
    yield process, ready.get(), saved
    process.kill()
    process.join()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_all_processes_of_a_training_saves_and_stops_it(training, number):
    process, _, saved = training
    os.killpg(process.pid, number)
    assert saved.get(timeout=60) == 2
    process.join(60)
    assert process.exitcode == 75


def test_a_killed_process_ends_the_training_with_one_line(training):
    process, (one, _), _ = training
    os.kill(one, signal.SIGKILL)
    process.join(60)
    assert process.exitcode == 2


@pytest.mark.parametrize(
    "text",
    [
        "DataLoader worker (pid 7) is killed by signal: Killed. ",
        "DataLoader worker (pid 7) is killed by signal: Bus error. It is possible that "
        "dataloader's workers are out of shared memory.",
        "DataLoader worker (pid(s) 7, 8) exited unexpectedly",
    ],
)
def test_a_process_that_has_ended_is_told_with_the_mend(text):
    with pytest.raises(InputError, match=r"has ended \(DataLoader worker .*lower workers.*--ipc"):
        check_loading(RuntimeError(text))
    check_loading(RuntimeError("another error"))
