"""Whether the memory of an online stream grows with the length of its video.

    python benchmarks/memory.py [--frames 100 1000 10000] [--method online_ttt_mae] [--size 32]

Predicts made-up videos of several lengths as `videottt predict` does, states saved, each in a
process of its own: small frames, a small untrained model and one image a step, so that ten thousand
frames take minutes. Another thread samples the resident memory. Peaks may differ by 5 % between
lengths, and the memory of the second half of a video by as much from that after its warm-up, the
first quarter; otherwise the exit status is 1.
"""

import argparse
import dataclasses
import multiprocessing
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import psutil

from measuring import print_result
from videottt.core.segments import ClassSpace
from videottt.models.checkpoint import save_checkpoint
from videottt.models.y_shaped import YShapedModel
from videottt.settings.presets import SwinSizes, preset_named
from videottt.store.frames import write_frames
from videottt.store.source_frame import SourceFrame
from videottt.study.config import method_of
from videottt.study.job_settings import method_settings
from videottt.study.layers import complete
from videottt.ttt.job import StreamJob, predict_video

LIMIT = 1.05
PERIOD = 0.02  # seconds between two samples
SMALL = {
    "encoder": SwinSizes(
        embed_dim=8, depths=(1, 1, 1, 1), num_heads=(1, 1, 1, 1), drop_path_rate=0.0
    ),
    "hidden_dim": 32,
    "mask_dim": 32, "queries": 8, "pixel_decoder_feedforward": 32, "decoder_layers": 1,
    "feedforward": 16, "attention_heads": 1,
}  # fmt: skip


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", nargs="+", type=int, default=(100, 1000, 10000))
    parser.add_argument("--method", default="online_ttt_mae")
    parser.add_argument("--size", type=int, default=32, help="side of the frames, in pixels")
    options = parser.parse_args()
    # A process of its own has a peak of its own.
    started = multiprocessing.get_context("spawn")
    lengths = {}
    for frames in options.frames:
        with started.Pool(1) as pool:
            found = pool.apply(memory_of, (frames, options.method, options.size))
        lengths[frames] = found
        print(
            f"{frames:6} frames: peak {found['peak'] / 1e6:.1f} MB, after the warm-up "
            f"{found['warm'] / 1e6:.1f} MB, second half {found['late'] / 1e6:.1f} MB "
            f"({found['growth_per_frame'] / 1e3:+.2f} kB and "
            f"{1e3 * found['seconds'] / frames:.0f} ms a frame)"
        )
    result = verdict(lengths)
    print(
        f"{'flat' if result['flat'] else 'NOT FLAT'}: the largest peak is "
        f"{result['peak_ratio']:.3f} times the smallest, and within a video memory grows to "
        f"{result['growth_ratio']:.3f} times; the limit is {LIMIT}"
    )
    print_result({"benchmark": "memory", "method": options.method, "lengths": lengths} | result)
    sys.exit(0 if result["flat"] else 1)


def verdict(lengths: Mapping[int, Mapping[str, float]]) -> dict[str, float | bool]:
    """Return the two ratios that must be within `LIMIT`, and whether they are.

    Args:
        lengths: number of frames -> bytes ``peak``, ``warm`` and ``late``; see `memory_of`.
    """
    peaks = [found["peak"] for found in lengths.values()]
    peak_ratio = max(peaks) / min(peaks)
    growth = max(found["late"] / found["warm"] for found in lengths.values())
    flat = peak_ratio <= LIMIT and growth <= LIMIT
    return {"peak_ratio": peak_ratio, "growth_ratio": growth, "flat": flat}


def memory_of(frames: int, method: str, size: int) -> dict[str, float]:
    """Predict a video; return bytes of memory, and the seconds that it took.

    ``peak`` is the largest resident memory, ``warm`` the median of the second quarter of the time,
    ``late`` the median of the second half, and ``growth_per_frame`` what lies between these two.
    """
    import torch

    torch.manual_seed(0)
    config = complete({}).config
    classes = config["datasets"]["synthetic"]["classes"]
    settings = method_settings(config, "synthetic", method_of(config, method))
    model = YShapedModel(dataclasses.replace(preset_named("tiny"), **SMALL), len(classes))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        save_checkpoint(
            folder / "model.safetensors", model, classes, ClassSpace(tuple(classes)),
            decoder=True, provenance={},
        )  # fmt: skip
        write_frames(
            folder / "frames.h5", noise(frames, size), dataset="synthetic", video="noise", fps=10,
            classes=classes, provenance={},
        )  # fmt: skip
        job = StreamJob(
            frames=folder / "frames.h5", checkpoint=folder / "model.safetensors", task="semantic",
            settings=settings, override={"batch": 1}, output=folder / "predictions.h5",
            method=method, device="cpu", state=folder / "state",
        )  # fmt: skip
        del model
        return sampled(job, frames)


def sampled(job: StreamJob, frames: int) -> dict[str, float]:
    """Run a job while another thread samples the memory of this process."""
    process, done = psutil.Process(), threading.Event()
    samples = []

    def sample() -> None:
        while not done.wait(PERIOD):
            samples.append(process.memory_info().rss)

    sampler = threading.Thread(target=sample)
    start = time.monotonic()
    sampler.start()
    predict_video(job)
    done.set()
    sampler.join()
    half, quarter = len(samples) // 2, len(samples) // 4
    warm, late = statistics.median(samples[quarter:half]), statistics.median(samples[half:])
    return {
        "peak": max(samples),
        "warm": warm,
        "late": late,
        # The medians are three eighths of the video apart.
        "growth_per_frame": (late - warm) / (0.375 * frames),
        "seconds": time.monotonic() - start,
    }


def noise(frames: int, size: int) -> Iterator[SourceFrame]:
    """Yield frames of noise."""
    draws = np.random.default_rng(0)
    for index in range(frames):
        image = draws.integers(256, size=(size, size, 3), dtype=np.uint8)
        yield SourceFrame(f"{index:06d}", image)


if __name__ == "__main__":
    main()
