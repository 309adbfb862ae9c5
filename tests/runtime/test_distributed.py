"""Two processes on a CPU: started by torchrun as a user does, and forked where that is enough."""

import json
import multiprocessing
import os
import signal
import socket
import subprocess
import sys

import pandas as pd
import pytest
import safetensors.torch
import torch

from support import SPACE, changed, small_model, store_frames
from videottt.cli import main
from videottt.core.errors import InputError
from videottt.data.synthetic import render_stills
from videottt.runtime.distributed import Processes, joined
from videottt.settings.augmentation import Augmentation
from videottt.settings.training import TrainingSettings
from videottt.store.frames import FrameStore
from videottt.store.source_frame import SourceFrame
from videottt.tasks import task_named
from videottt.training import joint as training
from videottt.training.stills import StillImages

RATE = 2e-5
SETTINGS = {
    "training": {
        "iterations": 4,
        "batch": 4,
        "micro_batch": 1,
        "learning_rate": RATE,
        "gradient_clip": None,  # a small one leaves AdamW's first steps to rounding
        "schedule": "steps",
        "milestones": [3],
    },
    "augmentation": {"shortest_edge": 64, "longest_edge": 128, "crop": [64, 64]},
}


@pytest.fixture(scope="module")
def stills(tmp_path_factory):
    frames = [
        SourceFrame(f"{index:06d}", each.image, each.semantic, each.instance)
        for index, each in enumerate(render_stills(6, (64, 96), seed=0))
    ]
    return store_frames(tmp_path_factory.mktemp("stills") / "stills.h5", frames, video="stills")


# Started by torchrun


def test_two_processes_train_as_one(stills, tmp_path):
    def arguments(folder):
        return [
            "train", "--frames", str(stills), "--task", "panoptic", "--model", "tiny",
            "--seed", "0", "--device", "cpu", "--settings", json.dumps(SETTINGS),
            "--state", str(folder / "state"), "--history", str(folder / "history.csv"),
            "--output", str(folder / "joint.safetensors"),
        ]  # fmt: skip

    one, two = tmp_path / "one", tmp_path / "two"
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    agent = subprocess.Popen(
        [sys.executable, *torchrun, "-m", "videottt", *arguments(two)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    main(arguments(one))
    log = agent.communicate(timeout=300)[0]
    assert agent.returncode == 0, log
    assert log.count("4 iterations of 4 images in parts of 1 on 2 processes: 16 images") == 1
    alone, shared = (pd.read_csv(folder / "history.csv") for folder in (one, two))
    assert list(alone["iteration"]) == list(shared["iteration"]) == list(range(4))
    for name in ("main_task", "reconstruction"):
        assert shared[name].to_numpy() == pytest.approx(alone[name].to_numpy(), rel=1e-4), name
    assert shared["gradient_norm"].to_numpy() == pytest.approx(alone["gradient_norm"], rel=1e-3)
    weights, others = (
        safetensors.torch.load_file(folder / "joint.safetensors") for folder in (one, two)
    )
    apart = torch.cat([(weights[name] - others[name]).abs().flatten() for name in weights])
    # Where a gradient is about 0, rounding decides the direction of AdamW's steps.
    assert apart.max() <= 2 * 4 * RATE
    assert (apart > 0.1 * RATE).float().mean() < 1e-4


# Forked


def forked(work, count=2):
    """Run `work(processes)` in processes like those of torchrun; return their exit statuses."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    fork = multiprocessing.get_context("fork")
    ranks = [fork.Process(target=_joined, args=(work, n, count, port)) for n in range(count)]
    for rank in ranks:
        rank.start()
    for rank in ranks:
        rank.join(timeout=60)
    alive = [rank for rank in ranks if rank.exitcode is None]
    for rank in alive:
        rank.kill()
    assert not alive, "a process hangs"
    return [rank.exitcode for rank in ranks]


def _joined(work, rank, count, port):
    os.environ |= {
        "TORCHELASTIC_RUN_ID": "test", "RANK": str(rank), "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(count), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port),
    }  # fmt: skip
    with joined("cpu") as processes:
        work(processes)


def save(run, path):
    torch.save({**run.state(), "history": run.history}, path)


@pytest.fixture
def train(stills, tmp_path):
    """Train with two processes; return what the first of them ends with."""

    settings = TrainingSettings(iterations=4, batch=2, micro_batch=1, learning_rate=1e-3)
    recipe = Augmentation(64, 256, (64, 64), scales=(0.8, 1.5))

    def trained(name, after=lambda run, processes: None, resume=None, status=(0, 0)):
        def work(processes):
            run = training.start_run(small_model(drop_path_rate=0.3), settings)
            if resume:
                state = torch.load(resume, weights_only=True)
                run.restore(state, state.pop("history"))
            with FrameStore(stills) as store:
                images = StillImages([store], recipe, ("training", 0), 8)
                task = task_named("semantic", SPACE)
                training.train(
                    run, task, images, settings, ("training", 0),
                    lambda run, _: after(run, processes), processes,
                )  # fmt: skip
            if processes.writes:
                save(run, tmp_path / name)

        assert forked(work) == list(status)
        return torch.load(tmp_path / name, weights_only=True) if status == (0, 0) else None

    return trained


def test_a_resumed_training_equals_an_uninterrupted_one_bit_for_bit(train, tmp_path):
    whole = train("whole.pt")
    state = tmp_path / "state.pt"

    def save_and_be_killed(run, processes):
        if run.iteration == 1 and processes.writes:
            save(run, state)
        if run.iteration == 2 and processes.rank == 1:
            os.kill(os.getpid(), signal.SIGKILL)

    # The other one does not wait for ever.
    train("never.pt", save_and_be_killed, status=(1, -signal.SIGKILL))
    resumed = train("resumed.pt", resume=state)
    assert resumed["history"] == whole["history"]
    model = small_model(drop_path_rate=0.3)
    model.load_state_dict(resumed["model"])
    assert changed(whole["model"], model) == set()
    assert whole["history"][0]["main_task"] != whole["history"][3]["main_task"]


def test_a_gradient_of_one_process_reaches_all(tmp_path):
    def work(processes):
        weights = [torch.zeros(3) for _ in range(3)]
        if processes.rank == 1:
            weights[0].grad = torch.full((3,), 2.0)
        weights[2].grad = torch.full((3,), 1.0 + processes.rank)
        processes.sum_gradients(weights)
        found = [None if each.grad is None else each.grad.tolist() for each in weights]
        (tmp_path / str(processes.rank)).write_text(json.dumps(found))

    assert forked(work) == [0, 0]
    for rank in range(2):
        assert json.loads((tmp_path / str(rank)).read_text()) == [[2.0] * 3, None, [3.0] * 3]


def test_an_error_of_all_processes_is_reported_once(tmp_path):
    def work(processes):
        processes.sum(torch.zeros(1))  # until both have begun
        try:
            processes.share(3)
        finally:
            (tmp_path / str(processes.rank)).touch()

    assert sorted(forked(work)) == [1, 2]
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            "NCCL error in: NCCLUtils.cpp:94, unhandled system error\nLast error:\nError while "
            "creating shared memory segment /dev/shm/nccl-x (size 9637888)",
            r"^training: Error while creating shared memory segment .*; .*--ipc host",
        ),
        ("Connection closed by peer", "another process has ended or does not answer"),
    ],
)
def test_why_processes_cannot_go_on_together_is_one_line(monkeypatch, said, told):
    def fail(_):
        raise RuntimeError(said)

    monkeypatch.setattr("torch.distributed.all_reduce", fail)
    with pytest.raises(InputError, match=told):
        Processes(0, 2).sum(torch.zeros(1))


def test_processes_that_differ_do_not_train_together(tmp_path):
    def work(processes):
        with pytest.raises(InputError, match="do not have the same state to resume from"):
            processes.agree(processes.rank, "state to resume from")
        processes.agree(7, "state")

    assert forked(work) == [0, 0]


@pytest.mark.parametrize(("parts", "count"), [(8, 1), (8, 2), (8, 8), (6, 3)])
def test_every_part_has_one_process(parts, count):
    shares = [Processes(rank, count).share(parts) for rank in range(count)]
    assert sorted(part for share in shares for part in share) == list(range(parts))
    with pytest.raises(InputError, match="cannot share"):
        Processes(0, count + 1).share(count)
