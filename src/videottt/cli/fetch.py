"""Download and verify a source, unpack it below the data root, and record its checksum.

Downloads resume, and appear whole or not at all. A source that is already present is only checked.

Example:
    videottt fetch camvid --data-root /data --output camvid.json
"""

import argparse

from videottt.core.paths import named_path
from videottt.core.shipped import shipped


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("source", help="id in the list of sources, such as kitti_step_labels")
    parser.add_argument(
        "--sources",
        type=named_path,
        default=shipped("workflow/resources/datasets.yaml"),
        help="list of sources",
    )
    parser.add_argument("--data-root", required=True, type=named_path, help="folder of all data")
    parser.add_argument(
        "--mirror", help="address of a server that has the same files and is asked first"
    )
    parser.add_argument("--offline", action="store_true", help="touch no network")
    parser.add_argument("--output", required=True, type=named_path, help="record to write, JSON")


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
