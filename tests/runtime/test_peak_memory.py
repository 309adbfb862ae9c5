import subprocess
import sys

import pytest
import torch

from videottt.runtime.device import gpu_peak, peak_memory, resident_peak

MEGABYTE = 10**6
CHILD = """
from videottt.runtime.device import resident_peak
before = resident_peak()
touched = b"x" * 100_000_000
del touched
print(before, resident_peak())
"""


def test_the_peak_is_of_this_process_and_not_of_the_one_that_started_it():
    # Linux tells the largest memory (`ru_maxrss`) of the child as no less than this.
    large = b"x" * (1000 * MEGABYTE)
    done = subprocess.run(
        [sys.executable, "-c", CHILD], check=True, capture_output=True, text=True
    )  # fmt: skip
    before, after = map(int, done.stdout.split())
    assert before < 800 * MEGABYTE < len(large)
    # It keeps what was freed.
    assert after - before > 90 * MEGABYTE


def test_a_cpu_has_no_gpu_memory():
    cpu = torch.device("cpu")
    assert gpu_peak(cpu) != gpu_peak(cpu)
    assert peak_memory(cpu) == pytest.approx(resident_peak(), rel=0.1)
