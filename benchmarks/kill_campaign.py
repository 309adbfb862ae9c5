"""Kills every kind of job again and again, and counts the bytes that differ from a quiet run.

    python benchmarks/kill_campaign.py FOLDER [--kills 3] [--seed 0] [--only TEXT ...]

Makes small inputs with the verbs themselves, and for every target (each method on each task, joint
training, downloads, scores, tables, figures, films) runs its command line once undisturbed; then
again, sending SIGKILL to its process group at random moments, some of them within a save, until it
is done; and compares what both have made. Then come other signals, damaged states and second
processes. Prints a table, and the sum: differing bytes must be 0.

FOLDER gets results.csv and campaign.log, a line a target: started again, it goes on with the next.
The code is copied there at first, so that it may be edited meanwhile. The exit status is 1 if
anything differs, is left over or went wrong.
"""

import argparse
import contextlib
import json
import logging
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

logger = logging.getLogger("kills")

# Targets that are also run as a shell would, without a fork.
BY_ITSELF = (
    "predict/semantic/online_ttt_mae",
    "predict/semantic/offline_ttt_mae_all_frames",
    "train/panoptic/joint",
    "plot-bars",
)
ONLINE, OFFLINE = "predict/panoptic/online_ttt_mae", "predict/semantic/offline_ttt_mae_all_frames"
COLLAPSE, TRAINING = "predict/semantic/online_ttt_mae,reset=class_collapse", "train/panoptic/joint"
EVERY_CASE = (
    "terminated", "asked_to_save", "cut_short", "damaged", "all_damaged", "taken_over",
    "waited_for",
)  # fmt: skip
CASES_OF = [(case, name) for name in (ONLINE, OFFLINE, COLLAPSE, TRAINING) for case in EVERY_CASE]


def main() -> None:
    """Run the campaign on a copy of the code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kills", type=int, default=3, help="of each target")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--only", nargs="*", default=[], help="targets with one of these in them")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    code = options.folder.resolve() / "src"
    if not code.exists():
        ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
        shutil.copytree(ROOT / "src", code.with_name("src.part"), ignore=ignored)
        code.with_name("src.part").rename(code)
    paths = [str(code), str(ROOT / "tests")]
    if os.environ.get("PYTHONPATH", "").split(os.pathsep)[:2] != paths:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}
        sys.exit(subprocess.run([sys.executable, *sys.argv], env=environment).returncode)
    sys.exit(0 if campaign(options) else 1)


def campaign(options: argparse.Namespace) -> bool:
    """Run what has no row in the results yet; return whether all is exact."""
    from commands import Commands
    from kills.campaign import kill_often
    from kills.cases import run_case
    from kills.inputs import make_inputs
    from kills.report import Results
    from kills.targets import all_targets

    log = options.folder / "campaign.log"
    logging.basicConfig(format="%(message)s", level=logging.INFO, force=True,
                        handlers=[logging.StreamHandler(), logging.FileHandler(log)])  # fmt: skip
    results = Results(options.folder / "results.csv")
    start = time.monotonic()
    with served(options.folder / "served") as url, Commands({"no_proxy": "*"}) as commands:
        inputs = make_inputs(commands, options.folder.resolve() / "inputs")
        targets = {target.name: target for target in all_targets(inputs, url)}
        runs = options.folder.resolve() / "runs"
        for name, target in targets.items():
            if results.lacks(name, options.only):
                results.add(kill_often(commands, target, runs, options.kills, options.seed))
        for name in BY_ITSELF:
            if results.lacks(f"by itself: {name}", options.only):
                row = kill_often(commands, targets[name], runs, 2, options.seed, by_itself=True)
                results.add(row, "by itself: ")
        for case, name in CASES_OF:
            if results.lacks(f"{case}: {name}", options.only):
                results.add(run_case(commands, case, targets[name], runs))
    shutil.rmtree(options.folder / "runs", ignore_errors=True)
    print(results.markdown())
    seconds = time.monotonic() - start
    logger.info("%s; %.0f s", results.summary(), seconds)
    print(json.dumps({"benchmark": "kill_campaign", "exact": results.exact, "seconds": seconds}))
    return results.exact


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve the files that are downloaded, as slowly as a network would; yield the address."""
    from kills.slow_server import SlowLoopback
    from kills.targets import served_files

    folder.mkdir(parents=True, exist_ok=True)
    for name, content in served_files().items():
        (folder / name).write_bytes(content)
    with SlowLoopback(folder) as server:
        yield server.url


if __name__ == "__main__":
    main()
