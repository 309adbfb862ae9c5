"""The verb of rules/sources.smk that gets the weights of others."""

import argparse
from pathlib import Path
from typing import Any

from videottt.cli.arguments import add_verb


def add_verbs(verbs: Any) -> None:
    """Add `download`."""
    verb = add_verb(verbs, "download", download)
    place = verb.add_mutually_exclusive_group(required=True)
    place.add_argument("--url", help="of http or https")
    place.add_argument("--copy", type=Path, help="that is here already: nothing is fetched")
    verb.add_argument("--sha256", required=True, help="of the file, or at least its first 8 digits")
    verb.add_argument("--output", required=True, type=Path)


def download(options: argparse.Namespace) -> None:
    """Fetch or copy a file; it is kept only if it has the checksum that is expected."""
    from videottt import downloads

    if options.copy:
        downloads.take_copy(options.copy, options.sha256, options.output)
    else:
        downloads.download(options.url, options.sha256, options.output)
