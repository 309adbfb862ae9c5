"""The command line: one verb a rule, and the only place for argv, logging and opening files."""

import argparse
import logging
import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType

from videottt.cli import (
    check,
    checkpoints,
    colourizers,
    conversion,
    crosscheck,
    doctor,
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
from videottt.core.errors import InputError, visible
from videottt.runtime.interruption import SAVING, STOPPED, Stopped
from videottt.runtime.out_of_memory import is_out_of_memory

MODULES = (
    run,
    plan,
    doctor,
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
    """Run one verb.

    Bad input is one line on standard error and exit status 2. A job that was asked to stop and has
    saved its state is one line and exit status 75: the same command goes on from there.
    """
    options = parser().parse_args(arguments)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_OneLine("%(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    # transformers must neither fetch anything nor chat.
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    # So that files half written are removed; a job that can save its state sees to it itself.
    signal.signal(signal.SIGTERM, _leave)
    # Asks to save: where there is nothing to save, it must not end the job.
    signal.signal(SAVING, signal.SIG_IGN)
    try:
        options.run(options)
    except InputError as error:
        sys.exit(_complain(str(error)))
    except Stopped as stopped:
        print(
            f"videottt: stopped {stopped}: the state is saved, the same command goes on from it",
            file=sys.stderr,
        )
        sys.exit(STOPPED)
    except KeyboardInterrupt:
        print("videottt: stopped by SIGINT", file=sys.stderr)
        sys.exit(128 + signal.SIGINT)
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        sys.exit(_complain(f"not enough memory ({error}); take a device with more of it"))
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


class _OneLine(logging.Formatter):
    """Shows what is in the names of others' files, as it might end a line or colour the screen."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        return visible(super().formatMessage(record))


def _complain(message: str) -> int:
    print("videottt: error: " + visible(" ".join(message.split())), file=sys.stderr)
    return 2


def _leave(number: int, _: FrameType | None) -> None:
    print(f"videottt: stopped by {signal.Signals(number).name}", file=sys.stderr)
    sys.exit(128 + number)
