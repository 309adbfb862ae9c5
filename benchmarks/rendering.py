"""How many frames a second the embedded benchmark renders, on one core.

    python benchmarks/rendering.py [--size 96 128] [--frames 200] [--rounds 3]

Renders a video and stills, and draws noise of the same size with numpy beside: three normal draws a
pixel, as many as the renderer's own noise needs. A ratio is the time of a frame divided by that of
a frame of noise, so that machines can be compared.
"""

import argparse
from collections.abc import Iterator

import numpy as np

from measuring import alternated, print_result
from videottt.data.synthetic import render_stills, render_video
from videottt.settings.dataset import Phase

PHASES = [Phase("avenue", "day"), Phase("tunnel", "tunnel"), Phase("market", "warm")]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", nargs=2, type=int, default=(96, 128))
    parser.add_argument("--frames", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    size, count = tuple(options.size), options.frames
    seconds = alternated(
        {
            "video": lambda: all(render_video("benchmark", PHASES, count, size, 0)),
            "stills": lambda: all(render_stills(count, size, 0)),
            "noise": lambda: all(noise(count, size)),
        },
        options.rounds,
    )
    rates = {name: count / each for name, each in seconds.items()}
    ratios = {name: seconds[name] / seconds["noise"] for name in ("video", "stills")}
    for name, ratio in ratios.items():
        print(f"{name}: {rates[name]:.0f} frames/s, {ratio:.1f} times the time of noise")
    result = {"size": size, "frames_per_second": rates, "ratio": ratios}
    print_result({"benchmark": "rendering"} | result)


def noise(count: int, size: tuple[int, int]) -> Iterator[bytes]:
    """Yield images of noise, as bytes."""
    draws = np.random.default_rng(0)
    for _ in range(count):
        levels = 128 + 30 * draws.standard_normal((*size, 3), np.float32)
        yield levels.clip(0, 255).astype(np.uint8).tobytes()


if __name__ == "__main__":
    main()
