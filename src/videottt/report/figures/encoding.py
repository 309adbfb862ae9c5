"""Encode pictures as an mp4 file, one by one, with the bundled ffmpeg."""

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import ffmpeg
import imageio_ffmpeg
import numpy as np
from ffmpeg.nodes import FilterableStream

from videottt.core.errors import InputError
from videottt.core.files import complete_file
from videottt.data.films.ffmpeg_decoder import described
from videottt.data.films.tracks import heard_track

# Of an aspect; H.264 stores its terms in 16 bits.
LARGEST_TERM = 1000


@dataclass(frozen=True)
class Sound:
    """The part of a video's sound that belongs to pictures.

    Attributes:
        path: of the video, which may be without sound.
        start: seconds, on the video's clock, of the first picture.
        length: seconds of all pictures.
        cuts: start and end, in seconds after `start`, of the parts without pictures.
    """

    path: Path
    start: float
    length: float
    cuts: tuple[tuple[float, float], ...] = ()


def encode_video(
    path: Path,
    pictures: Iterable[np.ndarray],
    size: tuple[int, int],
    fps: float,
    sound: Sound | None = None,
    pixel_aspect: float = 1.0,
) -> None:
    """Write an H.264 video that plays everywhere; equal pictures give equal bytes.

    Args:
        path: mp4 file to write.
        pictures: uint8 [height, width, 3], RGB; read one by one.
        size: (height, width), both even.
        fps: frames a second.
        sound: the track that players take, if any, is added as AAC; None adds no sound.
        pixel_aspect: width of a pixel divided by its height, for players.

    Raises:
        InputError: the video with the sound is absent, or ffmpeg fails; the message has the last
            line of ffmpeg.
    """
    if sound is not None and not sound.path.is_file():
        raise InputError(f"{sound.path}: no such file; give the video with the sound")
    with contextlib.ExitStack() as opened:
        # Opened before complete_file, which would report an error as one of the output.
        files = [] if sound is None else [opened.enter_context(sound.path.open("rb")).fileno()]
        audio, options = ([], {}) if sound is None else _audio(sound, *files)
        part = opened.enter_context(complete_file(path))
        status, said = _fed(
            _command(part, size, fps, pixel_aspect, audio, options), pictures, files
        )
        if status:
            beside = "" if sound is None else f" beside the sound of {sound.path}"
            raise InputError(f"{path}{beside}: ffmpeg failed with status {status}: {said}")


def _fed(
    command: Sequence[str], pictures: Iterable[np.ndarray], files: Collection[int]
) -> tuple[int, str]:
    """Run ffmpeg on pictures, with open files; return its exit status and its last line."""
    # A file, because a full pipe that nobody reads would block ffmpeg.
    with tempfile.TemporaryFile() as complaints:
        # After a broken pipe, ffmpeg's exit status and last line give the reason.
        with (
            contextlib.suppress(BrokenPipeError),
            subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=complaints,
                pass_fds=files,
            ) as process,
        ):
            assert process.stdin is not None
            try:
                for picture in pictures:
                    process.stdin.write(picture.tobytes())
                    # Leaves nothing to write if making the next picture fails.
                    process.stdin.flush()
            except BrokenPipeError:
                raise
            except BaseException:
                process.kill()
                raise
        complaints.seek(0)
        lines = complaints.read().decode(errors="replace").split("\n")
        last = next((line for line in reversed(lines) if line.strip()), "no message")
        return process.returncode, last


def _command(
    path: Path,
    size: tuple[int, int],
    fps: float,
    pixel_aspect: float,
    audio: Sequence[FilterableStream],
    options: Mapping[str, object],
) -> list[str]:
    height, width = size
    # With the colour space in the file, players show the same colours as the figures.
    named = {"colorspace": "bt709", "color_primaries": "bt709", "color_trc": "bt709"}
    pictures = (
        ffmpeg.input(
            "pipe:",
            format="rawvideo",
            pix_fmt="rgb24",
            s=f"{width}x{height}",
            framerate=f"{fps:.9g}",
        )
        .filter("scale", out_color_matrix="bt709", out_range="tv", flags="accurate_rnd+bitexact")
        .filter("setparams", **named)
    )
    if pixel_aspect != 1:
        aspect = Fraction(pixel_aspect).limit_denominator(LARGEST_TERM)
        pictures = pictures.filter("setsar", str(aspect), max=LARGEST_TERM)
    result: list[str] = (
        ffmpeg.output(
            pictures,
            *audio,
            # Without "file:", a colon in the name would end the name of a protocol. Some bytes of
            # the name may be no text.
            os.fsencode(f"file:{path}"),
            vcodec="libx264",
            crf=20,
            pix_fmt="yuv420p",
            # One thread, no date and no version: two runs agree byte for byte.
            threads=1,
            fflags="+bitexact",
            map_metadata=-1,
            movflags="+faststart",
            **{"flags:v": "+bitexact"},
            **options,
        )
        .global_args("-loglevel", "error", "-filter_threads", "1")
        .compile(cmd=imageio_ffmpeg.get_ffmpeg_exe(), overwrite_output=True)
    )
    return result


def _audio(sound: Sound, descriptor: int) -> tuple[list[FilterableStream], dict[str, object]]:
    """Return ffmpeg's input with a sound, whose file is open, and the options of its output."""
    # A descriptor, because ffmpeg takes some names for patterns or addresses; "fd" alone, because
    # a playlist could make ffmpeg open another file.
    source = ffmpeg.input("fd:", fd=descriptor, protocol_whitelist="fd")
    options = {
        "acodec": "aac",
        "ac": 2,
        # Fills gaps with silence, also before a late start. Trims instead of seeking, because not
        # every format seeks exactly.
        "af": f"atrim=start={sound.start:.6f},asetpts=PTS-{sound.start:.6f}/TB,{_cut(sound)}"
        "aresample=async=1:first_pts=0",
        "t": f"{sound.length:.6f}",
        "map_chapters": -1,
        "flags:a": "+bitexact",
    }
    track = heard_track(described(sound.path))
    # Without a track, ffmpeg tells whether the file is a silent video or none.
    return [source["a:0?" if track is None else str(track)]], options


def _cut(sound: Sound) -> str:
    """Return the filters that leave out the parts without pictures, and close the gaps."""
    if not sound.cuts:
        return ""
    inside = _sum([f"gte(t,{start:.6f})*lt(t,{end:.6f})" for start, end in sound.cuts])
    earlier = _sum([f"gte(T,{end:.6f})*{end - start:.6f}" for start, end in sound.cuts])
    return f"aselect='not({inside})',asetpts='PTS-({earlier})/TB',"


def _sum(terms: Sequence[str]) -> str:
    """Return a sum in balanced brackets, because ffmpeg limits the depth of an expression."""
    if len(terms) == 1:
        return terms[0]
    middle = len(terms) // 2
    return f"({_sum(terms[:middle])}+{_sum(terms[middle:])})"
