import contextlib
import os
import subprocess
import tracemalloc
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
from PIL import Image

from support import DATA, SPACE
from videottt.core.errors import InputError
from videottt.data.layouts import layout_named
from videottt.data.layouts.video_file import find_source, frames_expected, read_video

# Every frame has its own grey: 16, 18, 20, ...
GREYS = "nullsrc=s=64x48:r=25:d=1,format=gray,geq=lum=16+2*N"
PATTERN = "testsrc=s=96x64:r=25:d=2"


def ffmpeg(*arguments):
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", *map(str, arguments)]
    subprocess.run([*command[:-1], f"file:{command[-1]}"], check=True, stdin=subprocess.DEVNULL)
    return arguments[-1]


def made(path, source=PATTERN, *options):
    """Make a video from one of ffmpeg's own sources and return its path."""
    return ffmpeg("-f", "lavfi", "-i", source, "-threads", 1, *options, path)


LOSSLESS = ("-c:v", "ffv1")
H264 = ("-pix_fmt", "yuv420p", "-c:v", "libx264", "-g", "10", "-movflags", "+faststart")


def complaint(path):
    with pytest.raises(InputError) as caught:
        for _ in read_video(path):
            pass
    assert str(path) in str(caught.value)
    return str(caught.value)


# Frames


def test_every_frame_arrives_once_in_order_with_its_time_stamp(tmp_path):
    frames = list(read_video(made(tmp_path / "greys.mkv", GREYS, *LOSSLESS)))
    levels = [int(np.median(frame.image)) for frame in frames]
    # Grey of video range: 16 is black, 235 is white.
    assert np.allclose(levels, 16 + 2 * np.arange(25), atol=2)
    assert [frame.name for frame in frames[:2]] == ["000000", "000001"]
    assert np.allclose([frame.timestamp for frame in frames], np.arange(25) / 25, atol=1e-3)
    assert all(frame.semantic is None for frame in frames)
    assert frames[0].image.flags.writeable


@pytest.mark.parametrize("colour", [(255, 0, 0), (0, 255, 0), (0, 0, 255), (200, 120, 40)])
@pytest.mark.parametrize(
    ("suffix", "options"),
    [
        (".mkv", ("-c:v", "ffv1", "-pix_fmt", "bgr0")),
        (".mp4", ("-c:v", "libx264", "-crf", "1", "-pix_fmt", "yuv420p")),
        (".mkv", ("-c:v", "ffv1", "-pix_fmt", "yuv420p10le")),
    ],
)
def test_colours_are_those_of_the_video_in_rgb(tmp_path, colour, suffix, options):
    source = "color=c=0x{:02x}{:02x}{:02x}:s=64x48:r=10:d=0.2".format(*colour)
    for frame in read_video(made(tmp_path / f"v{suffix}", source, *options)):
        assert np.abs(frame.image.astype(int) - colour).max() <= 3


@pytest.mark.parametrize("options", [LOSSLESS, ("-c:v", "mjpeg", "-pix_fmt", "yuvj420p")])
def test_odd_sizes_stay(tmp_path, options):
    frames = list(read_video(made(tmp_path / "v.mkv", "testsrc=s=63x47:r=10:d=0.5", *options)))
    assert [frame.image.shape for frame in frames] == [(47, 63, 3)] * 5


def test_time_stamps_of_a_variable_frame_rate_are_kept(tmp_path):
    source = "testsrc=s=64x48:r=10:d=2,select='lt(n,3)+eq(n,7)+eq(n,19)'"
    frames = read_video(made(tmp_path / "v.mkv", source, "-fps_mode", "vfr", *LOSSLESS))
    assert [frame.timestamp for frame in frames] == [0, 0.1, 0.2, 0.7, 1.9]


def test_time_stamps_are_as_exact_after_ten_hours(tmp_path):
    source = "testsrc=s=16x16:r=25:d=0.4,settb=1/1000,setpts='40*N+36000000*gte(N,3)'"
    path = made(tmp_path / "v.mkv", source, "-fps_mode", "passthrough", *LOSSLESS)
    seconds = [frame.timestamp for frame in read_video(path)]
    assert np.allclose(seconds, np.arange(10) / 25 + 36000 * (np.arange(10) >= 3), atol=1e-3)


def test_equal_time_stamps_are_refused(tmp_path):
    source = "testsrc=s=16x16:r=25:d=0.4,settb=1/1000,setpts=40*min(N\\,6)"
    path = made(tmp_path / "v.mkv", source, "-fps_mode", "passthrough", *LOSSLESS)
    assert "at frame 7 (0.24 s, then 0.24 s)" in complaint(path)


def test_pixels_that_are_not_square_are_logged(tmp_path, caplog):
    path = made(tmp_path / "v.mkv", "testsrc=s=64x48:r=5:d=0.4,setsar=4/3", *LOSSLESS)
    with caplog.at_level("INFO"):
        assert next(read_video(path)).image.shape == (48, 64, 3)
    assert "not square (4:3)" in caplog.text


def test_the_length_is_estimated_from_the_header(tmp_path):
    made(tmp_path / "v.mp4", PATTERN, *H264)
    assert frames_expected(tmp_path, "test", "v") == 50


def test_two_readings_are_equal(tmp_path):
    path = made(tmp_path / "v.mp4", PATTERN, *H264)
    once, again = (np.stack([f.image for f in read_video(path)]) for _ in range(2))
    assert np.array_equal(once, again)


@pytest.mark.parametrize(
    "name",
    [
        "-i.mp4", "-", "two words.mp4", "it's \"quoted\".mp4", "a\nb.mp4", "frame%03d.png", "%d",
        "http:x.mp4", "concat:a|b.mp4", "é.mp4", "[0:v]null;.mp4", "a*?.mp4",
    ],
)  # fmt: skip
def test_a_file_name_is_never_a_pattern_or_an_option(tmp_path, monkeypatch, name):
    made(tmp_path / "plain.mkv", "testsrc=s=16x16:r=10:d=0.3", *LOSSLESS)
    (tmp_path / "plain.mkv").rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert len(list(read_video(Path(name)))) == 3
    assert find_source(Path(), name.removesuffix(Path(name).suffix)) == Path(name)


# Streaming


def children():
    listed = Path(f"/proc/self/task/{os.getpid()}/children")
    return listed.read_text().split() if listed.exists() else []


def test_closing_early_ends_ffmpeg_and_leaves_nothing(tmp_path, capfd):
    path = made(tmp_path / "v.mkv", "testsrc=s=320x240:r=25:d=4", *LOSSLESS)
    before = children()
    frames = read_video(path)
    next(frames)
    assert len(children()) == len(before) + 1
    files = len(os.listdir("/proc/self/fd"))
    frames.close()
    assert children() == before
    assert len(os.listdir("/proc/self/fd")) == files - 3
    assert capfd.readouterr().err == ""


def test_memory_does_not_grow_with_the_length(tmp_path):
    frame = 32 * 32 * 3
    path = made(tmp_path / "v.mkv", "color=s=32x32:r=100:d=20", "-c:v", "ffv1", "-g", "1")
    tracemalloc.start()
    with contextlib.closing(read_video(path)) as frames:
        for _ in range(100):
            next(frames)
        early = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        assert sum(1 for _ in frames) == 1900
        late = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert late - early < 100 * frame


# Files that are no video, truncated or damaged


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (None, "no such file"),
        (b"", "is empty"),
        (b"A letter to a friend.\n" * 50, "no video that ffmpeg can read"),
        (np.random.default_rng(0).bytes(5000), "no video that ffmpeg can read"),
        (b"ffconcat version 1.0\nfile other.mkv\n", "no video that ffmpeg can read"),
        (b"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nother.mkv\n", "no video that ffmpeg can"),
    ],
)
def test_a_file_that_is_no_video_is_refused(tmp_path, content, what):
    made(tmp_path / "other.mkv", PATTERN, *LOSSLESS)
    path = tmp_path / "v.mp4"
    if content is not None:
        path.write_bytes(content)
    assert what in complaint(path)


SOUND = ("-f", "lavfi", "-i", "sine=d=1")


def test_sound_alone_is_refused(tmp_path):
    assert "only sound" in complaint(ffmpeg(*SOUND, tmp_path / "s.m4a"))


@pytest.mark.parametrize("suffix", [".mp3", ".m4a"])
def test_a_cover_picture_is_no_video(tmp_path, suffix):
    cover = ("-f", "lavfi", "-i", "testsrc=s=64x64:r=1:d=1")
    as_cover = ("-map", 0, "-map", 1, "-c:v", "mjpeg", "-disposition:v", "attached_pic")
    path = ffmpeg(*SOUND, *cover, *as_cover, "-frames:v", 1, tmp_path / f"s{suffix}")
    assert "only sound" in complaint(path)


@pytest.mark.parametrize("sound", [False, True])
@pytest.mark.parametrize(
    ("suffix", "options"),
    [
        (".mp4", H264),
        (".avi", ("-c:v", "mpeg4")),
        (".webm", ("-c:v", "libvpx")),
        (".mkv", LOSSLESS),
    ],
)
def test_a_truncated_file_is_noticed_wherever_it_ends(tmp_path, suffix, options, sound):
    extra = ("-f", "lavfi", "-i", "sine=d=2") if sound else ()
    whole = made(tmp_path / f"whole{suffix}", PATTERN, *extra, *options)
    assert sum(1 for _ in read_video(whole)) == 50
    data = whole.read_bytes()
    path = tmp_path / f"cut{suffix}"
    for part in np.linspace(0.02, 1, 50, endpoint=False):
        path.write_bytes(data[: int(part * len(data))])
        assert "truncated" in complaint(path)


def test_a_recording_without_its_index_is_noticed(tmp_path):
    path = made(tmp_path / "v.mp4", PATTERN, "-c:v", "libx264")
    data = path.read_bytes()
    # As a camera leaves it that lost its power: the index comes last.
    path.write_bytes(data[: data.rindex(b"moov") - 4])
    assert "'moov'" in complaint(path)


def test_damage_in_the_middle_is_noticed(tmp_path):
    path = made(tmp_path / "v.mp4", PATTERN, *H264)
    data = bytearray(path.read_bytes())
    middle = len(data) * 3 // 4
    data[middle : middle + 400] = np.random.default_rng(0).bytes(400)
    path.write_bytes(data)
    assert "truncated or damaged" in complaint(path)


def test_a_turned_video_is_refused_with_a_command_that_turns_it(tmp_path):
    upright = made(tmp_path / "upright.mp4", PATTERN, *H264)
    turn = ("-display_rotation", 90, "-i", upright, "-c", "copy")
    path = ffmpeg(*turn, tmp_path / "turned clip.mp4")
    line = complaint(path)
    assert "rotation of 90 degrees" in line
    command = line.partition(": ffmpeg ")[2]
    subprocess.run(f"{imageio_ffmpeg.get_ffmpeg_exe()} -v error {command}", shell=True, check=True)
    frames = list(read_video(tmp_path / "turned clip_new.mp4"))
    assert [frame.image.shape for frame in frames] == [(96, 64, 3)] * 50


def test_a_change_of_size_is_refused(tmp_path):
    form = ("-pix_fmt", "yuv420p", "-c:v", "libx264", "-f", "h264")
    parts = [
        made(tmp_path / "1.h264", "testsrc=s=96x64:r=25:d=0.4", *form),
        made(tmp_path / "2.h264", "testsrc=s=128x96:r=25:d=0.4", *form),
    ]
    path = tmp_path / "both.h264"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    assert "changes from 96x64 to 128x96 at frame 10" in complaint(path)


def test_a_track_without_a_frame_is_refused(tmp_path):
    path = made(tmp_path / "v.mp4", PATTERN, *H264[:-1], "+frag_keyframe+empty_moov")
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"moof") - 4])
    assert "not a single frame" in complaint(path)


def test_a_missing_ffmpeg_is_named(tmp_path, monkeypatch):
    path = made(tmp_path / "v.mp4", PATTERN, *H264)
    for executable in (tmp_path / "none", path):
        monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(executable))
        line = complaint(path)
        assert str(executable) in line
        assert "IMAGEIO_FFMPEG_EXE" in line


# Finding the file, and folders of images


def test_a_video_is_found_by_its_name_whatever_its_suffix(tmp_path):
    for name in ("clip.webm", "clip2.mp4", "clip.v2.mov", ".clip.mp4.part"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "stills").mkdir()
    assert find_source(tmp_path, "clip") == tmp_path / "clip.webm"
    assert find_source(tmp_path, "clip.v2") == tmp_path / "clip.v2.mov"
    assert find_source(tmp_path, "stills") == tmp_path / "stills"
    with pytest.raises(InputError, match="did you mean 'stills'"):
        find_source(tmp_path, "still")
    (tmp_path / "clip.mp4").write_bytes(b"")
    with pytest.raises(InputError, match=r"which of clip\.mp4, clip\.webm"):
        find_source(tmp_path, "clip")
    with pytest.raises(InputError, match="no such video"):
        find_source(tmp_path / "none", "clip")


def test_images_are_read_in_natural_order_without_time_stamps(tmp_path):
    folder = tmp_path / "clip"
    folder.mkdir()
    names = ["frame1.png", "frame2.bmp", "frame10.tif", "frame11.webp", "frame100.PNG"]
    for level, name in enumerate(names):
        Image.new("RGB", (32, 16), (10 * level, 0, 0)).save(folder / name, lossless=True)
    (folder / "notes.txt").write_text("no image")
    frames = list(layout_named("video_file").read(tmp_path, "test", "clip", SPACE))
    assert [frame.name for frame in frames] == [name.partition(".")[0] for name in names]
    assert [int(frame.image[0, 0, 0]) for frame in frames] == [0, 10, 20, 30, 40]
    assert all(frame.timestamp is None for frame in frames)
    assert frames_expected(tmp_path, "test", "clip") == 5
    Image.new("RGB", (32, 16)).save(folder / "frame2.png")
    assert "has the same name as" in complaint(folder)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
def test_images_are_turned_upright(tmp_path, suffix):
    exif = Image.Exif()
    exif[274] = 6
    Image.new("RGB", (32, 16)).save(tmp_path / f"0{suffix}", exif=exif)
    assert next(read_video(tmp_path)).image.shape == (32, 16, 3)


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "CMYK", "1"])
def test_images_of_any_8_bit_mode_become_rgb(tmp_path, mode):
    Image.new("RGB", (8, 4), "white").convert(mode).save(tmp_path / "0.tif")
    assert (next(read_video(tmp_path)).image == np.full((4, 8, 3), 255)).all()


def test_images_of_16_bits_and_broken_ones_are_refused(tmp_path):
    Image.fromarray(np.full((4, 8), 40000, np.uint16)).save(tmp_path / "0.png")
    with pytest.raises(InputError, match="more than 8 bits"):
        next(read_video(tmp_path))
    (tmp_path / "0.png").write_bytes(b"\x89PNG but not really")
    with pytest.raises(InputError, match=r"0\.png: not a readable image"):
        next(read_video(tmp_path))


# Real videos


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("name", "frames", "size"),
    [
        ("kitti_step/0002.mp4", 233, (376, 1242)),
        ("lumiere/babys_meal.mp4", 353, (720, 956)),
    ],
)
def test_real_videos_are_read_whole(name, frames, size):
    path = DATA / "videos" / name
    if not path.is_file():
        pytest.skip(f"no {path}: set VIDEOTTT_SHARED_DATA to the folder that has it")
    shapes = [frame.image.shape for frame in read_video(path)]
    assert shapes == [(*size, 3)] * frames
    assert frames_expected(path.parent, "test", path.stem) == frames
