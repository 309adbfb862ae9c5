"""Files that are whole, though a size in them is wrong or something follows, and cut ones."""

import functools
import io
import itertools
import tempfile
from pathlib import Path

import numpy as np
import pytest

from data.test_video_file import H264, PATTERN, complaint, made
from videottt.data.films import ffmpeg_decoder
from videottt.data.films.containers import declared_size, needed_size
from videottt.data.layouts.video_file import read_video

SOUND = ("-f", "lavfi", "-i", "sine=d=2")
MJPEG = ("-c:v", "mjpeg", "-q:v", 4)
FRAGMENTS = (*H264[:-1], "+frag_keyframe+empty_moov")


@functools.cache
def film(suffix, *options):
    """Return the bytes and the frames of a film of two seconds."""
    with tempfile.TemporaryDirectory() as folder:
        path = made(Path(folder) / f"whole{suffix}", PATTERN, *options)
        return path.read_bytes(), frames_of(path)


def changed(data, place, difference, width=4, order="big"):
    """Return the bytes with another number at a place."""
    number = int.from_bytes(data[place : place + width], order) + difference
    return data[:place] + number.to_bytes(width, order) + data[place + width :]


def frames_of(path):
    return [(frame.image, frame.timestamp) for frame in read_video(path)]


def check_same(path, expected):
    """Check that every frame is that of the whole file, with its time stamp."""
    found = frames_of(path)
    assert len(expected) == 50
    assert [time for _, time in found] == [time for _, time in expected]
    for (image, _), (other, _) in zip(found, expected, strict=True):
        assert np.array_equal(image, other)


def mdat(data):
    return data.index(b"mdat") - 4


def after(trailer):
    return lambda data: data + trailer


ENDS = {
    "text of a camera": after(b"This is a text trailer of a camera, long enough\n" * 4),
    "360-degree camera": after(
        np.random.default_rng(0).bytes(500) + b"\xf4\1\0\0" + b"8db42d694ccc418790edff439fe026bf"
    ),
    "phone": after(b"\0\0\0\x28sefdSEFH" + bytes(20) + b"SEFT" + b"\xff" * 30),
    "ID3": after(b"TAG" + b"x" * 125),
    "Lyrics3": after(b"LYRICSBEGININD0000210LYRICS200"),
    "zeros": after(bytes(1000)),
    "an unknown box": after(b"\x7f\xff\xff\xffGoPr" + bytes(50)),
    "a uuid that breaks off": after(b"\0\1\0\0uuid" + bytes(50)),
    "free space that breaks off": after(b"\0\1\0\0free" + bytes(50)),
    "an index of fragments that breaks off": after(b"\0\1\0\0mfra" + bytes(50)),
    "a larger size of the data": lambda data: changed(data, mdat(data), 8),
    "a much larger size of the data": lambda data: changed(data, mdat(data), 2**30),
    "a smaller size of the data": lambda data: changed(data, mdat(data), -900),
    "data up to the end": lambda data: changed(data, mdat(data), -(len(data) - mdat(data))),
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_what_follows_the_index_and_the_data_is_ignored(tmp_path, end):
    data, frames = film(".mp4", *SOUND, *H264)
    path = tmp_path / "v.mp4"
    path.write_bytes(end(data))
    check_same(path, frames)


@pytest.mark.parametrize(
    ("suffix", "options"),
    [
        (".mov", (*MJPEG, "-c:a", "pcm_s16le")),
        (".3gp", ("-c:v", "h263", "-s", "176x144", "-ar", 8000, "-c:a", "aac")),
        (".m4v", ("-c:v", "mpeg4", "-an")),
        (".mp4", FRAGMENTS),
        (".mp4", (*H264[:-1], "+dash+frag_keyframe")),
    ],
)
def test_siblings_may_have_an_end_and_may_not_be_cut(tmp_path, suffix, options):
    data, frames = film(suffix, *SOUND, *options)
    path = tmp_path / f"v{suffix}"
    path.write_bytes(data + b"TAG" + b"x" * 125)
    check_same(path, frames)
    needed = needed_size(path)
    assert len(data) - 3500 < needed <= len(data)
    for part in (0.3, 0.6, 0.95):
        path.write_bytes(data[: int(part * needed)])
        assert "truncated" in complaint(path)


def test_a_size_that_is_wrong_is_told_once(tmp_path, caplog):
    data, _ = film(".mp4", *SOUND, *H264)
    path = tmp_path / "v.mp4"
    path.write_bytes(changed(data, mdat(data), 8))
    frames_of(path)
    (record,) = caplog.records
    assert f"{len(data) + 8} bytes, and has {len(data)}; no frame is missing" in record.message


def test_the_index_of_an_unmoved_film_may_lose_its_end_but_no_track(tmp_path):
    data, frames = film(".mp4", *SOUND, *H264[:-2])
    path = tmp_path / "v.mp4"
    extra = data.rindex(b"udta")
    for cut in (data[: extra + 30], data[: extra - 4], changed(data, data.rindex(b"moov") - 4, 8)):
        path.write_bytes(cut)
        check_same(path, frames)
    path.write_bytes(data[: data.rindex(b"trak") - 4])
    assert "truncated" in complaint(path)


def test_data_that_reach_to_the_end_are_noticed_to_be_cut(tmp_path):
    data, _ = film(".mp4", *SOUND, *H264)
    path = tmp_path / "v.mp4"
    path.write_bytes(ENDS["data up to the end"](data)[:-100])
    assert declared_size(path) == len(data) - 100
    assert f"{len(data) - 100} of {len(data)} bytes" in complaint(path)


def test_parts_that_a_segment_index_lists_are_missed(tmp_path):
    flags = "+frag_keyframe+global_sidx+dash+empty_moov"
    data, frames = film(".mp4", *H264[:-1], flags)
    path = tmp_path / "v.mp4"
    path.write_bytes(data[: data.rindex(b"mfra") - 4])
    check_same(path, frames)
    # Between two fragments only the list in front of them tells.
    path.write_bytes(data[: data.rindex(b"moof") - 4])
    assert "truncated" in complaint(path)


# AVI


def of_avi(data):
    """Return the places of the size of the list of frames, and of the index."""
    return data.index(b"movi") - 4, data.rindex(b"idx1")


def reframed(data):
    """Return an AVI as OpenDML has it: its frames in two RIFF chunks, without an index."""
    place, index = of_avi(data)
    chunks, start = [], place + 8
    while start < index:
        size = 8 + int.from_bytes(data[start + 4 : start + 8], "little")
        chunks.append(data[start : start + size + size % 2])
        start += len(chunks[-1])

    def chunk(name, kind, content):
        return name + (len(content) + 4).to_bytes(4, "little") + kind + content

    first, last = (chunk(b"LIST", b"movi", b"".join(c)) for c in (chunks[:40], chunks[40:]))
    return chunk(b"RIFF", b"AVI ", data[12 : place - 4] + first) + chunk(b"RIFF", b"AVIX", last)


def riff(difference):
    return lambda data: changed(data, 4, difference, order="little")


AVIS = {
    **{f"size {difference:+}": riff(difference) for difference in (8, -8, 1, -1, 4096, -3000)},
    "junk": after(b"JUNK\0\1\0\0" + bytes(40)),
    "garbage": after(np.random.default_rng(0).bytes(333)),
    "no index": lambda data: data[: of_avi(data)[1]],
    "no index and its size": lambda d: riff(of_avi(d)[1] - len(d))(d[: of_avi(d)[1]]),
    "no index, size +8": lambda d: riff(of_avi(d)[1] - len(d) + 8)(d[: of_avi(d)[1]]),
    "frames +8": lambda data: changed(data, of_avi(data)[0], 8, order="little"),
    "frames beyond the end": lambda data: changed(data, of_avi(data)[0], 2**20, order="little"),
    "frames +8, no index": lambda data: changed(data, of_avi(data)[0], 8, order="little")[
        : of_avi(data)[1]
    ],
    "never finished": lambda data: (
        data[:4] + bytes(4) + data[8 : of_avi(data)[0]] + bytes(4) + data[of_avi(data)[0] + 4 :]
    ),
    "OpenDML": reframed,
    "OpenDML, last size +8": lambda data: changed(
        reframed(data), reframed(data).index(b"AVIX") - 4, 8, order="little"
    ),
}


@pytest.mark.parametrize("change", AVIS.values(), ids=AVIS)
def test_an_avi_with_wrong_sizes_is_whole(tmp_path, change):
    data, frames = film(".avi", *SOUND, *MJPEG)
    path = tmp_path / "v.avi"
    path.write_bytes(change(data))
    check_same(path, frames)


@pytest.mark.parametrize("kind", ["frames +8, no index", "never finished", "OpenDML"])
def test_an_avi_without_an_index_is_noticed_to_be_cut(tmp_path, kind):
    data = AVIS[kind](film(".avi", *MJPEG)[0])
    path = tmp_path / "v.avi"
    # In the middle of a frame, and between two.
    for end in (len(data) - 3000, data.rindex(b"00dc", 0, len(data) - 3000)):
        path.write_bytes(data[:end])
        assert "truncated" in complaint(path)


# Matroska and WebM


def segment(data):
    """Return the place of the last seven bytes of the size of the segment."""
    return data.index(b"\x18\x53\x80\x67") + 5


def sized(difference):
    return lambda data: changed(data, segment(data), difference, width=7)


def endless(data):
    place = segment(data)
    return data[: place - 1] + b"\1" + b"\xff" * 7 + data[place + 7 :]


MATROSKA = {
    **{f"size {difference:+}": sized(difference) for difference in (8, -8, 1000, -1000)},
    "garbage": after(np.random.default_rng(0).bytes(400)),
    "text": after(b"Hello " * 100),
    "tags": after(b"\x12\x54\xc3\x67\x40\x00"),
    "unknown size": endless,
    "a size beyond any offset": sized(2**40),
}


@pytest.mark.parametrize(
    ("suffix", "options"),
    [(".mkv", H264[:-2]), (".webm", ("-c:v", "libvpx")), (".mkv", ("-cues_to_front", 1))],
)
@pytest.mark.parametrize("change", MATROSKA.values(), ids=MATROSKA)
def test_a_matroska_file_with_a_wrong_size_is_whole(tmp_path, change, suffix, options):
    data, frames = film(suffix, *options)
    path = tmp_path / f"v{suffix}"
    path.write_bytes(change(data))
    check_same(path, frames)


@pytest.mark.parametrize("options", [("-live", 1), ("-cues_to_front", 1)])
def test_a_live_or_a_reordered_recording_is_noticed_to_be_cut(tmp_path, options):
    form = ("-c:v", "libvpx", "-cluster_time_limit", 400, "-f", "webm", *options)
    data, frames = film(".webm", *form)
    assert len(frames) == 50
    path = tmp_path / "v.webm"
    for part in np.linspace(0.1, 0.95, 5):
        path.write_bytes(data[: int(part * len(data))])
        assert "truncated" in complaint(path)


# Segments that were joined


@pytest.mark.parametrize(
    ("suffix", "options"),
    [
        (".ts", H264[:-2]),
        (".ts", ("-c:v", "mpeg2video", "-q:v", 3)),
        (".ts", ("-c:v", "libx265", "-x265-params", "log-level=none")),
        (".m2ts", (*H264[:-2], "-mpegts_m2ts_mode", 1)),
        (".mpg", ("-c:v", "mpeg2video", "-q:v", 3)),
        (".vob", ("-c:v", "mpeg2video", "-q:v", 3, "-bf", 2)),
    ],
)
def test_each_frame_of_joined_segments_arrives_once(tmp_path, suffix, options):
    segments = [
        made(tmp_path / f"{number}{suffix}", f"{source}=s=96x64:r=25:d=2", *SOUND, *options)
        for number, source in enumerate(("testsrc", "testsrc2", "testsrc"))
    ]
    path = tmp_path / f"all{suffix}"
    path.write_bytes(b"".join(part.read_bytes() for part in segments))
    found = frames_of(path)
    expected = [image for part in segments for image, _ in frames_of(part)]
    assert len(expected) == 150
    for (image, _), other in zip(found, expected, strict=True):
        assert np.array_equal(image, other)
    assert np.allclose([time for _, time in found], np.arange(150) / 25, atol=0.002)


def test_segments_of_one_stream_are_joined_without_a_gap(tmp_path):
    form = ("-f", "hls", "-hls_time", 0.4, "-hls_segment_filename", tmp_path / "%d.ts")
    made(tmp_path / "all.m3u8", PATTERN, *H264[:-2], *form)
    parts = sorted(tmp_path.glob("*.ts"))
    assert len(parts) == 5
    path = tmp_path / "all.ts"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    assert np.allclose([time for _, time in frames_of(path)], np.arange(50) / 25, atol=1e-3)


def test_lost_packets_of_a_transport_stream_are_no_joint(tmp_path):
    source = "testsrc2=s=320x240:r=25:d=2"
    codec = ("-c:v", "libx265", "-x265-params", "log-level=none")
    data = made(tmp_path / "whole.ts", source, *codec).read_bytes()
    packets = [data[start : start + 188] for start in range(0, len(data), 188)]
    path = tmp_path / "v.ts"
    for lost in (len(packets) // 3, len(packets) // 2):
        path.write_bytes(b"".join(packets[:lost] + packets[lost + 1 :]))
        assert "corrupt input packet" in complaint(path)
        path.write_bytes(data + path.read_bytes())
        assert "corrupt input packet" in complaint(path)


def test_damage_in_a_joined_segment_is_noticed(tmp_path):
    data = made(tmp_path / "whole.ts", "testsrc2=s=320x240:r=25:d=2", *H264[:-2]).read_bytes()
    # A packet in the middle of a picture: it has no header but its own.
    inside = [
        start
        for start in range(0, len(data), 188)
        if data[start + 1 : start + 3] == b"\1\0" and data[start + 3] & 0x30 == 0x10
    ]
    middle = inside[len(inside) // 3]
    spoilt = data[: middle + 4] + np.random.default_rng(0).bytes(184) + data[middle + 188 :]
    path = tmp_path / "v.ts"
    path.write_bytes(data + spoilt)
    assert "ffmpeg says 'corrupt decoded frame'" in complaint(path)


WARNED = "[vist#0:0/h264 @ 0x1] [dec:h264 @ 0x2] [warning] "
SHOWN = "[Parsed_showinfo_0 @ 0x1] [info] n: 7 pts: 70 pts_time:0.7 fmt:yuv420p sar:1/1 s:64x48 "


@pytest.mark.parametrize(
    ("line", "joined", "damage"),
    [
        (f"{WARNED}corrupt decoded frame", True, "corrupt decoded frame"),
        # A thread wrote it before another one had ended its line.
        (f"{SHOWN}i:P iskey:1 type:I corrupt decoded frame", True, "corrupt decoded frame"),
        (f"{SHOWN}i:P iskey:0 corrupt input packet in stream 0", False, "corrupt input packet"),
        (f"{SHOWN}i:P iskey:0 corrupt input packet in stream 0", True, None),
        ("[info]     title           : corrupt decoded frame", False, None),
        (f"{SHOWN}i:P iskey:1 type:I", False, None),
    ],
)
def test_damage_is_seen_wherever_ffmpeg_writes_it(line, joined, damage):
    report = ffmpeg_decoder._Report(joined=joined)
    ffmpeg_decoder._follow(io.BytesIO(f"{line}\n".encode()), report)
    assert (report.damage is None) == (damage is None)
    assert damage is None or damage in report.damage


# FLV and Ogg


@pytest.mark.parametrize(("suffix", "codec"), [(".flv", "flv"), (".ogv", "libtheora")])
def test_containers_without_a_size_may_have_an_end_and_may_not_be_cut(tmp_path, suffix, codec):
    data, frames = film(suffix, *SOUND, "-c:v", codec)
    path = tmp_path / f"v{suffix}"
    for end in (bytes(500), b"Hello " * 100):
        path.write_bytes(data + end)
        check_same(path, frames)
    if suffix == ".flv":
        for name in (b"filesize", b"duration"):
            place = data.index(name) + len(name) + 1
            path.write_bytes(data[:place] + bytes(8) + data[place + 8 :])
            check_same(path, frames)
    for part in np.linspace(0.2, 0.97, 6):
        path.write_bytes(data[: int(part * len(data))])
        assert "truncated" in complaint(path)


# Hostile sizes


@pytest.mark.parametrize("suffix", [".mp4", ".avi", ".mkv", ".flv", ".ogv"])
def test_a_size_that_lies_costs_no_memory_and_raises_nothing(tmp_path, suffix):
    options = {".mp4": H264, ".avi": MJPEG, ".flv": ("-c:v", "flv")}.get(suffix, ())
    data, _ = film(suffix, *options)
    path = tmp_path / f"v{suffix}"
    generator = np.random.default_rng(0)
    for _, value in itertools.product(range(60), (0, 0xFF)):
        content = np.frombuffer(data, np.uint8).copy()
        place = generator.integers(0, min(len(content), 3000))
        content[place : place + generator.integers(1, 9)] = value
        path.write_bytes(content.tobytes())
        assert needed_size(path) >= 0
