"""What `videottt ingest` of a video file costs beside ffmpeg that only decodes it.

    python benchmarks/ingest.py [--size 480 640 --size 720 1280] [--frames 200] [--rounds 3]

Makes a clip of ffmpeg's test picture with noise, like that of a camera, and reads it with the
command line and with ffmpeg alone, on one thread, to raw frames that go nowhere. Processor seconds
of all processes count; what the command line takes for its start, as it takes for a clip of one
frame, is told apart.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import imageio_ffmpeg

from measuring import alternated, print_result

SIZES = ((480, 640), (720, 1280))
NOISE = 6  # strength of ffmpeg's noise
QUALITY = 23  # x264's default


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", nargs=2, type=int, action="append")
    parser.add_argument("--frames", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    result = {}
    for height, width in options.size or SIZES:
        with tempfile.TemporaryDirectory() as folder:
            found = measured(Path(folder), (height, width), options.frames, options.rounds)
        result[f"{height}x{width}"] = found
        print(
            f"{height}x{width}: ingest {found['ingest_frames_per_second']:.1f} frames/s, ffmpeg "
            f"alone {found['ffmpeg_frames_per_second']:.1f}: {found['ratio']:.2f} times its time, "
            f"and {found['start_seconds']:.2f} s to start; {found['bytes_per_frame']:,.0f} bytes a "
            f"frame in the store, {found['compressed']:.1%} of the pixels"
        )
    print_result({"benchmark": "ingest", "frames": options.frames, "sizes": result})


def measured(folder: Path, size: tuple[int, int], frames: int, rounds: int) -> dict[str, float]:
    """Return how fast a clip of `size` (height, width) is read both ways."""
    clip, one = (made_clip(folder, size, count) for count in (frames, 1))
    store = folder / "frames.h5"
    seconds = alternated(
        {
            "start": lambda: ingest(one, folder / "one.h5"),
            "ingest": lambda: ingest(clip, store),
            "ffmpeg": lambda: decode_only(clip),
        },
        rounds,
    )
    reading = seconds["ingest"] - seconds["start"]
    stored = store.stat().st_size / frames
    return {
        "ingest_frames_per_second": frames / reading,
        "ffmpeg_frames_per_second": frames / seconds["ffmpeg"],
        "ratio": reading / seconds["ffmpeg"],
        "start_seconds": seconds["start"],
        "bytes_per_frame": stored,
        "compressed": stored / (3 * size[0] * size[1]),
    }


def made_clip(folder: Path, size: tuple[int, int], frames: int) -> Path:
    """Return a clip in H.264 of `size` (height, width)."""
    path = folder / f"clip_{frames}.mp4"
    source = f"testsrc2=size={size[1]}x{size[0]}:rate=25"
    run_ffmpeg(
        "-f", "lavfi", "-i", source, "-vf", f"noise=alls={NOISE}:allf=t", "-frames:v", str(frames),
        "-pix_fmt", "yuv420p", "-c:v", "libx264", "-crf", str(QUALITY), str(path),
    )  # fmt: skip
    return path


def ingest(clip: Path, output: Path) -> None:
    """Read a clip with the command line."""
    settings = json.dumps({"layout": "video_file"})
    command = [
        sys.executable, "-m", "videottt", "ingest", "--dataset", "own", "--split", "own",
        "--video", clip.name, "--root", str(clip.parent), "--settings", settings,
        "--output", str(output),
    ]  # fmt: skip
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)


def decode_only(clip: Path) -> None:
    """Decode a clip with ffmpeg on one thread, and throw the frames away."""
    run_ffmpeg("-threads", "1", "-i", str(clip), "-f", "rawvideo", "/dev/null")


def run_ffmpeg(*arguments: str) -> None:
    """Run the ffmpeg that ingestion runs."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-v", "error", "-y", *arguments]
    subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
