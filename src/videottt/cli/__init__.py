"""Run one verb of the command line: a file each, imported only when it is asked for."""

import argparse
import importlib
import logging
import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType, ModuleType
from typing import NoReturn

from videottt.core.errors import InputError, visible
from videottt.runtime.interruption import SAVING, STOPPED, Stopped
from videottt.runtime.out_of_memory import is_out_of_memory

# In the order of `videottt --help`. Each is the module of that name, with `_` for `-`.
VERBS = (
    "run",
    "plan",
    "doctor",
    "fetch",
    "check-data",
    "render",
    "ingest",
    "import-checkpoint",
    "export-checkpoint",
    "train",
    "predict",
    "predict-zhang2016",
    "predict-left-grey",
    "predict-segmenter",
    "score",
    "aggregate",
    "select",
    "table",
    "make-data-table",
    "colour-table",
    "class-table",
    "convention-table",
    "plot-curves",
    "plot-bars",
    "plot-sweep",
    "plot-selection",
    "plot-reconstruction",
    "plot-strips",
    "plot-steps",
    "plot-colours",
    "render-video",
    "render-prediction",
    "trace",
    "theory",
    "plot-theory",
    "crosscheck",
)


def module_of(verb: str) -> str:
    """Return the name of the module that runs a verb."""
    return f"{__name__}.{verb.replace('-', '_')}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one verb.

    Bad input is one line on standard error and exit status 2. A job that was asked to stop and has
    saved its state is one line and exit status 75: the same command goes on from there.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    # With a verb, only its module is imported; without one, all are, for their first lines.
    asked = [arguments[0]] if arguments and arguments[0] in VERBS else VERBS
    options = parser(asked).parse_args(arguments)
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


def parser(verbs: Sequence[str] = VERBS) -> argparse.ArgumentParser:
    """Return the parser of some verbs; what it parses has the function to call as `run`."""
    top = argparse.ArgumentParser(prog="videottt", description=__doc__)
    subparsers = top.add_subparsers(dest="verb", required=True, metavar="verb")
    for verb in verbs:
        module = importlib.import_module(module_of(verb))
        text = _described(module)
        parser = subparsers.add_parser(verb, help=text.splitlines()[0], description=text)
        module.add_arguments(parser)
        parser.set_defaults(run=module.run)
    return top


def _described(module: ModuleType) -> str:
    return (module.__doc__ or "").strip()


class _OneLine(logging.Formatter):
    """Show what is in the names of others' files, as it might end a line or colour the screen."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        return visible(super().formatMessage(record))


def _complain(message: str) -> int:
    print("videottt: error: " + visible(" ".join(message.split())), file=sys.stderr)
    return 2


def _leave(number: int, _: FrameType | None) -> NoReturn:
    print(f"videottt: stopped by {signal.Signals(number).name}", file=sys.stderr)
    sys.exit(128 + number)
