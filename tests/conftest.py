"""A tiny rendered video and a barely trained joint model, both made by the real code."""

import pytest
import torch
import yaml

from support import FRAMES, ROOT, SIZE, SPACE, VIDEO, small_model, store_frames, train_small
from videottt.data.layouts.kitti_step import CITYSCAPES
from videottt.data.synthetic import Phase, render_video
from videottt.models.checkpoint import load_checkpoint, save_checkpoint
from videottt.store.frames import FrameStore, SourceFrame

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def config():
    return yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def source_frames():
    phases = [Phase("avenue", "day"), Phase("tunnel", "tunnel"), Phase("market", "night")]
    return [
        SourceFrame(f"{index:06d}", frame.image, frame.semantic, frame.instance)
        for index, frame in enumerate(render_video(VIDEO, phases, FRAMES, SIZE, seed=0))
    ]


@pytest.fixture(scope="session")
def store_path(source_frames, tmp_path_factory):
    return store_frames(tmp_path_factory.mktemp("frames") / "tiny.h5", source_frames)


@pytest.fixture
def store(store_path):
    with FrameStore(store_path) as opened:
        yield opened


@pytest.fixture(scope="session")
def joint_checkpoint(store_path, tmp_path_factory):
    path = tmp_path_factory.mktemp("checkpoints") / "joint.safetensors"
    run = train_small(small_model(), [store_path])
    save_checkpoint(
        path, run.model, list(CITYSCAPES), SPACE, decoder=True, provenance={"made": "here"}
    )
    return path


@pytest.fixture(scope="session")
def main_task_checkpoint(joint_checkpoint, tmp_path_factory):
    path = tmp_path_factory.mktemp("checkpoints") / "main_task.safetensors"
    joint = load_checkpoint(joint_checkpoint)
    save_checkpoint(path, joint.model, joint.classes, joint.space, decoder=False, provenance={})
    return path


@pytest.fixture
def model(joint_checkpoint):
    return load_checkpoint(joint_checkpoint).model
