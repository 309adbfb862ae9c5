"""List the checkpoints that ship with videottt.

Each serves `videottt run` and `videottt.load` by its name. docs/models.md has their model cards.

Example:
    videottt list checkpoints
"""

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("what", choices=["checkpoints"], help="what to list")


def run(options: argparse.Namespace) -> None:
    """Run the verb."""
    import humanize

    from videottt.models.shipped_checkpoints import shipped_checkpoint, shipped_checkpoints

    for name, entry in shipped_checkpoints().items():
        path = shipped_checkpoint(name)
        default = f"; the default for {', '.join(entry.default)}" if entry.default else ""
        print(f"{name}  ({humanize.naturalsize(path.stat().st_size)})")
        print(f"  {entry.title}")
        print(f"  tasks: {', '.join(entry.tasks)}{default}")
        print(f"  trained on: {entry.licence}")
        print(f"  file: {path}")
