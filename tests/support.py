"""What several test files need: a small model, and ways to make and compare things."""

import contextlib
import dataclasses
import os
import sys
import types
from pathlib import Path

import h5py
import numpy as np
import torch
import yaml

from videottt.core.segments import ClassSpace
from videottt.core.shipped import shipped
from videottt.data.layouts.kitti_step import CITYSCAPES
from videottt.models.convert import import_checkpoint
from videottt.models.y_shaped import YShapedModel
from videottt.settings.augmentation import Augmentation
from videottt.settings.presets import PRESETS, SwinSizes
from videottt.settings.training import TrainingSettings
from videottt.store.frames import FrameStore, write_frames
from videottt.study.layers import EXTENDING, EXTENDS, complete
from videottt.tasks import head_of, model_classes, task_named
from videottt.training.joint import start_run, train
from videottt.training.stills import StillImages

ROOT = Path(__file__).resolve().parents[1]
# Real data, which users of the project do not have.
DATA = Path(os.environ.get("VIDEOTTT_SHARED_DATA") or ROOT.parent / "shared" / "data")
SIZE = (64, 96)
FRAMES = 12
VIDEO = "tiny_0"
SPACE = ClassSpace(CITYSCAPES, ("person", "car"))


def whole_config():
    """Return the configuration as it ships."""
    return complete({}).config


def users_file(config):
    """Return, as YAML, what a user's file says to make the configuration this one."""
    own = _difference(whole_config(), config)
    for section in EXTENDING:
        for entry, values in config[section].items():
            # Whole, so that a change of one entry does not change those that extend it.
            below = {k: v for k, v in _shipped_entry(section, entry).items() if k != EXTENDS}
            own.setdefault(section, {})[entry] = {EXTENDS: None, **_difference(below, values)}
    return yaml.safe_dump(own, sort_keys=False)


def _shipped_entry(section, entry):
    together = shipped(f"workflow/config/{section}.yaml")
    if together.exists():
        return yaml.safe_load(together.read_text()).get(entry, {})
    alone = shipped(f"workflow/config/{section}/{entry}.yaml")
    return yaml.safe_load(alone.read_text()) if alone.exists() else {}


def _difference(default, wanted):
    """Return settings that, laid on top of `default`, give `wanted`; null removes."""
    above = {}
    for key in dict.fromkeys([*default, *wanted]):
        if key not in wanted:
            above[key] = None
        elif isinstance(default.get(key), dict) and isinstance(wanted[key], dict):
            below = _difference(default[key], wanted[key])
            above |= {key: below} if below else {}
        elif key not in default or default[key] != wanted[key]:
            above[key] = wanted[key]
    return above


def store_frames(path, frames, **changes):
    """Write a frame store, by default of the tiny video, and return its path."""
    ids = {
        "dataset": "synthetic",
        "video": VIDEO,
        "fps": 10,
        "classes": SPACE.classes,
        "things": SPACE.things,
    }
    write_frames(path, frames, **{**ids, "provenance": {"made": "here"}, **changes})
    return path


def train_small(
    model,
    store_paths,
    after_iteration=lambda run: None,
    *,
    task="semantic",
    resume=None,
    **changes,
):
    """Train with the real loop, optionally from (state, history), and return the run."""
    values = {"iterations": 4, "batch": 2, "learning_rate": 1e-3, "warmup": 1}
    settings = TrainingSettings(**{**values, **changes})
    recipe = Augmentation(64, 256, (64, 64), scales=(0.8, 1.5))
    run = start_run(model, settings)
    if resume is not None:
        run.restore(*resume)
    with contextlib.ExitStack() as opened:
        stores = [opened.enter_context(FrameStore(path)) for path in store_paths]
        stills = StillImages(stores, recipe, ("training", 0), settings.iterations * settings.batch)
        follow = lambda run, _: after_iteration(run)  # noqa: E731
        train(run, task_named(task, SPACE), stills, settings, ("training", 0), follow)
    return run


def import_for(path, task, space, **choices):
    """Import a checkpoint for a task on a data set, as `videottt import-checkpoint` does."""
    return import_checkpoint(path, task, model_classes(task, space), head_of(task), **choices)


# The smallest model that has every kind of layer, for tests that run many updates.
SMALLEST = dataclasses.replace(
    PRESETS["tiny"],
    encoder=SwinSizes(
        embed_dim=16, depths=(1, 1, 1, 1), num_heads=(1, 2, 4, 8), drop_path_rate=0.0
    ),
    hidden_dim=32,
    mask_dim=32,
    queries=8,
    decoder_layers=1,
    loss_points=128,
)


def with_drop_path(preset, rate):
    """Return a preset whose Swin encoder drops paths at a rate."""
    encoder = dataclasses.replace(preset.encoder, drop_path_rate=rate)
    return dataclasses.replace(preset, encoder=encoder)


def small_model(seed=0, drop_path_rate=0.0, **sizes):
    """Return the smallest model with new weights, with some of its sizes changed."""
    preset = dataclasses.replace(with_drop_path(SMALLEST, drop_path_rate), **sizes)
    return YShapedModel(preset, len(CITYSCAPES), seed)


def weights_of(module):
    """Return copies of all weights, to compare with later."""
    return {name: tensor.detach().clone() for name, tensor in module.state_dict().items()}


def changed(before, module):
    """Return the names of the weights that are no longer what they were, bit for bit."""
    now = module.state_dict()
    assert before.keys() == now.keys()
    return {name for name in before if not torch.equal(before[name], now[name])}


def contents(path, without=()):
    """Return every data set and attribute of an HDF5 file, as bytes that can be compared.

    What lies in a group, or is a data set, named in `without` is left out, also below a rung.
    """
    found = {}

    def visit(name, node):
        left_out = any(f"/{each}/" in f"/{name}/" for each in without)
        if isinstance(node, h5py.Dataset) and not left_out:
            values = np.asarray(node[()])
            found[name] = values.tolist() if values.dtype == object else values.tobytes()

    with h5py.File(path) as file:
        file.visititems(visit)
        # The checksum is of everything else, times included.
        found["attributes"] = {
            name: np.asarray(value).tolist()
            for name, value in file.attrs.items()
            if name != "checksum"
        }
    return found


# What `pynvml` is on a machine with some GPUs; a handle is the GPU, or the part, itself.
NVML = """
class NVMLError(Exception): pass
class NVMLError_NotFound(NVMLError): pass
def nvmlInit():
    if not GPUS: raise NVMLError("Driver Not Loaded")
def nvmlShutdown(): pass
def nvmlDeviceGetCount(): return len(GPUS)
def nvmlDeviceGetHandleByIndex(index): return GPUS[index]
def nvmlDeviceGetUUID(gpu): return gpu[0]
def nvmlDeviceGetName(gpu): return gpu[1]
def nvmlDeviceGetMaxMigDeviceCount(gpu): return 7
def nvmlDeviceGetMigDeviceHandleByIndex(gpu, index):
    if index >= len(gpu[2:]): raise NVMLError_NotFound("Not Found")
    return gpu[2 + index]
"""


def pretend_gpus(folder, *gpus):
    """Stand in for the driver's library; return the PYTHONPATH of processes that are to see it.

    Args:
        folder: to write to.
        gpus: UUID, name and parts of each, these again a UUID and a name; none: no driver.
    """
    folder.mkdir(exist_ok=True)
    (folder / "pynvml.py").write_text(f"GPUS = {gpus!r}\n{NVML}")
    return os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))


def pretend_gpus_here(monkeypatch, folder, *gpus):
    """Stand in for the driver's library in this process, and in those that it starts."""
    monkeypatch.setenv("PYTHONPATH", pretend_gpus(folder, *gpus))
    library = types.ModuleType("pynvml")
    exec(f"GPUS = {gpus!r}\n{NVML}", library.__dict__)
    monkeypatch.setitem(sys.modules, "pynvml", library)
