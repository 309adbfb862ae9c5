"""Pictures to an mp4 file, one by one, through the bundled ffmpeg."""

import contextlib
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path

import ffmpeg
import imageio_ffmpeg
import numpy as np

from videottt.errors import InputError
from videottt.files import complete_file


def encode_video(
    path: Path, pictures: Iterable[np.ndarray], size: tuple[int, int], fps: float
) -> None:
    """Write an H.264 video that plays everywhere; equal pictures give equal bytes.

    Args:
        path: of the mp4 file.
        pictures: uint8 [height, width, 3], RGB; taken one by one.
        size: (height, width), both even.
        fps: frames a second.

    Raises:
        InputError: ffmpeg fails; its last line is in the message.
    """
    # ffmpeg's complaints go to a file: a pipe that nobody reads would block it when full.
    with complete_file(path) as part, tempfile.TemporaryFile() as complaints:
        # A broken pipe means that ffmpeg gave up: its exit status and last line say why.
        with (
            contextlib.suppress(BrokenPipeError),
            subprocess.Popen(
                _command(part, size, fps),
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=complaints,
            ) as process,
        ):
            try:
                for picture in pictures:
                    process.stdin.write(picture.tobytes())
                    # Nothing may be left to write if the next picture cannot be made.
                    process.stdin.flush()
            except BrokenPipeError:
                raise
            except BaseException:
                process.kill()
                raise
        if process.returncode:
            complaints.seek(0)
            lines = complaints.read().decode(errors="replace").split("\n")
            last = next((line for line in reversed(lines) if line.strip()), "no message")
            raise InputError(f"{path}: ffmpeg failed with status {process.returncode}: {last}")


def _command(path: Path, size: tuple[int, int], fps: float) -> list[str]:
    height, width = size
    # With the colour space named in the file, players show the very colours of the figures.
    named = {"colorspace": "bt709", "color_primaries": "bt709", "color_trc": "bt709"}
    return (
        ffmpeg.input(
            "pipe:", format="rawvideo", pix_fmt="rgb24", s=f"{width}x{height}", framerate=f"{fps:g}"
        )
        .filter("scale", out_color_matrix="bt709", out_range="tv", flags="accurate_rnd+bitexact")
        .filter("setparams", **named)
        .output(
            str(path),
            vcodec="libx264",
            crf=20,
            pix_fmt="yuv420p",
            # One thread and no date or version, so that two runs agree byte for byte.
            threads=1,
            fflags="+bitexact",
            map_metadata=-1,
            movflags="+faststart",
            **{"flags:v": "+bitexact"},
        )
        .global_args("-loglevel", "error", "-filter_threads", "1")
        .compile(cmd=imageio_ffmpeg.get_ffmpeg_exe(), overwrite_output=True)
    )
