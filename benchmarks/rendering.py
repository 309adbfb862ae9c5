"""How many frames a second the embedded benchmark renders, on one core, at the demo's size.

python benchmarks/rendering.py [--frames 300]
"""

import argparse
import itertools
import time

from videottt.data.synthetic import render_stills, render_video
from videottt.settings.dataset import Phase

SIZE = (96, 128)
PHASES = [Phase("avenue", "day"), Phase("tunnel", "tunnel"), Phase("market", "warm")]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=300)
    count = parser.parse_args().frames
    # The first frames pay for compilation of caches in numpy and PIL.
    list(itertools.islice(render_stills(10, SIZE, 0), 10))
    for name, frames in (
        ("video", render_video("benchmark", PHASES, count, SIZE, 0)),
        ("stills", render_stills(count, SIZE, 0)),
    ):
        start = time.process_time()
        for _ in frames:
            pass
        spent = time.process_time() - start
        print(f"{name}: {count / spent:.0f} frames/s ({count} frames, {spent:.2f} s of one core)")


if __name__ == "__main__":
    main()
