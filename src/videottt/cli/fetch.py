"""The verb of rules/sources.smk that gets what comes from elsewhere."""

import argparse
from pathlib import Path
from typing import Any

from videottt.cli.arguments import add_verb


def add_verbs(verbs: Any) -> None:
    """Add `fetch`."""
    verb = add_verb(verbs, "fetch", fetch)
    verb.add_argument("source", help="id in the list of sources")
    verb.add_argument(
        "--sources", type=Path, default=Path("workflow/resources/datasets.yaml"), help="the list"
    )
    verb.add_argument("--data-root", required=True, type=Path, help="folder of all data")
    verb.add_argument("--mirror", help="address below which files are looked for by name, first")
    verb.add_argument("--offline", action="store_true", help="touch no network")
    verb.add_argument("--output", required=True, type=Path, help="record to write, JSON")


def fetch(options: argparse.Namespace) -> None:
    """See to it that a source is at hand below the data root, and record what it is.

    Downloads resume, are verified and appear whole or not at all; archives are unpacked.
    """
    from videottt.data.fetch import fetching
    from videottt.data.fetch.catalogue import read_sources, source_named

    source = source_named(read_sources(options.sources), options.source, options.sources)
    fetching.fetch(
        source,
        options.source,
        options.data_root,
        options.mirror,
        options.offline,
        options.output,
    )
