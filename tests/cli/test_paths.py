"""Videos and folders of any name and place, and results that are never replaced unasked."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
from PIL import Image

from support import ROOT
from verbs import call, refused
from videottt.cli import VERBS, main, parser
from videottt.core.files import sha256
from videottt.store.frames import FrameStore
from videottt.store.predictions import PredictionReader

LATIN = os.fsdecode(b"caf\xe9.mp4")
NAMES = [os.fsdecode(b"a\xe9"), "b\n'c\" $x", "c%d", "-d", "e é"]


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Two films of half a second."""
    folder = tmp_path_factory.mktemp("clips")
    for name in ("testsrc2", "mandelbrot"):
        source = f"{name}=size=96x64:rate=4"
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", "-f", "lavfi", "-i"]
        subprocess.run([*command, source, "-t", "0.5", folder / f"{name}.mp4"], check=True)
    return folder / "testsrc2.mp4", folder / "mandelbrot.mp4"


@pytest.fixture
def run(joint_checkpoint, tmp_path, monkeypatch):
    """Run a video in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def start(video, *more):
        main(["run", "--task", "semantic", "--checkpoint", str(joint_checkpoint), "--config",
              str(ROOT / "config.yaml"), "--study", "tiny_demo", "--override",
              '{"batch": 1, "shortest_edge": 64}', *more, "--", str(video)])  # fmt: skip

    return start


def names_in(folder):
    with (
        FrameStore(folder / "frames.h5") as store,
        PredictionReader(folder / "online_ttt_mae.h5") as predicted,
    ):
        predicted.check_video(store)
        return store.video, store.names, [store.frame(index) for index in range(len(store))]


def test_a_file_whose_name_is_no_text_is_run_to_the_end(clips, run, tmp_path, caplog):
    shutil.copy(clips[0], tmp_path / LATIN)
    caplog.set_level("INFO")
    run(LATIN)
    folder = tmp_path / r"results/own/caf\udce9/semantic"
    video, _, frames = names_in(folder)
    assert (video, len(frames)) == (r"caf\udce9.mp4", 2)
    assert json.loads((folder / "source.json").read_text())["video"] == str(tmp_path / LATIN)
    assert (folder / "side_by_side.mp4").stat().st_size > 1000
    # In a form that bash reads.
    assert r" $'--video=caf\xe9.mp4' " in caplog.text
    run(LATIN, "--output", os.fsdecode(b"\xe9t\xe9"))
    assert (tmp_path / os.fsdecode(b"\xe9t\xe9") / "side_by_side.mp4").is_file()


def test_pictures_of_any_name_are_frames_under_their_names(run, tmp_path, monkeypatch):
    folder = tmp_path / os.fsdecode(b"pictures.\xe9t\xe9")
    folder.mkdir()
    for place, name in enumerate(NAMES):
        Image.new("RGB", (96, 64), (40 * place, 0, 0)).save(folder / f"{name}.png")
    run(folder, "--fps", "5", "--output", "out")
    video, names, frames = names_in(tmp_path / "out")
    assert video == r"pictures.\udce9t\udce9"
    shades = {name: frame[0, 0, 0] for name, frame in zip(names, frames, strict=True)}
    assert shades == {name: 40 * place for place, name in enumerate(NAMES)}
    monkeypatch.chdir(folder)
    run(".", "--fps", "5", "--output", "../out")
    assert names_in(tmp_path / "out")[:2] == (video, names)


def test_a_folder_is_called_by_its_name_however_it_is_reached(run, tmp_path, monkeypatch):
    (tmp_path / "v1.2/deep").mkdir(parents=True)
    Image.new("RGB", (96, 64)).save(tmp_path / "v1.2/0.png")
    monkeypatch.chdir(tmp_path / "v1.2/deep")
    run("..", "--fps", "5")
    assert names_in(Path("results/own/v1.2/semantic"))[0] == "v1.2"


def test_results_of_another_video_are_not_replaced(clips, run, tmp_path, capsys, caplog):
    first, second = (tmp_path / name / "clip.mp4" for name in "ab")
    for place, clip in zip((first, second), clips, strict=True):
        place.parent.mkdir()
        shutil.copy(clip, place)
    run(first)
    folder = tmp_path / "results/own/clip/semantic"
    made = {path.name: sha256(path) for path in folder.iterdir()}
    for more in ((), ("--output", str(folder))):
        line = refused(capsys, lambda more=more: run(second, *more))
        assert f"results of another video, {first}, which those of {second} would replace" in line
        assert "semantic_2" in line
    assert {path.name: sha256(path) for path in folder.iterdir()} == made
    # A copy that lies elsewhere is the same video.
    third = second.with_name("copy.mp4")
    shutil.copy(first, third)
    run(third, "--output", str(folder))
    assert names_in(folder)[0] == "copy.mp4"
    # So is a file that has changed in its place.
    before = names_in(folder)[2]
    shutil.copy(second, third)
    run(third, "--output", str(folder))
    assert "copy.mp4: has changed, and is predicted again" in caplog.text
    after = names_in(folder)[2]
    assert len(after) == len(before)
    assert not np.array_equal(after, before)


def test_frames_that_do_not_say_where_they_are_from_are_known_by_their_name(
    clips, run, tmp_path, capsys
):
    settings = {"layout": "video_file"}
    call("ingest", dataset="own", split="own", video=clips[0].name, root=clips[0].parent,
         settings=settings, output=tmp_path / "out/frames.h5")  # fmt: skip
    line = refused(capsys, lambda: run(clips[1], "--output", "out"))
    assert f"another video, 'testsrc2.mp4', which those of {clips[1]}" in line
    run(clips[0], "--output", "out")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["https://example.org/a.mp4"], "https://example.org/a.mp4: is an address"),
        (["s3://bucket/a.mp4"], "s3://bucket/a.mp4: is an address"),
        ([""], "a path is empty"),
        (["/"], "/: is no video"),
        (["pipe"], "pipe: is no file"),
        (["empty/a.mp4"], "empty/a.mp4: no such video: empty has none; check the path"),
        (["none/a.mp4"], "none/a.mp4: no such video: none has none; check the path"),
        (["a.mp4"], "^videottt: error: a.mp4: no such video.* valid names: clip, "),
        (["stills.tif"], "stills.tif: images have no time stamps; give .* --fps 25"),
        (["pictures"], "pictures: images have no time stamps; give .* --fps 25"),
        (["clip.mp4", "--output=~nobody-here/x"], "no user 'nobody-here'"),
        (["clip.mp4", "--method", "onlin_ttt_mae"], "the configuration: unknown method 'onlin_ttt"),
    ],
)  # fmt: skip
def test_what_is_no_video_is_one_line_before_any_work(
    clips, tmp_path, monkeypatch, capsys, words, message
):
    monkeypatch.chdir(tmp_path)
    shutil.copy(clips[0], "clip.mp4")
    for name in ("pictures", "empty"):
        (tmp_path / name).mkdir()
    os.mkfifo("pipe")
    page = Image.new("RGB", (96, 64))
    page.save("stills.tif", save_all=True, append_images=[page])
    Image.new("RGB", (96, 64)).save("pictures/0.png")
    before = sorted(tmp_path.rglob("*"))
    line = refused(capsys, lambda: main(["run", *words]))
    assert re.search(message, line), line
    assert "config.yaml" not in line
    assert sorted(tmp_path.rglob("*")) == before


def test_home_is_known_to_every_argument_that_is_a_path(tmp_path, monkeypatch, clips):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "chosen.json").write_text('{"layout": "video_file"}')
    shutil.copy(clips[0], tmp_path / "clip.mp4")
    main(["ingest", "--dataset=d", "--split=s", "--video=clip", "--root=~", "--output=~/a/v.h5",
          "--settings=@~/chosen.json"])  # fmt: skip
    assert (tmp_path / "a/v.h5").is_file()
    assert not (tmp_path / "~").exists()
    for verb in VERBS:
        (choices,) = (a for a in parser([verb])._actions if isinstance(a.choices, dict))
        plain = [a.dest for a in choices.choices[verb]._actions if a.type is Path]
        assert not plain, verb


def started(*words):
    """Start a command whose output nobody reads."""
    unread, output = os.pipe()
    os.close(unread)
    with os.fdopen(output, "wb") as file:
        command = [sys.executable, "-m", "videottt", *words]
        return subprocess.run(command, stdout=file, stderr=subprocess.PIPE, text=True, check=False)


@pytest.mark.parametrize("words", [("list", "checkpoints"), ("--version",), ("--help",)])
def test_a_command_ends_in_silence_when_nobody_reads(words):
    found = started(*words)
    assert (found.stderr, found.returncode) == ("", 128 + signal.SIGPIPE)


def test_a_full_disk_behind_the_output_is_one_line():
    with open("/dev/full", "w") as file:
        found = subprocess.run([sys.executable, "-m", "videottt", "--version"], stdout=file,
                               stderr=subprocess.PIPE, text=True, check=False)  # fmt: skip
    assert found.returncode == 2
    assert found.stderr.startswith("videottt: error: standard output: No space left")
    assert len(found.stderr.splitlines()) == 1
