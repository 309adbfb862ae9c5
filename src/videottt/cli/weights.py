"""The verb of rules/sources.smk that fetches the weights of others."""

import argparse
from pathlib import Path
from typing import Any

from videottt.cli.arguments import add_verb


def add_verbs(verbs: Any) -> None:
    """Add `download`."""
    verb = add_verb(verbs, "download", download)
    verb.add_argument("--url", required=True, help="of http or https")
    verb.add_argument("--sha256", required=True, help="of the file, or at least its first 8 digits")
    verb.add_argument("--output", required=True, type=Path)


def download(options: argparse.Namespace) -> None:
    """Fetch a file from the web; it is kept only if it has the checksum that is expected."""
    from videottt import downloads

    downloads.download(options.url, options.sha256, options.output)
