"""How long AP and PQ take: of each frame, once, and of all frames from their statistics.

python benchmarks/scoring.py [--frames 200]
"""

import argparse
import time

import numpy as np

from videottt.core.segments import ClassSpace, Panoptic, instances_of, panoptic_from
from videottt.evaluation.metrics import statistics_of

# As many as COCO has.
SPACE = ClassSpace(
    tuple(f"class {number}" for number in range(133)),
    tuple(f"class {number}" for number in range(80)),
)
SIZE = (480, 640)
BLOCK = 80  # side of the blocks that labels are made of, in pixels


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=200)
    count = parser.parse_args().frames
    labels, predictions = frames(count, shift=0), frames(count, shift=8)
    for task in ("instance", "panoptic"):
        pairs = list(zip(labels, predictions, strict=True))
        if task == "instance":
            pairs = [tuple(instances_of(each, SPACE) for each in pair) for pair in pairs]
        start = time.process_time()
        statistics = statistics_of(task).of_frames(pairs, SPACE)
        scored = time.process_time()
        statistics.metrics()
        done = time.process_time()
        print(
            f"{task}: {1e3 * (scored - start) / count:.0f} ms a frame to score, "
            f"{done - scored:.2f} s for every metric of {count} frames (one core)"
        )


def frames(count: int, shift: int) -> list[Panoptic]:
    """Return frames of blocks of random classes, moved to the right by `shift` pixels."""
    draws = np.random.default_rng(0)
    rows, columns = (edge // BLOCK for edge in SIZE)
    found = []
    for _ in range(count):
        kinds = draws.integers(len(SPACE.classes), size=(rows, columns)).astype(np.uint8)
        numbers = np.arange(1, kinds.size + 1).reshape(kinds.shape) * SPACE.is_thing[kinds]
        semantic, instance = (
            np.roll(np.kron(each, np.ones((BLOCK, BLOCK), each.dtype)), shift, axis=1)
            for each in (kinds, numbers)
        )
        found.append(panoptic_from(semantic, instance, SPACE))
    return found


if __name__ == "__main__":
    main()
