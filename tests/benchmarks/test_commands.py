import json
import math
import subprocess
import sys

import pytest
import torch

from support import ROOT

FOLDER = ROOT / "benchmarks"
# Command -> arguments with which it takes seconds, and the names of what its last line must have.
COMMANDS = {
    "cost": ("--frames 1 --case smallest", "window batch steps resolution"),
    "device": (
        "--roofline --preset tiny --batch 2 --crop 64 96 --frame 96 128",
        "update prediction smallest_seconds",
    ),
    "ingest": ("--frames 3 --rounds 1 --size 96 128", "sizes"),
    "loading": ("--images 2 --rounds 1 --size 64 128 --crop 32 64", "ratio images_per_second"),
    "memory": ("--frames 6 12", "lengths peak_ratio growth_ratio flat"),
    "rendering": ("--frames 2 --rounds 1 --size 48 64", "ratio frames_per_second"),
    "scoring": ("--frames 2 --rounds 1 --size 96 128", "tasks"),
    "start_up": ("--runs 1 --verbs score", "help first_frame torch imports"),
    "step": ("--case smallest --rounds 1", "cases"),
    "storage": ("--frames 2 --rounds 1 --size 48 64", "results"),
    "stream_overhead": ("--frames 2", "seconds_per_frame overhead"),
    "workflow_graph": ("--videos 3 --study demo", "studies videos"),
}


def run(name, arguments):
    """The exit status of a command, and the object of its last line."""
    command = [sys.executable, str(FOLDER / f"{name}.py"), *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert ended.stdout, ended.stderr
    return ended.returncode, json.loads(ended.stdout.splitlines()[-1])


def ratios_in(value):
    """Every number under the name "ratio" or "…_ratio"."""
    if not isinstance(value, dict):
        return
    for name, each in value.items():
        if name.endswith("ratio"):
            yield from each.values() if isinstance(each, dict) else [each]
        else:
            yield from ratios_in(each)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_last_line_of_a_benchmark_is_an_object_with_its_ratios(name):
    arguments, wanted = COMMANDS[name]
    status, found = run(name, arguments.split())
    # Six frames are too few to say whether memory is flat.
    assert status == 0 or name == "memory"
    assert found["benchmark"] == name
    assert set(wanted.split()) <= set(found)
    ratios = list(ratios_in(found))
    assert ratios or name in ("stream_overhead", "device", "workflow_graph")
    # Three small frames take less time than what their start varies by.
    assert all(math.isfinite(ratio) and (ratio > 0 or name == "ingest") for ratio in ratios)


def test_the_update_that_is_measured_on_a_gpu_runs_on_a_cpu(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    from device import Prediction, Sizes, Update

    sizes, cpu = Sizes("tiny", 2, (32, 64), (64, 96)), torch.device("cpu")
    loss, norm = Update(sizes, cpu, "float32")().tolist()
    assert math.isfinite(loss)
    assert norm > 0
    assert Prediction(sizes, cpu, "float32")().mask_logits[-1].shape[-2:] == (16, 24)


def test_memory_that_grows_is_not_flat():
    sys.path.insert(0, str(FOLDER))
    try:
        from memory import verdict
    finally:
        sys.path.remove(str(FOLDER))
    steady = {"peak": 104e6, "warm": 100e6, "late": 101e6}
    assert verdict({100: steady, 1000: {**steady, "peak": 108e6}})["flat"]
    assert not verdict({100: steady, 1000: {**steady, "peak": 110e6}})["flat"]
    assert not verdict({100: steady, 1000: {**steady, "late": 106e6}})["flat"]


def test_trees_of_results_are_compared_value_by_value(tmp_path):
    for tree, value in (("old", "1"), ("same", "1"), ("other", "2")):
        (tmp_path / tree / "tables").mkdir(parents=True)
        (tmp_path / tree / "tables/a.csv").write_text(f"metric,value,seconds\nap,{value},{tree}\n")
    old = str(tmp_path / "old")
    assert run("same_numbers", [old, str(tmp_path / "same")]) == (
        0, {"benchmark": "same_numbers", "equal": {"tables": 2}, "files": {"tables": 1},
            "differing": 0},
    )  # fmt: skip
    status, found = run("same_numbers", [old, str(tmp_path / "other")])
    assert (status, found["differing"]) == (1, 1)


def test_every_benchmark_has_a_row_in_the_index():
    index = (FOLDER / "README.md").read_text(encoding="utf-8")
    commands = [path.name for path in FOLDER.glob("*.py") if "__main__" in path.read_text()]
    assert len(commands) > len(COMMANDS)
    for name in commands:
        assert f"`python benchmarks/{name}" in index
