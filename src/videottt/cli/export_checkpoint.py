"""Write a checkpoint for the authors' release, under detectron2's names.

Example:
    videottt export-checkpoint --checkpoint joint.safetensors --output joint.pkl
"""

import argparse

from videottt.core.paths import named_path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("--checkpoint", required=True, type=named_path)
    parser.add_argument("--output", required=True, type=named_path, help="pickle for detectron2")


def run(options: argparse.Namespace) -> None:
    """Run the verb."""
    from videottt.models.checkpoint import load_checkpoint
    from videottt.models.convert import export_checkpoint

    export_checkpoint(options.output, load_checkpoint(options.checkpoint))
