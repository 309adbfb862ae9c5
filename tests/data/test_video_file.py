import contextlib
import dataclasses
import os
import subprocess
import tracemalloc
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
from PIL import Image

from support import DATA, SPACE, store_frames
from videottt.core.errors import InputError
from videottt.data.films.ffmpeg_decoder import Picture
from videottt.data.films.times import timed
from videottt.data.ingest import sampled
from videottt.data.layouts import layout_named
from videottt.data.layouts.video_file import find_source, frames_expected, read_video
from videottt.store.frames import FrameStore

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


def run_command(line):
    """Run the command that ends a complaint."""
    command = line.partition(": ffmpeg ")[2]
    subprocess.run(f"{imageio_ffmpeg.get_ffmpeg_exe()} -v error {command}", shell=True, check=True)


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


@pytest.mark.parametrize(
    # In periods. The stamp of frame 7 or the last one is that of the frame before, or far back.
    "stamps",
    ["N-eq(N,7)", "N-5*eq(N,7)", "N-eq(N,7)+9000", "N-eq(N,24)"],
)
def test_a_wrong_time_stamp_is_mended_and_the_others_stay(tmp_path, caplog, stamps):
    source = f"testsrc=s=16x16:r=25:d=1,settb=1/1000,setpts='40*({stamps})'"
    path = made(tmp_path / "v.mkv", source, "-fps_mode", "passthrough", *LOSSLESS)
    seconds = [frame.timestamp for frame in read_video(path)]
    assert np.allclose(seconds, np.arange(25) / 25, atol=1e-6)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "1 time stamp(s) are missing, repeated or go back" in caplog.text


@pytest.mark.parametrize(
    ("stamps", "times"),
    [
        ([0, 1, 2, 900, 901, 5, 6, 7, 8, 9, 10], range(11)),
        ([900, 1, 2, 3], range(4)),
        ([None, 1, 2, None, None, 5], range(6)),
        ([0, 1, 1, 1, 4, 900], [0, 1, 2, 3, 4, 900]),
        # The clock starts again.
        ([*range(12), *range(12), *range(12)], range(36)),
    ],
)
def test_right_time_stamps_never_change(stamps, times):
    pictures = iter([Picture(np.empty(0), stamp, None) for stamp in stamps])
    assert [time for time, _ in timed(Path("v.mkv"), pictures)] == pytest.approx(list(times))


def test_joined_films_go_on(tmp_path, caplog):
    path = made(tmp_path / "v.mkv", GREYS, *LOSSLESS)
    path.write_bytes(2 * path.read_bytes())
    frames = list(read_video(path))
    assert np.allclose([frame.timestamp for frame in frames], np.arange(50) / 25, atol=2e-3)
    assert "starts again 1 time(s)" in caplog.text


def test_time_stamps_that_stand_still_are_refused_with_a_command_that_makes_new_ones(tmp_path):
    source = "testsrc=s=16x16:r=25:d=1,settb=1/1000,setpts=0"
    path = made(tmp_path / "v.mkv", source, "-fps_mode", "passthrough", *LOSSLESS)
    line = complaint(path)
    assert "24 of the first 25 are missing, repeated or go back" in line
    run_command(line)
    seconds = [frame.timestamp for frame in read_video(tmp_path / "v_new.mp4")]
    assert np.allclose(seconds, np.arange(25) / 25)


def test_a_stream_without_time_stamps_has_those_of_its_rate(tmp_path):
    path = made(tmp_path / "v.h264", "testsrc=s=64x48:r=30:d=1", *H264[:4])
    seconds = [frame.timestamp for frame in read_video(path)]
    assert np.allclose(seconds, np.arange(30) / 30, atol=1e-3)


# Shape


def copied(source, target, *options):
    """Copy a video without decoding it; the options are of the input."""
    return ffmpeg(*options, "-i", source, "-c", "copy", target)


TURNS = {
    "90": (("-display_rotation", 90), lambda image: np.rot90(image)),
    "180": (("-display_rotation", 180), lambda image: np.rot90(image, 2)),
    "270": (("-display_rotation", 270), lambda image: np.rot90(image, 3)),
    "upside down": (("-display_vflip",), lambda image: image[::-1]),
    "mirrored": (("-display_hflip",), lambda image: image[:, ::-1]),
    "90, then mirrored": (
        ("-display_rotation", 90, "-display_hflip"), lambda image: np.rot90(image)[:, ::-1],
    ),
    "270, then mirrored": (
        ("-display_rotation", 270, "-display_hflip"), lambda image: np.rot90(image, 3)[:, ::-1],
    ),
}  # fmt: skip


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("suffix", [".mkv", ".mov"])
def test_a_turned_or_mirrored_video_is_read_upright(tmp_path, suffix, turn):
    upright = made(tmp_path / f"upright{suffix}", PATTERN, "-frames:v", 3, "-c:v", "png")
    options, expected = TURNS[turn]
    path = copied(upright, tmp_path / f"turned{suffix}", *options)
    frames = list(zip(read_video(upright), read_video(path), strict=True))
    for stored, shown in frames:
        assert np.array_equal(shown.image, expected(stored.image))
        assert shown.timestamp == stored.timestamp
    assert len(frames) == 3
    assert frames_expected(tmp_path, "test", "turned") == 3


def oriented(path, degrees):
    """Make a stream whose frames themselves tell how to turn them."""
    tell = f"h264_metadata=display_orientation=insert:rotate={degrees}"
    return made(path, "testsrc=s=96x64:r=25:d=0.2", *H264[:4], "-crf", 1, "-bsf:v", tell)


def test_a_turn_may_begin_in_the_middle_unless_the_size_changes(tmp_path):
    upright, over, aside = (
        oriented(tmp_path / f"{degrees}.h264", degrees) for degrees in (0, 180, 90)
    )
    plain = [frame.image.astype(int) for frame in read_video(upright)]
    for turned, count in ((over, 2), (aside, 1)):
        for frame, image in zip(read_video(turned), plain, strict=True):
            assert np.abs(frame.image - np.rot90(image, count)).mean() < 3
    path = tmp_path / "both.h264"
    path.write_bytes(upright.read_bytes() + over.read_bytes())
    for frame, image in zip(read_video(path), plain + plain, strict=True):
        expected = image if int(frame.name) < len(plain) else np.rot90(image, 2)
        assert np.abs(frame.image - expected).mean() < 3
    path.write_bytes(upright.read_bytes() + aside.read_bytes())
    line = complaint(path)
    assert "changes from 96x64 to 64x96 at frame 5" in line
    run_command(line)
    assert len(list(read_video(tmp_path / "both_new.mp4"))) == 10


def test_an_odd_angle_is_applied(tmp_path):
    upright = made(tmp_path / "upright.mkv", PATTERN, *LOSSLESS)
    path = copied(upright, tmp_path / "odd.mkv", "-display_rotation", 30)
    frames = list(read_video(path))
    assert np.allclose([frame.timestamp for frame in frames], np.arange(50) / 25)
    image = frames[0].image
    assert image.shape == (64, 96, 3)
    assert image[[0, 0, -1, -1], [0, -1, 0, -1]].max() < 5
    assert image.mean() > 50


@pytest.mark.parametrize(
    ("suffix", "options", "aspect"),
    [
        (".mkv", ("-vf", "setsar=4/3", *LOSSLESS), 4 / 3),
        (".mp4", ("-vf", "setsar=16/15", *H264), 16 / 15),
        (".mov", ("-vf", "setsar=10/11", "-c:v", "prores_ks"), 10 / 11),
        (".avi", ("-vf", "setsar=2", "-c:v", "mpeg4"), 2),
        (".mp4", ("-vf", "setsar=1", "-c:v", "mpeg4"), 1),
    ],
)
def test_the_shape_of_pixels_travels_with_the_frames(tmp_path, caplog, suffix, options, aspect):
    path = made(tmp_path / f"v{suffix}", "testsrc=s=64x48:r=5:d=2", *options)
    turned = copied(path, tmp_path / "turned.mkv", "-display_rotation", 90)
    with caplog.at_level("INFO"):
        frames = list(read_video(path))
    assert {(frame.image.shape, frame.pixel_aspect) for frame in frames} == {((48, 64, 3), aspect)}
    assert ("not square" in caplog.text) == (aspect != 1)
    frame = next(read_video(turned))
    assert (frame.image.shape, frame.pixel_aspect) == ((64, 48, 3), pytest.approx(1 / aspect))
    stored = store_frames(tmp_path / "x.h5", sampled(iter(frames), 2), fps=None)
    with FrameStore(stored) as store:
        assert (len(store), store.pixel_aspect) == (4, aspect)


def test_the_container_decides_on_the_shape_of_pixels(tmp_path):
    square = made(tmp_path / "v.mp4", "testsrc=s=96x64:r=5:d=1,setsar=1", *H264)
    for suffix in (".mp4", ".mkv"):
        path = ffmpeg("-i", square, "-c", "copy", "-aspect", "3:1", tmp_path / f"wide{suffix}")
        assert next(read_video(path)).pixel_aspect == 2


def test_a_shape_of_pixels_that_cannot_be_is_square(tmp_path, caplog):
    path = made(tmp_path / "v.avi", "testsrc=s=96x64:r=5:d=1,setsar=1/50", "-c:v", "mpeg4")
    assert next(read_video(path)).pixel_aspect == 1
    assert "1:50, which cannot be" in caplog.text
    frames = [dataclasses.replace(frame, pixel_aspect=0.02) for frame in read_video(path)]
    with pytest.raises(InputError, match=r"cannot have an aspect of 0\.02"):
        FrameStore(store_frames(tmp_path / "x.h5", frames, fps=None))


# Tracks and colours

RED, BLUE, LARGE = "color=red:s=96x64:r=10:d=0.5", "color=blue:s=96x64", "color=lime:s=128x96"
SECOND = ("-disposition:v:0", 0, "-disposition:v:1", "default")
NEITHER = ("-disposition:v:0", 0, "-disposition:v:1", 0)


@pytest.mark.parametrize(
    ("suffix", "options", "sources", "colour"),
    [
        (".mp4", (*H264[:4], *SECOND), (RED, BLUE), (0, 0, 255)),
        (".mkv", (*LOSSLESS, *SECOND), (RED, BLUE), (0, 0, 255)),
        (".mkv", (*LOSSLESS, *SECOND), (LARGE, BLUE), (0, 0, 255)),
        (".mkv", (*LOSSLESS, *NEITHER), (RED, BLUE), (255, 0, 0)),
        (".mkv", (*LOSSLESS, *NEITHER), (RED, LARGE), (0, 255, 0)),
        (".ts", ("-c:v", "mpeg2video"), (BLUE, LARGE), (0, 255, 0)),
    ],
)
def test_of_several_tracks_the_one_is_read_that_players_show(
    tmp_path, caplog, suffix, options, sources, colour
):
    inputs = [
        part
        for source in sources
        for part in ("-f", "lavfi", "-i", source if source == RED else f"{source}:r=10:d=1")
    ]
    path = ffmpeg(*inputs, "-map", 0, "-map", 1, *options, tmp_path / f"v{suffix}")
    with caplog.at_level("INFO"):
        frames = list(read_video(path))
    assert "has 2 video tracks; reads track" in caplog.text
    assert np.abs(np.median(frames[0].image, axis=(0, 1)) - colour).max() <= 3
    assert len(frames) == (5 if colour == (255, 0, 0) else 10)
    expected = frames_expected(tmp_path, "test", "v")
    # The header has one length for all tracks, and may not have the rate of each.
    assert expected in (None, 10)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_cover_beside_a_film_is_not_read(tmp_path, suffix):
    cover = made(tmp_path / "cover.jpg", "testsrc=s=640x480:r=1:d=1", "-frames:v", 1)
    if suffix == ".mkv":
        about = ("-metadata:s:t", "mimetype=image/jpeg", "-metadata:s:t", "filename=cover.jpg")
        path = made(tmp_path / "v.mkv", RED, "-attach", cover, *about, *LOSSLESS)
    else:
        codecs = ("-c:v:0", "copy", "-c:v:1", "libx264", "-disposition:v:0", "attached_pic")
        inputs = ("-i", cover, "-f", "lavfi", "-i", RED, "-map", 0, "-map", 1)
        path = ffmpeg(*inputs, *codecs, tmp_path / "v.mp4")
    assert [frame.image.shape for frame in read_video(path)] == [(64, 96, 3)] * 5


@pytest.mark.parametrize(
    ("size", "matrix", "tag", "levels", "suffix", "options"),
    [
        ("1280x720", "bt709", "unknown", "tv", ".mp4", H264[2:4]),
        ("1280x536", "bt709", "unknown", "tv", ".webm", ("-c:v", "libvpx")),
        ("640x640", "bt709", "unknown", "tv", ".ts", ("-c:v", "mpeg2video")),
        ("720x576", "bt601", "unknown", "tv", ".mp4", H264[2:4]),
        ("640x480", "bt601", "unknown", "tv", ".avi", ("-c:v", "mpeg4")),
        ("1280x720", "bt601", "smpte170m", "tv", ".mp4", H264[2:4]),
        ("1280x720", "bt601", "bt470bg", "pc", ".avi", ("-c:v", "mjpeg")),
        ("1280x720", "bt2020", "bt2020nc", "tv", ".mkv", H264[2:4]),
        ("1280x720", "bt709", "bt709", "pc", ".mp4", H264[2:4]),
        ("640x480", "bt709", "bt709", "tv", ".mp4", H264[2:4]),
    ],
)
def test_colours_without_a_tag_are_those_of_their_size(
    tmp_path, size, matrix, tag, levels, suffix, options
):
    pixels = "yuvj420p" if levels == "pc" else "yuv420p"
    source = (
        f"color=c=0xC87828:s={size}:r=5:d=0.2,format=rgb24,scale=out_color_matrix={matrix}:"
        f"out_range={levels}:flags=accurate_rnd,format={pixels},"
        f"setparams=colorspace={tag}:range={levels}"
    )
    path = made(tmp_path / f"v{suffix}", source, *options, "-q:v", 1, "-b:v", "5M")
    image = next(read_video(path)).image
    assert np.abs(np.median(image, axis=(0, 1)) - (200, 120, 40)).max() <= 2


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


def test_images_of_32_bits_and_broken_ones_are_refused(tmp_path):
    Image.fromarray(np.full((4, 8), 40000, np.int32)).save(tmp_path / "0.png", format="TIFF")
    with pytest.raises(InputError, match="of 32 bits; convert it to 8 or 16 bits"):
        next(read_video(tmp_path))
    (tmp_path / "0.png").write_bytes(b"\x89PNG but not really")
    with pytest.raises(InputError, match=r"0\.png: not a readable image"):
        next(read_video(tmp_path))


# Real videos


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("decord_rotation_0.mov", (320, 568)),
        ("decord_rotation_90.mov", (568, 320)),
        ("decord_rotation_180.mov", (320, 568)),
        ("decord_rotation_270.mov", (568, 320)),
        ("moviepy_fire2_rotated180_vfr.mp4", (720, 1280)),
        ("nasa_13013.mp4", (270, 480)),
        ("unordered.mov", (50, 50)),
    ],
)
def test_real_videos_are_read_as_ffmpeg_shows_them(name, size):
    path = DATA / "videos/odd" / name
    if not path.is_file():
        pytest.skip(f"no {path}: set VIDEOTTT_SHARED_DATA to the folder that has it")
    frame = next(read_video(path))
    assert frame.image.shape == (*size, 3)
    matrix = "bt709" if name.startswith("moviepy") else "auto"
    flags = "bicubic+accurate_rnd+full_chroma_int+full_chroma_inp+bitexact"
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", path, "-frames:v", "1"]
    command += ["-vf", f"scale=in_color_matrix={matrix}:flags={flags},format=rgb24"]
    shown = subprocess.run([*command, "-f", "rawvideo", "-"], check=True, capture_output=True)
    assert np.array_equal(frame.image, np.frombuffer(shown.stdout, np.uint8).reshape(*size, 3))


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
