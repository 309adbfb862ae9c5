"""A video of one's own: one command from the file to a video to look at."""

import subprocess

import imageio_ffmpeg
import numpy as np
import pytest

from support import ROOT, SMALLEST, SPACE
from videottt.cli import main
from videottt.models.checkpoint import save_checkpoint
from videottt.models.y_shaped import YShapedModel
from videottt.store.frames import FrameStore
from videottt.store.predictions import PredictionReader

QUICK = '{"batch": 1, "shortest_edge": 64}'


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """A second of moving colours with a tone, and an awkward name."""
    path = tmp_path_factory.mktemp("clips") / "-my 'clip'.mp4"
    sources = ("testsrc2=size=96x64:rate=5:duration=1", "sine=duration=1")
    inputs = [part for each in sources for part in ("-f", "lavfi", "-i", each)]
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", *inputs]
    subprocess.run([*command, "-pix_fmt", "yuv420p", f"file:{path}"], check=True)
    return path


def streams_in(path):
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-i", f"file:{path}"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stderr


def run(clip, task, checkpoint, folder, *more):
    main(["run", "--task", task, "--checkpoint", str(checkpoint), "--config",
          str(ROOT / "config.yaml"), "--study", "tiny_demo", "--override", QUICK, "--output",
          str(folder), *more, "--", str(clip)])  # fmt: skip


def test_a_video_is_predicted_and_shown_beside_the_model_that_does_not_learn(
    clip, joint_checkpoint, tmp_path, capfd
):
    run(clip, "semantic", joint_checkpoint, tmp_path, "--method", "online_ttt_mae,window=2")
    with FrameStore(tmp_path / "frames.h5") as store:
        assert (len(store), store.size, store.fps) == (5, (64, 96), 5.0)
        assert store.space == SPACE
    found = []
    for method in ("without_learning", "online_ttt_mae,window=2"):
        with PredictionReader(tmp_path / f"{method}.h5") as reader:
            assert len(reader) == 5
            found.append((reader.number("loss"), reader.prediction(4)))
    assert np.isnan(found[0][0]).all()
    assert np.isfinite(found[1][0]).all()
    assert found[1][1].max() < len(SPACE.classes)
    said = streams_in(tmp_path / "side_by_side.mp4")
    assert "Video: h264" in said
    assert "Audio: aac" in said
    names = {"frames.h5", "without_learning.h5", "online_ttt_mae,window=2.h5", "side_by_side.mp4",
             "source.json"}  # fmt: skip
    assert {path.name for path in tmp_path.iterdir()} == names
    capfd.readouterr()


def test_a_film_is_coloured(clip, tmp_path, capfd):
    checkpoint = tmp_path / "colours.safetensors"
    model = YShapedModel(SMALLEST, 0, 0, "colours")
    save_checkpoint(checkpoint, model, [], SPACE, decoder=True, provenance={"model": "tiny"})
    run(clip, "colorization", checkpoint, tmp_path / "out", "--fps", "2.5")
    with PredictionReader(tmp_path / "out/online_ttt_mae.h5") as reader:
        assert reader.prediction(1).shape == (64, 96, 3)
    assert "96x64" in streams_in(tmp_path / "out/colours.mp4")
    capfd.readouterr()


@pytest.mark.parametrize(
    ("task", "more", "message"),
    [
        ("semantik", [], "unknown task 'semantik'; did you mean 'semantic'?"),
        ("semantic", ["--method", "zhang2016"], "videottt predict-zhang2016"),
        ("instance", ["--method", "self_train"], "method 'self_train': unknown task 'instance'"),
        ("semantic", ["--study", "dmeo"], "unknown study 'dmeo'; did you mean 'demo'?"),
        ("colorization", [], "trained for colorization"),
    ],
)
def test_what_cannot_be_run_is_one_line(
    clip, joint_checkpoint, tmp_path, capfd, task, more, message
):
    with pytest.raises(SystemExit) as caught:
        run(clip, task, joint_checkpoint, tmp_path / "out", *more)
    assert caught.value.code == 2
    last = capfd.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("videottt: error: ")
    assert message in last
