"""Decode a video file frame by frame through a pipe of ffmpeg, without files in between.

The program is the ffmpeg inside imageio-ffmpeg, or that of the environment variable
IMAGEIO_FFMPEG_EXE (6.0 or newer).
"""

import contextlib
import io
import logging
import re
import shlex
import subprocess
import threading
from collections.abc import Generator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from queue import SimpleQueue
from typing import BinaryIO, cast

import ffmpeg
import imageio_ffmpeg
import numpy as np

from videottt.core.errors import InputError
from videottt.data.films.tracks import Track, shown_track, tracks
from videottt.data.films.transport_stream import is_joined

logger = logging.getLogger(__name__)

_PARTS = r"^(?:\[[^]]* @ 0x[0-9a-f]+\] )*"
# The order of time stamps is nothing to the pipe, and is checked elsewhere.
_COMPLAINT = re.compile(
    _PARTS + r"\[(error|fatal|panic)\] (?!Application provided invalid, non monoton)(.*)"
)
# Of the complaints, and of the warnings, only these tell that a frame is missing or concealed. A
# thread of ffmpeg may write them into the middle of another one's line on a frame.
_BEFORE = rf"(?:{_PARTS}\[(?:warning|error)\] |^\[Parsed_showinfo_\d+ @ 0x[0-9a-f]+\] \[info\] .*)"
_DAMAGE = re.compile(
    _BEFORE + r"(.*corrupt decoded frame.*|Error while decoding .*|Decoding error.*"
    r"|Error submitting .*to .*decoder.*|Error during demuxing.*|fd:: .*)"
)
_INCOMPLETE = re.compile(_BEFORE + r"(.*corrupt input packet.*)")
# Without one of these, neither is in a line.
_SUSPECT = re.compile(r"corrupt|rror|fd::")
# Only ffmpeg's own lines begin like this; lines of a file's metadata are indented.
_SHOWINFO = re.compile(r"^\[Parsed_showinfo_\d+ @ 0x[0-9a-f]+\] \[info\] +(.*)")
# ffmpeg's warning of an odd angle does not end its line.
_TIME_BASE = re.compile(
    r"^(?:\[Parsed_showinfo_\d+ @ 0x[0-9a-f]+\] \[info\] +|If you want to help, .*)"
    r"config in time_base: (\d+)/(\d+)"
)
_FRAME = re.compile(r"n: *(\d+) pts: *(-?\d+|NOPTS) .* sar:(\d+)/(\d+) s:(\d+)x(\d+) ")
_DECODED = re.compile(r"Input stream #0:\d+ \(video\): .*; (\d+) frames decoded")
_DURATION = re.compile(r"^\[info\]   Duration: (\d+):(\d+):([\d.]+),", re.MULTILINE)


@dataclass(frozen=True)
class Picture:
    """One decoded frame.

    Attributes:
        pixels: uint8 [H, W, 3], RGB.
        timestamp: time stamp in seconds, from the beginning of the file; None if it is missing.
        aspect: width of a pixel divided by its height; None if the file does not tell.
    """

    pixels: np.ndarray
    timestamp: float | None
    aspect: Fraction | None


@dataclass(frozen=True)
class _Timestamp:
    """The time stamp and the form of one frame, as ffmpeg reports them."""

    seconds: float | None
    aspect: Fraction | None
    size: tuple[int, int]


@dataclass
class _Report:
    """The log of a running ffmpeg, parsed by a separate thread.

    Attributes:
        timestamps: one entry for each frame, in their order, then None.
        opened: whether ffmpeg could open the file.
        decoded: number of frames that the decoder has delivered; None until ffmpeg reports it.
        joined: whether packets may be called corrupt only because segments were joined.
        damage: the first sign that a frame is missing or damaged.
        complaints: the first errors.
        count: number of errors.
    """

    timestamps: SimpleQueue[_Timestamp | None] = field(default_factory=SimpleQueue)
    opened: bool = False
    decoded: int | None = None
    joined: bool = False
    damage: str | None = None
    complaints: list[str] = field(default_factory=list)
    count: int = 0


def decode(path: Path) -> Generator[Picture]:
    """Yield every frame of a video, upright: never dropped, repeated or scaled.

    Frames are turned and mirrored as the display matrix says. Of several video tracks, the one is
    read that ffmpeg shows. Closing the iterator early ends ffmpeg. The same file and ffmpeg give
    the same pictures.

    Raises:
        InputError: ffmpeg cannot be run; the file is no video, has no frame, or is truncated or
            damaged; or a frame changes the size.
    """
    found = tracks(described(path))
    track = shown_track(found)
    if track is not None and len(found) > 1:
        logger.info(
            "%s: has %d video tracks; reads track %d (%s), as players do",
            path, len(found), track.index, _size(track.size),
        )  # fmt: skip
    with contextlib.ExitStack() as stack:
        source = stack.enter_context(path.open("rb"))
        process = stack.enter_context(_started(_decoding(track), source, path))
        report = _Report(joined=is_joined(path))
        reader = threading.Thread(target=_follow, args=(process.stderr, report), daemon=True)
        reader.start()
        # Run in reverse order: ffmpeg is killed, then the reader ends, then the pipes are closed.
        stack.callback(reader.join)
        stack.callback(process.kill)
        delivered = 0
        # Popen opens its pipes buffered, but their type says less.
        stream = cast(io.BufferedReader, process.stdout)
        while (pixels := _read_picture(stream)) is not None:
            timestamp = report.timestamps.get()
            if timestamp is None or report.damage:
                break
            _check_form(path, delivered, timestamp, pixels.shape[:2])
            yield Picture(pixels, timestamp.seconds, timestamp.aspect)
            delivered += 1
        if report.damage:
            process.kill()
        status = process.wait()
        reader.join()
        _check_end(path, status, report, delivered)


def estimated_frames(path: Path) -> int | None:
    """Return the approximate number of frames from the header; None if it does not tell.

    Raises:
        InputError: ffmpeg cannot be run.
    """
    description = described(path)
    duration, track = _DURATION.search(description), shown_track(tracks(description))
    if duration is None or track is None or track.rate is None:
        return None
    hours, minutes, seconds = map(float, duration.groups())
    return round((hours * 3600 + minutes * 60 + seconds) * track.rate)


def described(path: Path) -> str:
    """Return what ffmpeg says about a file and its tracks without decoding it.

    Raises:
        InputError: ffmpeg cannot be run.
    """
    command = _compiled(_opened().output("-", format="null", t=0), "info")
    with path.open("rb") as source, _started(command, source, path) as process:
        return process.communicate()[1].decode(errors="replace")


def _opened() -> ffmpeg.nodes.FilterableStream:
    """Return the input as an open file, so that ffmpeg takes no name for a pattern or an address.

    Other protocols are disabled, so that a playlist cannot make ffmpeg read another file.
    """
    bitexact = {"flags:v": "+bitexact"}
    return ffmpeg.input("fd:", protocol_whitelist="fd", threads=1, **bitexact)


def _decoding(track: Track | None) -> list[str]:
    flags = "bicubic+accurate_rnd+full_chroma_int+full_chroma_inp+bitexact"
    # Capital V excludes the cover pictures of music. ffmpeg turns pictures before the first filter.
    pictures = _opened()["V:0" if track is None else str(track.index)]
    pictures = pictures.filter("showinfo", checksum=0).filter(
        "scale", flags=flags, in_color_matrix=track.colour_matrix if track else "auto"
    )
    return _compiled(
        pictures.filter("format", "rgb24").output(
            # Every PPM picture states its size.
            "pipe:1", format="image2pipe", vcodec="ppm", threads=1, fps_mode="passthrough",
            noautoscale=None,
        ),
        "verbose",
    )  # fmt: skip


def _compiled(output: ffmpeg.nodes.OutputStream, level: str) -> list[str]:
    # Not -xerror, which takes the counters of joined segments, that start again, for damage.
    options = ["-nostdin", "-nostats", "-max_error_rate", "0", "-v", f"repeat+level+{level}"]
    try:
        executable = imageio_ffmpeg.get_ffmpeg_exe()
    except RuntimeError as error:
        raise InputError(f"ffmpeg: {error}; reinstall imageio-ffmpeg") from None
    options += ["-filter_complex_threads", "1"]
    command: list[str] = output.global_args(*options).compile(cmd=executable)
    return command


def _started(command: list[str], source: BinaryIO, path: Path) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            command, stdin=source, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read, because ffmpeg ({command[0]}) cannot be run: "
            f"{error.strerror}; correct IMAGEIO_FFMPEG_EXE, or unset it for the bundled ffmpeg"
        ) from None


def _read_picture(stream: io.BufferedReader) -> np.ndarray | None:
    """Read a picture in PPM format; return None if no complete one is left."""
    if stream.readline() != b"P6\n":
        return None
    width, height = map(int, stream.readline().split())
    stream.readline()
    pixels = np.empty((height, width, 3), np.uint8)
    return pixels if stream.readinto(pixels.data) == pixels.size else None


def _follow(stream: BinaryIO, report: _Report) -> None:
    """Parse the log of ffmpeg until it ends."""
    timestamp, time_base = None, Fraction(0)
    for line in (raw.decode(errors="replace").rstrip("\r\n") for raw in stream):
        if not report.damage and _SUSPECT.search(line):
            damage = _DAMAGE.match(line) or (None if report.joined else _INCOMPLETE.match(line))
            report.damage = damage[1] if damage else None
        shown = _SHOWINFO.match(line)
        frame = _FRAME.match(shown[1]) if shown else None
        # A frame may have several lines: they end with the next frame or another part's line.
        if timestamp is not None and (frame or not shown):
            report.timestamps.put(timestamp)
            timestamp = None
        if frame:
            seconds = None if frame[2] == "NOPTS" else float(int(frame[2]) * time_base)
            aspect = Fraction(int(frame[3]), int(frame[4])) if int(frame[4]) else None
            timestamp = _Timestamp(seconds, aspect or None, size=(int(frame[6]), int(frame[5])))
        elif base := _TIME_BASE.match(line):
            time_base = Fraction(int(base[1]), int(base[2]))
        elif complaint := _COMPLAINT.match(line):
            report.count += 1
            report.complaints += [complaint[2]] if len(report.complaints) < 10 else []
        elif decoded := _DECODED.search(line):
            report.decoded = int(decoded[1])
        elif line.startswith("[info] Input #0"):
            report.opened = True
    if timestamp is not None:
        report.timestamps.put(timestamp)
    report.timestamps.put(None)


def _check_form(path: Path, index: int, timestamp: _Timestamp, size: tuple[int, int]) -> None:
    # ffmpeg still writes later pictures in the first size, which would distort them.
    if timestamp.size != size:
        area = f"{size[1]}:{size[0]}"
        fitted = f"scale={area}:force_original_aspect_ratio=decrease,pad={area}:-1:-1"
        raise InputError(
            f"{path}: its size changes from {_size(size)} to {_size(timestamp.size)} at frame "
            f"{index}; cut it there, or make it one size: " + re_encoding(path, f"-vf {fitted}")
        )


def _size(size: tuple[int, int]) -> str:
    return f"{size[1]}x{size[0]}"


def _check_end(path: Path, status: int, report: _Report, delivered: int) -> None:
    """Raise an InputError if ffmpeg has not decoded the whole video."""
    errors = "; ".join(report.complaints)
    first = report.damage or next(iter(report.complaints), f"no message, exit status {status}")
    if "matches no streams" in errors:
        raise InputError(
            f"{path}: has no video track, only sound, a cover picture or subtitles; give a file "
            "with moving pictures"
        )
    if "Protocol not found" in errors:
        raise InputError(
            f"{path}: cannot be read, because the ffmpeg of IMAGEIO_FFMPEG_EXE is older than 6.0; "
            "update it, or unset the variable for the bundled ffmpeg"
        )
    if "moov atom not found" in errors:
        raise InputError(
            f"{path}: is truncated, or its recording was never finished: its index ('moov') is "
            "missing; get a whole copy, or mend it with a tool such as untrunc"
        )
    if not report.opened:
        raise InputError(f"{path}: is no video that ffmpeg can read ({first}); check the file")
    if not delivered:
        raise InputError(
            f"{path}: has a video track, but not a single frame can be read ({first}); get a "
            "whole copy"
        )
    if report.damage or status:
        raise InputError(damaged(path, f"after {delivered} frames ffmpeg says '{first}'"))
    if report.decoded != delivered:
        raise InputError(damaged(path, f"{report.decoded} frames decoded, {delivered} delivered"))
    if report.count:
        # Such errors may be harmless: all frames arrived, and none is marked as damaged.
        logger.warning("%s: ffmpeg reported %d error(s), first: %s", path, report.count, first)


def damaged(path: Path, what: str) -> str:
    """Return the message for a truncated or damaged video."""
    return (
        f"{path}: is truncated or damaged ({what}); get a whole copy, or save the part that can be "
        f"read: {re_encoding(path)}"
    )


def re_encoding(path: Path, *options: str) -> str:
    """Return a shell command that re-encodes a video."""
    new = path.with_name(f"{path.stem}_new.mp4")
    chosen = "".join(f" {option}" for option in options)
    source, target = (shlex.quote(f"file:{name}") for name in (path, new))
    return f"ffmpeg -i {source} -c:v libx264 -crf 16{chosen} {target}"
