"""The checkpoints that ship with the package: whole, small, loadable without a network."""

import hashlib
import shutil
import socket

import numpy as np
import pytest
import torch

import videottt
from support import ROOT
from videottt.cli import main
from videottt.core.errors import InputError
from videottt.models import shipped_checkpoints as box
from videottt.models.checkpoint import load_checkpoint
from videottt.tasks import task_named

FOLDER = ROOT / "workflow/resources/checkpoints"
NAMES = list(box.shipped_checkpoints())
MEGABYTE = 1e6


@pytest.fixture
def no_network(monkeypatch):
    def refuse(*_):
        raise AssertionError("asked for the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)


def test_they_are_small_and_what_their_checksums_say():
    files = sorted(FOLDER.glob("*.safetensors"))
    assert {path.stem for path in files} == set(NAMES)
    listed = dict(
        reversed(line.split("  ")) for line in (FOLDER / "SHA256SUMS").read_text().splitlines()
    )
    for path in files:
        assert hashlib.sha256(path.read_bytes()).hexdigest() == listed.pop(path.name)
        assert path.stat().st_size <= 8 * MEGABYTE
    assert not listed
    assert sum(path.stat().st_size for path in files) <= 26 * MEGABYTE


@pytest.mark.parametrize("name", NAMES)
def test_each_does_the_tasks_that_it_is_said_to_do(name, no_network):
    entry = box.shipped_checkpoints()[name]
    checkpoint = load_checkpoint(box.shipped_checkpoint(name))
    assert checkpoint.has_decoder
    assert checkpoint.provenance["task"] == entry.tasks[0]
    assert (
        f"/{checkpoint.provenance['stage']}/seed{checkpoint.provenance['seed']}" in entry.made_from
    )
    assert {tensor.dtype for tensor in checkpoint.model.parameters()} == {torch.float32}
    for task in entry.tasks:
        task_named(task, checkpoint.space, checkpoint.classes)


def test_every_task_has_one_by_default(no_network):
    for task in ("semantic", "instance", "panoptic", "colorization"):
        assert box.checkpoint_for(task).is_file()
    with pytest.raises(InputError, match="no checkpoint ships for it"):
        box.checkpoint_for("depth")


def test_a_name_loads_a_model_that_streams(no_network):
    model = videottt.load("driving_semantic", device="cpu")
    assert model.classes[:2] == ("sky", "building")
    result = model.stream(shortest_edge=64).step(np.zeros((48, 64, 3), np.uint8))
    assert np.isfinite(result.loss)
    with pytest.raises(InputError, match=r"no such checkpoint; .* driving_semantic"):
        videottt.load("driving_semantics")


def test_a_file_is_taken_before_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copy(FOLDER / "colorization.safetensors", tmp_path / "driving_semantic")
    assert videottt.load("driving_semantic", device="cpu").task == "colorization"


def test_a_damaged_one_is_refused(tmp_path, monkeypatch):
    folder = tmp_path / box.FOLDER
    shutil.copytree(FOLDER, folder)
    with (folder / "colorization.safetensors").open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"?")
    monkeypatch.setattr(box, "shipped", lambda place: tmp_path / place)
    box.shipped_checkpoint.cache_clear()
    try:
        with pytest.raises(InputError, match="is not the checkpoint 'colorization' that ships"):
            box.shipped_checkpoint("colorization")
        (folder / "driving_semantic.safetensors").unlink()
        with pytest.raises(InputError, match="no such checkpoint"):
            box.shipped_checkpoint("driving_semantic")
        with pytest.raises(InputError, match="did you mean 'driving_semantic'"):
            box.shipped_checkpoint("driving_semantics")
    finally:
        box.shipped_checkpoint.cache_clear()


def test_they_are_listed(capsys):
    main(["list", "checkpoints"])
    said = capsys.readouterr().out
    for name, entry in box.shipped_checkpoints().items():
        assert f"{name}  (" in said
        assert entry.title in said
        assert str(FOLDER / f"{name}.safetensors") in said
