"""Video files: films of the brothers Lumière, without colour or sound, and clips in colour."""

import subprocess
from pathlib import Path

import imageio_ffmpeg
import numpy as np

from replicas import scenes

SIZE = (72, 96)
CODECS = {".webm": "libvpx", ".ogv": "libtheora", ".ogg": "libtheora", ".mp4": "libx264"}


def write_film(path: Path, seed: int) -> None:
    """Write a film as it was shot: 16 frames a second, here for one second, without colour."""
    grey = [_grey(frame.image) for frame in scenes.video(16, SIZE, seed, "film", path.name)]
    _encode(path, grey, 16)


def write_clip(path: Path, seed: int) -> None:
    """Write a clip in colour of 10 frames a second, as on the project page of the authors."""
    _encode(path, [frame.image for frame in scenes.video(8, SIZE, seed, "clip", path.name)], 10)


def _grey(image: np.ndarray) -> np.ndarray:
    return np.repeat(image.mean(axis=-1, keepdims=True), 3, axis=-1).astype(np.uint8)


def _encode(path: Path, pictures: list[np.ndarray], rate: int) -> None:
    height, width = SIZE
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", "-y"]
    command += ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", str(rate)]
    command += ["-i", "pipe:", "-c:v", CODECS[path.suffix], "-b:v", "400k", "-pix_fmt", "yuv420p"]
    command += ["-threads", "1", "-fflags", "+bitexact", "-flags:v", "+bitexact", f"file:{path}"]
    subprocess.run(command, input=b"".join(p.tobytes() for p in pictures), check=True)
