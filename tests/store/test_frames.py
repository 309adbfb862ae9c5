import json
import pickle

import numpy as np
import pytest
from PIL import Image

from support import DATA, SPACE, store_frames
from videottt.cli import main
from videottt.core.errors import InputError
from videottt.core.segments import VOID
from videottt.data.ingest import sampled
from videottt.data.layouts import layout_named
from videottt.data.layouts.imagenet import StillFolder, fingerprint
from videottt.settings.augmentation import Augmentation
from videottt.store.frames import FrameStore
from videottt.store.source_frame import SourceFrame
from videottt.training.stills import StillImages

IMAGE = np.zeros((4, 6, 3), np.uint8)


def stamped(seconds):
    return [SourceFrame(f"{i:06d}", IMAGE, timestamp=s) for i, s in enumerate(seconds)]


# Time stamps


def test_time_stamps_are_stored_and_say_the_rate(tmp_path):
    seconds = [0.5, 0.6, 0.7, 1.1, 2.5]
    with FrameStore(store_frames(tmp_path / "x.h5", stamped(seconds), fps=None)) as store:
        assert store.timestamps.tolist() == seconds
        # The mean but for the pause at the end.
        assert store.fps == pytest.approx(5.0)
    with FrameStore(store_frames(tmp_path / "x.h5", stamped(seconds), fps=30)) as store:
        assert store.fps == pytest.approx(5.0)


def test_frames_without_time_stamps_have_those_of_their_rate(tmp_path):
    frames = [SourceFrame(str(i), IMAGE) for i in range(4)]
    with FrameStore(store_frames(tmp_path / "x.h5", frames, fps=8)) as store:
        assert store.timestamps.tolist() == [0, 0.125, 0.25, 0.375]
        assert store.fps == 8.0


@pytest.mark.parametrize("rate", [24, 30000 / 1001, 60])
def test_a_pause_and_rounded_time_stamps_do_not_change_the_rate(tmp_path, rate):
    seconds = [round(index / rate, 3) for index in range(40)]
    seconds[25:] = [each + 3 for each in seconds[25:]]
    with FrameStore(store_frames(tmp_path / "x.h5", stamped(seconds), fps=None)) as store:
        assert store.fps == pytest.approx(rate, rel=2e-3)


@pytest.mark.parametrize(("fps", "rate"), [(25, 25.0), (None, 1.0)])
def test_a_single_frame_has_the_nominal_rate(tmp_path, fps, rate):
    with FrameStore(store_frames(tmp_path / "x.h5", stamped([3.0]), fps=fps)) as store:
        assert (store.fps, store.timestamps.tolist()) == (rate, [3.0])


@pytest.mark.parametrize(
    ("seconds", "what"),
    [
        ([0, 0.1, 0.1], "do not ascend"),
        ([0.2, 0.1], "do not ascend"),
        ([0, None], "missing"),
        ([None, 0.1], "missing"),
        ([None, None], "give its frames a second"),
    ],
)
def test_invalid_time_stamps_are_refused(tmp_path, seconds, what):
    with pytest.raises(InputError, match=what):
        store_frames(tmp_path / "x.h5", stamped(seconds), fps=None)
    assert not list(tmp_path.iterdir())


# Sampling


def taken(seconds, fps):
    return [int(frame.name) for frame in sampled(stamped(seconds), fps)]


@pytest.mark.parametrize(
    ("rate", "fps", "expected"),
    [
        (30, 10, [*range(0, 90, 3)]),
        (30, 15, [*range(0, 90, 2)]),
        (25, 10, [0, 3, 5, 8, 10, 13, 15, 18]),
        (30000 / 1001, 10, [0, 3, 6, 9, 12]),
        (24, 24, [*range(90)]),
        (25, 30, [*range(90)]),
        (10, 1000, [*range(90)]),
        (10, 1, [*range(0, 90, 10)]),
        (25, None, [*range(90)]),
    ],
)
@pytest.mark.parametrize("start", [0.0, 7.3])
@pytest.mark.parametrize("rounded", [False, True])
def test_frames_are_sampled_by_their_time_stamps(rate, fps, expected, start, rounded):
    # Matroska rounds to a thousandth of a second.
    seconds = [start + (round(i / rate, 3) if rounded else i / rate) for i in range(90)]
    assert taken(seconds, fps)[: len(expected)] == expected


def test_on_average_the_rate_is_the_one_wanted():
    for fps in (3, 10, 12.5, 24):
        assert len(taken([i / 25 for i in range(25 * 60)], fps)) == round(fps * 60)


def test_a_gap_repeats_no_frame():
    # Nothing between 0.1 and 0.95 s; then each instant takes the first frame not before it.
    assert taken([0, 0.05, 0.1, 0.95, 1.0, 1.05, 1.1], 10) == [0, 2, 3, 4, 6]


def test_frames_without_time_stamps_are_all_taken():
    frames = [SourceFrame(str(i), IMAGE) for i in range(5)]
    assert list(sampled(iter(frames), 2)) == frames


# The verb


def ingest(root, output, **settings):
    settings = {"layout": "video_file", **settings}
    main([
        "ingest", "--dataset", "mine", "--split", "test", "--video", "clip", "--root", str(root),
        "--settings", json.dumps(settings), "--output", str(output),
    ])  # fmt: skip
    return FrameStore(output)


def test_a_folder_of_images_is_ingested_and_needs_a_rate(tmp_path, capsys):
    (tmp_path / "clip").mkdir()
    for number in range(1, 13):
        Image.new("RGB", (8, 4), (number, 0, 0)).save(tmp_path / "clip" / f"{number}.png")
    with ingest(tmp_path, tmp_path / "x.h5", fps=5, first="2", last="11") as store:
        assert store.names == [str(number) for number in range(2, 12)]
        assert (store.fps, store.timestamps[1]) == (5.0, 0.2)
        assert (store.classes, store.labelled.any()) == ([], False)
    with pytest.raises(SystemExit):
        ingest(tmp_path, tmp_path / "y.h5", fps=None)
    assert "'1': images have no time stamps" in capsys.readouterr().err


@pytest.mark.shared_data
def test_a_real_video_is_ingested_at_the_rate_wanted(tmp_path):
    root = DATA / "videos" / "kitti_step"
    if not root.is_dir():
        pytest.skip(f"no {root}: set VIDEOTTT_SHARED_DATA to the folder that has it")
    (tmp_path / "clip.mp4").symlink_to(root / "0002.mp4")
    with ingest(tmp_path, tmp_path / "x.h5", fps=1, last="000100") as store:
        assert store.names == [f"{number:06d}" for number in range(0, 101, 10)]
        assert store.fps == pytest.approx(1.0)
        assert store.size == (376, 1242)


# ImageNet


@pytest.fixture
def stills(tmp_path):
    """Return a folder in ImageNet's layout: five images, one of them grey, one CMYK."""
    modes = {"n01/b": "RGB", "n01/a": "L", "n02/c": "CMYK", "n02/d": "RGB", "n02/e": "RGB"}
    for index, (name, mode) in enumerate(modes.items()):
        path = tmp_path / "train" / f"{name}.JPEG"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40 + index, 30), (200, 100, 50)).convert(mode).save(path)
    return tmp_path / "train"


def test_a_folder_of_stills_is_trained_on_like_a_frame_store(stills):
    recipe = Augmentation(32, 64, (32, 32), colour=0)
    folder = StillFolder(stills, SPACE)
    assert folder.names == [
        "n01/a.JPEG",
        "n01/b.JPEG",
        "n02/c.JPEG",
        "n02/d.JPEG",
        "n02/e.JPEG",
    ]
    assert len(folder) == 5
    assert folder.labelled.all()
    for index in range(5):
        image = folder.frame(index)
        assert (image.dtype, image.shape[2]) == (np.uint8, 3)
        assert folder.semantic(index).shape == image.shape[:2]
        assert (folder.semantic(index) == VOID).all()
        assert not folder.instance(index).any()
    here = StillImages([folder], recipe, ("joint", 0), 20)
    elsewhere = pickle.loads(pickle.dumps(here))
    for index in (0, 7, 19):
        for one, other in zip(here[index], elsewhere[index], strict=True):
            assert one.equal(other)


def test_a_fingerprint_tells_names_and_sizes(stills):
    before = fingerprint(stills)
    assert before == fingerprint(stills)
    (stills / "n01" / "notes.txt").write_text("no image")
    assert fingerprint(stills) == before
    (stills / "n01" / "a.JPEG").rename(stills / "n02" / "a.JPEG")
    moved = fingerprint(stills)
    with (stills / "n02" / "a.JPEG").open("ab") as file:
        file.write(b"\0")
    assert len({before, moved, fingerprint(stills)}) == 3


def test_a_broken_still_and_an_empty_folder_are_named(stills, tmp_path):
    (stills / "n01" / "b.JPEG").write_bytes(b"no image")
    with pytest.raises(InputError, match=r"n01/b\.JPEG: not a readable image"):
        StillFolder(stills, SPACE).frame(1)
    for folder in (tmp_path / "none", tmp_path):
        if folder.is_dir():
            (stills).rename(tmp_path.with_name("elsewhere"))
        with pytest.raises(InputError, match="holds no image"):
            StillFolder(folder, SPACE)


def test_one_class_can_be_read_as_frames(stills):
    frames = list(layout_named("imagenet").read(stills.parent, "train", "train/n01", SPACE))
    assert [frame.name for frame in frames] == ["a", "b"]
