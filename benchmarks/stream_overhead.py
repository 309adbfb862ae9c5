"""What a frame costs beyond forward, backward and optimizer: the stream loop's own overhead.

    python benchmarks/stream_overhead.py [--frames 60] [--method online_ttt_mae] [--threads 1]

Runs one method of config.yaml on a rendered video through the frame store and the prediction cache,
as `videottt predict` does, and prints the median seconds of each phase. Weights are untrained: they
do not change what an operation costs. The overhead is everything that is not forward, backward,
optimizer or prediction, the time between the phases included.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from videottt.core.frame_result import PHASES
from videottt.core.ids import JobKey
from videottt.core.segments import ClassSpace
from videottt.data.synthetic import render_video
from videottt.models.y_shaped import YShapedModel
from videottt.settings.dataset import Phase
from videottt.settings.method import method_from
from videottt.settings.presets import preset_named
from videottt.store.frames import FrameStore, write_frames
from videottt.store.predictions import write_predictions
from videottt.store.source_frame import SourceFrame
from videottt.study.config import method_of
from videottt.study.job_settings import method_settings
from videottt.study.layers import complete
from videottt.tasks import task_named
from videottt.ttt.stream import Stream, run_stream

NECESSARY = ("forward", "backward", "optimizer", "predict")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--method", default="online_ttt_mae")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    config = complete({}).config
    classes = config["datasets"]["synthetic"]["classes"]
    settings = method_settings(config, "synthetic", method_of(config, options.method))
    stream = Stream(
        YShapedModel(preset_named("tiny"), len(classes)),
        task_named("semantic", ClassSpace(tuple(classes))),
        method_from(settings),
        JobKey("synthetic", "semantic", "online_ttt_mae", 0, "benchmark"),
    )
    with tempfile.TemporaryDirectory() as folder:
        store = rendered_store(Path(folder) / "frames.h5", options.frames, classes)
        seconds, wall = measure(stream, store, Path(folder) / "predictions.h5")
    report(options.method, seconds, wall)


def rendered_store(path: Path, frames: int, classes: list[str]) -> Path:
    """Render a video of the demo's size into a frame store."""
    phases = [Phase("avenue", "day"), Phase("market", "warm")]
    images = render_video("benchmark", phases, frames, (96, 128), 0)
    write_frames(
        path,
        (SourceFrame(f"{i:06d}", f.image, f.semantic) for i, f in enumerate(images)),
        dataset="synthetic",
        video="benchmark",
        fps=10,
        classes=classes,
        provenance={},
    )
    return path


def measure(stream: Stream, path: Path, output: Path) -> tuple[dict[str, np.ndarray], float]:
    """Run the stream; return seconds of each phase and frame, and the wall time of a frame."""
    seconds: dict[str, list[float]] = {phase: [] for phase in (*PHASES, "write")}
    key = JobKey("synthetic", "semantic", "benchmark", 0, "benchmark")
    with (
        FrameStore(path) as store,
        write_predictions(
            output, key, kind="classes",
            frames=len(store), size=store.size, classes=store.classes,
            settings={}, provenance={},
        ) as writer,
    ):  # fmt: skip
        start = time.perf_counter()
        for result in run_stream(stream, ((i, store.frame(i)) for i in range(len(store)))):
            before = time.perf_counter()
            writer.add(result)
            seconds["write"].append(time.perf_counter() - before)
            for phase in PHASES:
                seconds[phase].append(result.wall_time[phase])
        wall = (time.perf_counter() - start) / len(store)
    return {phase: np.array(values) for phase, values in seconds.items()}, wall


def report(method: str, seconds: dict[str, np.ndarray], wall: float) -> None:
    """Print one line a phase, and the overhead."""
    between = wall - sum(values.mean() for values in seconds.values())
    print(f"{method}: {wall:.4f} s/frame over {len(seconds['load'])} frames")
    for phase, values in seconds.items():
        kind = "" if phase in NECESSARY else "  (overhead)"
        share = values.mean() / wall
        print(f"{phase:>10} {np.median(values):8.4f} s  {share:6.1%}{kind}")
    print(f"{'between':>10} {between:8.4f} s  {between / wall:6.1%}  (overhead)")
    own = between + sum(v.mean() for phase, v in seconds.items() if phase not in NECESSARY)
    result = {"method": method, "seconds_per_frame": wall, "overhead": own / wall}
    print(json.dumps({"benchmark": "stream_overhead"} | result))


if __name__ == "__main__":
    main()
