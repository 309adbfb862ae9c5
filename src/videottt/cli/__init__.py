"""Run one verb of the command line; each verb has a file, imported only when it is asked for."""

import argparse
import ast
import importlib
import io
import logging
import os
import select
import signal
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn, TextIO

import videottt
from videottt.cli.extras import advice
from videottt.core.errors import InputError, nearest, visible
from videottt.runtime.interruption import SAVING, STOPPED, Stopped
from videottt.runtime.out_of_memory import is_out_of_memory

DESCRIPTION = "Test-time training on video streams: a model learns from a video as it predicts it."
# Each verb is the module of that name, with `_` for `-`.
GROUPS = {
    "Run a model on a video": (
        "run",
        "predict",
        "train",
        "render-video",
        "render-prediction",
    ),
    "Reproduce the paper": (
        "plan",
        "doctor",
        "fetch",
        "render",
    ),
    "Inspect data and results": (
        "check-data",
        "score",
        "trace",
        "theory",
        "diagnose",
        "crosscheck",
    ),
    "Convert videos and checkpoints": (
        "ingest",
        "import-checkpoint",
        "export-checkpoint",
        "list",
    ),
}
# Snakemake calls them, with the settings of a study; `videottt --help` only names them.
WORKFLOW = (
    "predict-zhang2016",
    "predict-left-grey",
    "predict-segmenter",
    "aggregate",
    "select",
    "table",
    "cost-table",
    "make-data-table",
    "colour-table",
    "class-table",
    "convention-table",
    "omission-table",
    "plot-curves",
    "plot-bars",
    "plot-sweep",
    "plot-selection",
    "plot-reconstruction",
    "plot-strips",
    "plot-steps",
    "plot-colours",
    "plot-theory",
    "plot-diagnosis",
)
VERBS = (*(verb for verbs in GROUPS.values() for verb in verbs), *WORKFLOW)
EXAMPLES = """\
examples:
  videottt run clip.mp4
  videottt run clip.mp4 --checkpoint joint.safetensors --method online_ttt_mae,window=4
  videottt import-checkpoint --help
  videottt plan --study paper
  snakemake --cores all --config study=demo"""


def module_of(verb: str) -> str:
    """Return the name of the module that runs a verb."""
    return f"{__name__}.{verb.replace('-', '_')}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one verb.

    Bad input, or a library that is not installed, is one line on standard error and exit status 2.
    A job that was asked to stop and has saved its state is one line and exit status 75: the same
    command goes on from there. Where nobody reads the output any more, as after ``| head -1``, the
    end is silent, as of a program that SIGPIPE ends.
    """
    # Names of files may have bytes that are no text.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        try:
            _main(sys.argv[1:] if arguments is None else arguments)
        finally:
            # Python itself would do it too late to say what went wrong.
            if sys.stdout is not None:
                sys.stdout.flush()
    except OSError as error:
        unread = isinstance(error, BrokenPipeError)
        status = 128 + signal.SIGPIPE if unread else _complain(f"standard output: {error.strerror}")
        if sys.stdout is not None:
            # For what is left to write.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(status)


def _main(arguments: Sequence[str]) -> None:
    """Run one verb, and end with its exit status.

    Raises:
        BrokenPipeError: nobody reads the output.
    """
    verb = arguments[0] if arguments else "--help"
    if verb in ("-h", "--help"):
        print(help_text())
        return
    if verb == "--version":
        print(f"videottt {videottt.__version__}")
        return
    if verb not in VERBS:
        hint = nearest(verb, VERBS)
        meant = f"{hint} " if hint.startswith("did you mean") else ""
        sys.exit(_complain(f"unknown verb '{verb}'; {meant}see videottt --help"))
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_OneLine("%(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    # transformers must neither fetch anything nor chat.
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    # Files half written are removed on the way out; a job that can save its state handles it.
    signal.signal(signal.SIGTERM, _leave)
    # The signal asks to save: where there is nothing to save, it must not end the job.
    signal.signal(SAVING, signal.SIG_IGN)
    try:
        options = parser([verb]).parse_args(arguments)
        options.run(options)
    except InputError as error:
        sys.exit(_complain(str(error)))
    except ModuleNotFoundError as error:
        missing = advice(error.name or "")
        if missing is None:
            raise
        sys.exit(_complain(f"{verb} needs {missing}"))
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
        if isinstance(error, BrokenPipeError) and sys.stdout is not None and _is_unread(sys.stdout):
            raise
        where = f"{error.filename}: " if error.filename else ""
        sys.exit(_complain(f"{where}{error.strerror or error}"))


def parser(verbs: Sequence[str] = VERBS) -> argparse.ArgumentParser:
    """Return the parser of some verbs; what it parses has the function to call as `run`."""
    top = argparse.ArgumentParser(prog="videottt")
    subparsers = top.add_subparsers(dest="verb", required=True, metavar="verb")
    for verb in verbs:
        module = importlib.import_module(module_of(verb))
        parser = subparsers.add_parser(
            verb, description=(module.__doc__ or "").strip(), formatter_class=_Paragraphs
        )
        module.add_arguments(parser)
        parser.set_defaults(run=module.run)
    return top


def help_text() -> str:
    """Return what `videottt --help` prints, without importing the verbs."""
    lines = ["usage: videottt VERB ...", "", DESCRIPTION]
    for title, verbs in GROUPS.items():
        lines += ["", f"{title}:", *(f"  {verb:18} {_first_line(verb)}" for verb in verbs)]
    names = textwrap.wrap(", ".join(WORKFLOW), width=96, break_on_hyphens=False)
    lines += ["", "Steps of the workflow, which Snakemake calls:", *(f"  {row}" for row in names)]
    lines += ["", "videottt VERB --help explains a verb, videottt --version prints the version."]
    return "\n".join([*lines, "", EXAMPLES])


def _first_line(verb: str) -> str:
    """Return the first line of the docstring of a verb's module."""
    file = Path(__file__).with_name(f"{verb.replace('-', '_')}.py")
    docstring = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    return docstring.partition("\n")[0].removesuffix(".")


class _Paragraphs(argparse.HelpFormatter):
    """Help that keeps paragraphs apart, and indented lines, such as commands, as they are."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        # A paragraph with indented lines has commands in it.
        return "\n\n".join(
            part if "\n  " in part else super(_Paragraphs, self)._fill_text(part, width, indent)
            for part in text.split("\n\n")
        )


class _OneLine(logging.Formatter):
    """Escape characters of file names that might end a line or colour the screen."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        return visible(super().formatMessage(record))


def _is_unread(stream: TextIO) -> bool:
    """Return whether those who read a stream have left."""
    poll = select.poll()
    poll.register(stream, 0)
    return any(event & select.POLLERR for _, event in poll.poll(0))


def _complain(message: str) -> int:
    print("videottt: error: " + visible(" ".join(message.split())), file=sys.stderr)
    return 2


def _leave(number: int, _: FrameType | None) -> NoReturn:
    print(f"videottt: stopped by {signal.Signals(number).name}", file=sys.stderr)
    sys.exit(128 + number)
