"""How the cost of a frame of online TTT-MAE grows with window, batch, steps and resolution.

    python benchmarks/cost.py [--frames 6] [--case tiny]

Each setting is varied alone, from that of a case of step.py. The settings take turns, frame by
frame, on one thread; the result is the median processor seconds of a frame, and its ratio to the
first value of the setting. The window is full when frames count: it is filled before.
"""

import argparse
import dataclasses
import statistics
import time
from typing import Any

import torch

from measuring import print_result
from step import CASES, Case, rendered, stream_of
from videottt.ttt.stream import Stream

VARIED: dict[str, tuple[int, ...]] = {
    "window": (1, 16, 64),
    "batch": (1, 4, 16),
    "steps": (1, 2, 4),
}
# Factors on height and width of the case's frames.
RESOLUTIONS = (1, 2, 4)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=6)
    parser.add_argument("--case", choices=CASES, default="tiny")
    options = parser.parse_args()
    torch.set_num_threads(1)
    case = CASES[options.case]
    result = {
        setting: grown(variants(case, setting), options.frames)
        for setting in (*VARIED, "resolution")
    }
    for setting, found in result.items():
        for value, ratio in found["ratio"].items():
            print(f"{setting} {value}: {1e3 * found['seconds'][value]:.1f} ms, {ratio:.2f} times")
    print_result({"benchmark": "cost", "case": options.case} | result)


def variants(case: Case, setting: str) -> dict[str, Case]:
    """Return the case with each value of one setting."""
    if setting == "resolution":
        sizes = [tuple(factor * edge for edge in case.size) for factor in RESOLUTIONS]
        return {f"{h}x{w}": dataclasses.replace(case, size=(h, w)) for h, w in sizes}
    return {
        str(value): dataclasses.replace(case, values=case.values | {setting: value})
        for value in VARIED[setting]
    }


def grown(cases: dict[str, Case], frames: int) -> dict[str, dict[str, float]]:
    """Return the median seconds of a frame of each case, and their ratios to the first."""
    streams = {name: filled(case) for name, case in cases.items()}
    seconds: dict[str, list[float]] = {name: [] for name in streams}
    for number in range(frames):
        for name, (stream, images) in streams.items():
            start = time.process_time()
            stream.step(images[number % len(images)])
            seconds[name].append(time.process_time() - start)
    medians = {name: statistics.median(each) for name, each in seconds.items()}
    first = next(iter(medians.values()))
    return {"seconds": medians, "ratio": {n: each / first for n, each in medians.items()}}


def filled(case: Case) -> tuple[Stream, list[Any]]:
    """Return a stream whose window is full, after one learning frame, and frames for it."""
    stream = stream_of(case, "online_ttt_mae")
    images = [each.image for each in rendered(case.size)]
    for number in range(int(case.values.get("window", 16)) - 1):
        stream._remember(stream._observed(images[number % len(images)], number))
    stream.step(images[0])
    return stream, images


if __name__ == "__main__":
    main()
