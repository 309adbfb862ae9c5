"""The verb that says what of a machine or a cluster would stop a run."""

import argparse
import sys
from pathlib import Path
from typing import Any

from videottt.cli.arguments import add_verb


def add_verbs(verbs: Any) -> None:
    """Add `doctor`."""
    verb = add_verb(verbs, "doctor", doctor)
    verb.add_argument(
        "--results", type=Path, default=Path("results"), help="folder that results are written to"
    )


def doctor(options: argparse.Namespace) -> None:
    """Say what of this machine, or of the cluster that it belongs to, would stop or slow a run.

    The exit status is 1 if anything would. To be called where config.yaml and slurm.yaml are; on a
    cluster also inside a job: `srun --gpus=1 videottt doctor`.
    """
    from videottt.study.doctor import BAD, examine

    bad = 0
    for finding in examine(options.results):
        bad += finding.level == BAD
        print(f"{finding.level:8} {finding.subject}: {finding.text}", flush=True)
    if bad:
        sys.exit(1)
