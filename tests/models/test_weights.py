"""Weights in the wrappers of training programs."""

import argparse
import datetime
import logging
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from videottt.core.errors import InputError
from videottt.models.baselines.zhang2016 import Zhang2016, load_zhang2016
from videottt.models.weights import read_tensors


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(3)
        self.stem = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
        self.head = nn.Linear(4, 2)


class Training(nn.Module):
    """A network in a training program, as of Lightning, whose loss has weights too."""

    def __init__(self, network):
        super().__init__()
        self.model = network
        self.criterion = nn.CrossEntropyLoss(weight=torch.ones(2))


EXPECTED = Network().state_dict()


def prefixed(prefix):
    return {f"{prefix}{name}": tensor for name, tensor in EXPECTED.items()}


def averaged():
    model = AveragedModel(Network())
    model.update_parameters(Network())
    return model.state_dict()


OPTIMIZER = torch.optim.AdamW(Network().parameters()).state_dict()
WRAPPED = {
    "bare": dict(EXPECTED),
    "parallel": nn.DataParallel(Network()).state_dict(),
    "compiled": torch.compile(Network()).state_dict(),
    "compiled and parallel": nn.DataParallel(torch.compile(Network())).state_dict(),
    "averaged": averaged(),
    "averaged, parallel and compiled": {
        "n_averaged": torch.tensor(4),
        **prefixed("module.module._orig_mod."),
    },
    "lightning": {
        "epoch": 3,
        "global_step": 120,
        "pytorch-lightning_version": "2.4.0",
        "state_dict": prefixed("model."),
        "loops": {"fit_loop": {"state_dict": {}}},
        "callbacks": {"ModelCheckpoint{}": {"best_model_score": torch.tensor(0.5)}},
        "optimizer_states": [OPTIMIZER],
        "lr_schedulers": [],
        "hyper_parameters": {"lr": 1e-3},
    },
    "lightning and parallel": {"state_dict": prefixed("model.module.")},
    "model_state_dict": {
        "model_state_dict": dict(EXPECTED),
        "optimizer_state_dict": OPTIMIZER,
        "loss": 0.25,
    },
    "two envelopes": {"model": {"state_dict": dict(EXPECTED), "epoch": 1}, "epoch": 1},
    "beside its average": {
        "ema_state_dict": {name: tensor + 1 for name, tensor in EXPECTED.items()},
        "state_dict": dict(EXPECTED),
    },
    "beside numbers": {**EXPECTED, "epoch": 3, "best": 0.5, "name": "mine", "none": None},
}
FORMS = ["torch", "old torch", "pickle", "safetensors"]


def written(path, held, form):
    if form == "safetensors":
        tensors = {name: each for name, each in held.items() if torch.is_tensor(each)}
        safetensors.torch.save_file({name: each.clone() for name, each in tensors.items()}, path)
    elif form == "pickle":
        path.write_bytes(pickle.dumps(held))
    else:
        torch.save(held, path, _use_new_zipfile_serialization=form == "torch")
    return path


def same(found, expected=EXPECTED):
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        assert torch.equal(found[name].to(tensor.dtype), tensor), name


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("wrapped", WRAPPED.values(), ids=WRAPPED)
def test_wrappers_of_training_programs_are_removed(wrapped, form, tmp_path):
    if form == "safetensors" and not all(map(torch.is_tensor, wrapped.values())):
        pytest.skip("safetensors holds tensors alone")
    path = written(tmp_path / "x.pth", wrapped, form)
    same(read_tensors(path, EXPECTED.__contains__))


@pytest.mark.parametrize("form", FORMS)
def test_weights_of_other_networks_are_left_out_and_said(form, tmp_path, caplog):
    held = nn.DataParallel(Training(Network())).state_dict()
    path = written(tmp_path / "x.pth", held, form)
    with caplog.at_level(logging.INFO):
        same(read_tensors(path, EXPECTED.__contains__))
    assert "left out 1 weight(s) that are not of the network" in caplog.text


def test_a_name_that_begins_like_a_wrapper_is_kept_where_the_network_has_it(tmp_path):
    # As in Mask2Former of Hugging Face, which has `model.` and `class_predictor.`.
    own = {f"model.{name}": tensor for name, tensor in EXPECTED.items()}
    path = written(tmp_path / "x.pth", own, "torch")
    same(read_tensors(path, own.__contains__), own)
    wrapped = {f"model.{name}": tensor for name, tensor in own.items()}
    path = written(tmp_path / "y.pth", wrapped, "torch")
    same(read_tensors(path, own.__contains__), own)


@pytest.mark.parametrize("form", ["torch", "old torch"])
@pytest.mark.parametrize(
    "beside",
    [
        np.float64(0.5),
        np.int64(7),
        np.arange(3),
        {"miou": np.float32(45.5), "per_class": [np.float64(1)]},
        argparse.Namespace(lr=0.1, output=Path("runs/1")),
        datetime.datetime(2026, 1, 2, 3, 4),
        Path("data"),
    ],
    ids=["float64", "int64", "array", "metrics", "arguments", "time", "path"],
)
def test_what_is_no_weight_is_passed_over(form, beside, tmp_path):
    held = {"state_dict": dict(EXPECTED), "beside": beside, "best": beside}
    same(read_tensors(written(tmp_path / "x.pth", held, form)))


def test_arrays_of_numpy_in_a_file_of_torch_are_weights(tmp_path):
    held = {"model": {name: tensor.numpy() for name, tensor in EXPECTED.items()}}
    same(read_tensors(written(tmp_path / "x.pth", held, "torch")))


def test_a_scalar_and_arguments_beside_the_weights_of_a_pickle(tmp_path):
    weights = {name: tensor.numpy() for name, tensor in EXPECTED.items()}
    held = {"model": weights, "iteration": np.int64(3), "args": argparse.Namespace(out=Path("o"))}
    same(read_tensors(written(tmp_path / "x.pkl", held, "pickle")))


class Runs:
    def __reduce__(self):
        return os.system, ("echo",)


@pytest.mark.parametrize("form", ["torch", "old torch", "pickle"])
def test_an_unknown_object_beside_the_weights_is_refused_by_name(form, tmp_path):
    path = written(tmp_path / "x.pth", {"model": dict(EXPECTED), "more": Runs()}, form)
    with pytest.raises(InputError, match=r"x\.pth: .*") as caught:
        read_tensors(path)
    assert f"{os.system.__module__}.system" in str(caught.value) or "safely" in str(caught.value)
    network = written(tmp_path / "y.pth", Network(), "torch") if form == "torch" else None
    if network:
        with pytest.raises(InputError, match=r"asks for '.*Network'.*model\.state_dict\(\)"):
            read_tensors(network)


def test_arguments_are_not_taken_for_weights(tmp_path):
    held = {"model": {name: argparse.Namespace(a=1) for name in EXPECTED}}
    with pytest.raises(InputError, match=r"'stem\.0\.weight' is no array of numbers"):
        read_tensors(written(tmp_path / "x.pth", held, "torch"))


def test_names_of_which_half_have_a_prefix_are_refused(tmp_path):
    network = Zhang2016()
    whole = network.state_dict()
    wrapped = {f"module.{name}": tensor for name, tensor in whole.items()}
    found = load_zhang2016(written(tmp_path / "a.pth", {"state_dict": wrapped}, "torch"))
    same(found.state_dict(), whole)
    half = dict(list(whole.items())[:9]) | dict(list(wrapped.items())[9:])
    path = written(tmp_path / "b.pth", half, "torch")
    with pytest.raises(InputError, match="differ in name or shape"):
        load_zhang2016(path)


class Parts(nn.Module):
    """A network of which one part is compiled, and another is run in parallel."""

    def __init__(self):
        super().__init__()
        network = Network()
        self.stem = torch.compile(network.stem)
        self.head = nn.DataParallel(network.head)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "held",
    [
        Parts().state_dict(),
        nn.DataParallel(Parts()).state_dict(),
        {**prefixed("ema_model.module."), "ema_model.n_averaged": torch.tensor(3)},
        {**prefixed("ema_model."), **{f"model.{n}": t for n, t in EXPECTED.items()}},
        {**prefixed("student.backbone."), "student.projection.weight": torch.ones(2)},
        {"teacher": prefixed("module."), "optimizer": OPTIMIZER, "epoch": 3},
    ],
    ids=["parts", "parallel parts", "average", "both", "student", "teacher"],
)
def test_wrappers_of_parts_and_less_usual_ones_are_removed(held, form, tmp_path):
    if form == "safetensors" and not all(map(torch.is_tensor, held.values())):
        pytest.skip("safetensors holds tensors alone")
    same(read_tensors(written(tmp_path / "x.pth", held, form), EXPECTED.__contains__))


OTHER = {name: tensor + 1 for name, tensor in EXPECTED.items()}


@pytest.mark.parametrize(
    ("held", "says"),
    [
        ({"student": dict(EXPECTED), "teacher": OTHER}, "several networks, 'student', 'teacher'"),
        (
            prefixed("student.") | {f"teacher.{name}": each for name, each in OTHER.items()},
            r"several networks, 'student\.', 'teacher\.'",
        ),
        (
            {("" if n.startswith("stem.0") else "model.") + n: t for n, t in EXPECTED.items()},
            r"only some names of the network begin with 'model\.', and 'stem\.0\.weight'",
        ),
    ],
)
@pytest.mark.parametrize("form", ["torch", "old torch", "pickle"])
def test_which_of_several_networks_is_not_guessed(held, says, form, tmp_path):
    with pytest.raises(InputError, match=rf"x\.pth: .*{says}.*; save the state_dict\(\)"):
        read_tensors(written(tmp_path / "x.pth", held, form), EXPECTED.__contains__)
