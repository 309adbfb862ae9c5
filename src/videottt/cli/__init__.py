"""The command line: one verb a rule, and the only place for argv, logging and opening files."""

import argparse
import logging
import os
import sys
from collections.abc import Sequence

from videottt.cli import (
    check,
    checkpoints,
    colourizers,
    conversion,
    crosscheck,
    fetch,
    frames,
    plan,
    predict,
    run,
    score,
    segmenters,
    show,
    sources,
    tables,
    theory,
    trace,
)
from videottt.errors import InputError

MODULES = (
    run,
    plan,
    fetch,
    check,
    sources,
    frames,
    conversion,
    checkpoints,
    predict,
    colourizers,
    segmenters,
    score,
    tables,
    show,
    trace,
    theory,
    crosscheck,
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one verb; bad input is one line on standard error and exit status 2."""
    options = parser().parse_args(arguments)
    logging.basicConfig(format="%(message)s", level=logging.INFO, stream=sys.stderr)
    # transformers must neither fetch anything nor chat.
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    try:
        options.run(options)
    except InputError as error:
        sys.exit(_complain(str(error)))
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        sys.exit(_complain(f"{where}{error.strerror or error}"))


def parser() -> argparse.ArgumentParser:
    """Return the parser of all verbs; what it parses has the function to call as `run`."""
    top = argparse.ArgumentParser(prog="videottt", description=__doc__)
    verbs = top.add_subparsers(dest="verb", required=True, metavar="verb")
    for module in MODULES:
        module.add_verbs(verbs)
    return top


def _complain(message: str) -> int:
    print("videottt: error: " + " ".join(message.split()), file=sys.stderr)
    return 2
