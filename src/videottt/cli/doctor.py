"""Check this machine, or the cluster around it, for what would stop or slow a run.

The exit status is 1 if something would stop a run. Call it in the folder of config.yaml and
slurm.yaml; on a cluster also inside a job.

Examples:
    videottt doctor
    srun --gpus=1 videottt doctor
"""

import argparse
import sys
from pathlib import Path

from videottt.core.paths import named_path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    folder = Path("results")
    parser.add_argument("--results", type=named_path, default=folder, help="folder for results")


def run(options: argparse.Namespace) -> None:
    """Run the verb."""
    from videottt.study.doctor import BAD, examine

    bad = 0
    for finding in examine(options.results):
        bad += finding.level == BAD
        print(f"{finding.level:8} {finding.subject}: {finding.text}", flush=True)
    if bad:
        sys.exit(1)
