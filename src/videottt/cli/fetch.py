"""Download and verify a source, unpack it below the data root, and record its checksum.

Downloads resume, and appear whole or not at all. A source that is already present is only checked.

Example:
    videottt fetch SOURCE --data-root /data --output SOURCE.json
"""

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("source", help="id in the list of sources")
    parser.add_argument(
        "--sources", type=Path, default=Path("workflow/resources/datasets.yaml"), help="the list"
    )
    parser.add_argument("--data-root", required=True, type=Path, help="folder of all data")
    parser.add_argument("--mirror", help="address below which files are looked for by name, first")
    parser.add_argument("--offline", action="store_true", help="touch no network")
    parser.add_argument("--output", required=True, type=Path, help="record to write, JSON")


def run(options: argparse.Namespace) -> None:
    """Run the verb."""
    from videottt.data.fetch.catalogue import source_named
    from videottt.data.fetch.fetching import fetch

    fetch(
        source_named(options.sources, options.source),
        options.source,
        options.data_root,
        mirror=options.mirror,
        offline=options.offline,
        output=options.output,
    )
