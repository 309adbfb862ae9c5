"""Files that are to be videos."""

import functools
import struct
import subprocess
import tempfile
from pathlib import Path

import imageio_ffmpeg

from malformed.case import cases, ingesting

PICTURES = ("-f", "lavfi", "-i", "testsrc=s=64x48:r=10:d=1")
SOUND = ("-f", "lavfi", "-i", "sine=d=0.2")
H264 = ("-pix_fmt", "yuv420p", "-c:v", "libx264", "-threads", "1")


@functools.cache
def encoded(*options, suffix=".mp4"):
    """Return the bytes of a video that ffmpeg makes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"made{suffix}"
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", *options, str(path)]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
        return path.read_bytes()


def video(content, suffix=".mp4"):
    """Return the maker of a file; `content` is a function, so that it is made when needed."""

    def make(folder, _):
        (folder / f"clip{suffix}").write_bytes(content())
        return ingesting(folder, "video_file", "clip", fps=None)

    return make


def whole():
    return encoded(*PICTURES, *H264, "-movflags", "+faststart")


def spoilt():
    content = bytearray(whole())
    start = content.rindex(b"mdat") + 900
    content[start : start + 500] = bytes(500)
    return bytes(content)


def playlist(address):
    return lambda: (
        f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{address}\n#EXT-X-ENDLIST\n".encode()
    )


def still():
    return encoded(*PICTURES, "-vf", "setpts=0", "-fps_mode", "passthrough", "-c:v", "ffv1",
                   suffix=".mkv")  # fmt: skip


def endless_box():
    return struct.pack(">I4sQ", 1, b"mdat", 2**62) + bytes(64)


def place(kind):
    def make(folder, _):
        if kind == "folder":
            (folder / "clip").mkdir()
        elif kind == "two":
            for suffix in (".mp4", ".mkv"):
                (folder / f"clip{suffix}").write_bytes(b"x")
        return ingesting(folder, "video_file", "clip")

    return make


CASES = cases("video", [
    ("truncated, its index first", video(lambda: whole()[:-500]),
     r"clip\.mp4: is truncated or damaged \(\d+ of \d+ bytes are there\); get a whole copy"),
    ("truncated, its index last", video(lambda: encoded(*PICTURES, *H264)[:-2000]),
     r"clip\.mp4: is truncated"),
    ("its index left out", video(lambda: encoded(*PICTURES, *H264).partition(b"moov")[0][:-4]),
     r"clip\.mp4: is truncated, or its recording was never finished: .*; get a whole copy"),
    ("damaged inside", video(spoilt),
     r"clip\.mp4: has a video track, but not a single frame can be read \(.+\); get a whole"),
    ("empty", video(lambda: b""), r"clip\.mp4: is empty; get a whole copy"),
    ("text", video(lambda: b"this is no video\n" * 50),
     r"clip\.mp4: is no video that ffmpeg can read \(.*\); check the file"),
    ("an HTML page", video(lambda: b"<!DOCTYPE html><html><body>403</body></html>"),
     r"clip\.mp4: is no video that ffmpeg can read"),
    ("sound alone", video(lambda: encoded(*SOUND, "-c:a", "aac")),
     r"clip\.mp4: has no video track, only sound.*; give a file with moving pictures"),
    ("sound alone, as WAV", video(lambda: encoded(*SOUND, suffix=".wav"), ".wav"),
     r"clip\.wav: has no video track"),
    ("without a frame", video(lambda: encoded(*PICTURES, *H264, "-frames:v", "0")),
     r"clip\.mp4: (has a video track, but not a single frame|has no video track|is no video)"),
    ("a playlist of another file", video(playlist("file:///etc/passwd"), ".m3u8"),
     r"clip\.m3u8: is no video that ffmpeg can read"),
    ("a playlist of an address", video(playlist("http://127.0.0.1:9/x.ts")),
     r"clip\.mp4: is no video that ffmpeg can read"),
    ("a list of files to join", video(lambda: b"ffconcat version 1.0\nfile /etc/passwd\n"),
     r"clip\.mp4: is no video that ffmpeg can read"),
    ("time that stands still", video(still, ".mkv"),
     r"clip\.mkv: its time stamps cannot be used: 9 of the first 10 .*ffmpeg -i .*setpts=N"),
    ("a box of 4 EiB", video(endless_box), r"clip\.mp4: is truncated or damaged \(80 of \d+ bytes"),
    ("missing", place("nothing"), r"clip: no such video, of any suffix; valid names: out"),
    ("an empty folder", place("folder"), r"clip: holds no frame \(\.png, .*\)"),
    ("two of one name", place("two"), r"clip: which of clip\.mkv, clip\.mp4 is the video\? "),
])  # fmt: skip
