"""A tiny rendered video and a barely trained joint model, both made by the real code."""

import pytest
import torch

from archive_files import make_tar_gz, make_zip
from loopback import Loopback
from source_list import PAIR, WEIGHTS, SourceList
from support import FRAMES, SIZE, SPACE, VIDEO, small_model, store_frames, train_small, whole_config
from videottt.data.layouts.kitti_step import CITYSCAPES
from videottt.data.synthetic import render_video
from videottt.models.checkpoint import load_checkpoint, save_checkpoint
from videottt.settings.dataset import Phase
from videottt.store.frames import FrameStore
from videottt.store.source_frame import SourceFrame

torch.set_num_threads(1)


def pytest_collection_modifyitems(items):
    # The longest files first: with several processes, none waits for them at the end.
    items.sort(key=lambda item: item.get_closest_marker("workflow") is None)


@pytest.fixture(scope="session")
def config():
    return whole_config()


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


@pytest.fixture
def sources(tmp_path, monkeypatch):
    for name in ("CITYSCAPES_USERNAME", "CITYSCAPES_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    served = tmp_path / "served"
    served.mkdir()
    (served / "w.pth").write_bytes(WEIGHTS)
    (served / "film.webm").write_bytes(b"pictures")
    make_tar_gz(served / "maps.tar.gz", {"set/maps/val/1.png": b"1", "set/README": b""})
    make_zip(served / "city.zip", {"val/ulm/1.png": b"ulm", "test/x.png": b""})
    users = {PAIR["username"]: PAIR["password"]}
    with Loopback(served, {3: "city.zip"}, users) as server:
        yield SourceList(tmp_path, server)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Keep names of files that are no text out of reports, which other processes cannot take."""
    report = yield
    report.sections = [
        (name, content.encode(errors="backslashreplace").decode())
        for name, content in report.sections
    ]
    return report
