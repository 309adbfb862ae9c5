"""Say what of this machine, or of the cluster that it belongs to, would stop or slow a run.

The exit status is 1 if anything would. To be called where config.yaml and slurm.yaml are; on a
cluster also inside a job: `srun --gpus=1 videottt doctor`.
"""

import argparse
import sys
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the verb takes."""
    parser.add_argument(
        "--results", type=Path, default=Path("results"), help="folder that results are written to"
    )


def run(options: argparse.Namespace) -> None:
    """Run the verb."""
    from videottt.study.doctor import BAD, examine

    bad = 0
    for finding in examine(options.results):
        bad += finding.level == BAD
        print(f"{finding.level:8} {finding.subject}: {finding.text}", flush=True)
    if bad:
        sys.exit(1)
