"""Command lines of `videottt`, each a process of its own that can be killed at any moment.

Importing takes seconds, and most of what a process that is killed early does is that. So one
process imports everything and then forks, for every command line, a child that does what the
command `videottt` does, as the leader of a process group of its own.

This file is also that process's program.
"""

import atexit
import contextlib
import importlib
import json
import os
import pkgutil
import select
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self

KILLED = -signal.SIGKILL


class Running:
    """A command line that was started.

    Args:
        pid: of the process, which leads a group of its own.
        log: file with all that it prints.
        reap: waits for the process and returns its exit status, negative after a signal.
    """

    def __init__(self, pid: int, log: Path, reap: Callable[[], int]) -> None:
        self.pid = pid
        self.log = log
        self._reap = reap
        self._handle = os.pidfd_open(pid)
        self._status: int | None = None

    def ended(self, within: float) -> bool:
        """Return whether the process ends within some seconds."""
        if self._status is not None:
            return True
        return bool(select.select([self._handle], [], [], within)[0])

    def signal(self, number: int) -> None:
        """Send a signal to the process and to all that it has started."""
        os.killpg(self.pid, number)

    def kill(self) -> int:
        """Send SIGKILL, and return the exit status: `KILLED`, unless it was done already."""
        self.signal(signal.SIGKILL)
        return self.status()

    def status(self) -> int:
        """Wait until the process has ended, and return its exit status."""
        if self._status is None:
            self._status = self._reap()
            os.close(self._handle)
        return self._status

    def said(self) -> str:
        """Return what it has printed so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")


class Commands:
    """Starts command lines; a context manager.

    Args:
        environment: variables besides those of this process, for example PYTHONPATH.
    """

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        # As many threads as the parent has had are lost in a fork: it must have none.
        threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        self._environment = {**os.environ, **threads, **(environment or {})}

    def __enter__(self) -> Self:
        self._parent = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=self._environment,
        )
        return self

    def __exit__(self, *_: object) -> None:
        with self._parent:
            self._parent.stdin.close()

    def start(self, words: Sequence[str], log: Path) -> Running:
        """Start a command line; what it prints is added to a file."""
        log.parent.mkdir(parents=True, exist_ok=True)
        log.touch()
        pid = self._ask({"words": list(words), "log": os.fspath(log)})
        return Running(pid, log, lambda: self._ask({"reap": pid}))

    def start_by_itself(self, words: Sequence[str], log: Path) -> Running:
        """Start a command line without a fork, as a shell does."""
        log.parent.mkdir(parents=True, exist_ok=True)
        log.touch()
        with log.open("ab") as file:
            process = subprocess.Popen(
                [sys.executable, "-m", "videottt", *words],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                env=self._environment,
                process_group=0,
                preexec_fn=heed_interrupts,
            )
        return Running(process.pid, log, process.wait)

    def _ask(self, request: dict) -> int:
        self._parent.stdin.write(json.dumps(request) + "\n")
        self._parent.stdin.flush()
        return int(self._parent.stdout.readline())


def heed_interrupts() -> None:
    """Let SIGINT end this process, also where it is ignored: in the background of a script."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def serve() -> list[str]:
    """Fork a child for every request; in a child, return its words."""
    for line in iter(sys.stdin.readline, ""):
        request = json.loads(line)
        if "reap" in request:
            _, status = os.waitpid(request["reap"], 0)
            answer = os.waitstatus_to_exitcode(status)
        else:
            answer = os.fork()
            if answer == 0:
                _become(request["log"])
                return request["words"]
            # Here as well, so that whoever hears of the child can signal its group.
            with contextlib.suppress(OSError):
                os.setpgid(answer, answer)
        print(answer, flush=True)
    sys.exit()


def _become(log: str) -> None:
    """Be a process as a shell would have started it."""
    os.setpgid(0, 0)
    heed_interrupts()
    nothing = os.open(os.devnull, os.O_RDONLY)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for source, target in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(source, target)
    os.close(nothing)
    os.close(output)


def import_everything() -> None:
    """Import what any verb needs."""
    import videottt
    from videottt.core.provenance import provenance

    for module in pkgutil.walk_packages(videottt.__path__, "videottt."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    # Reads the whole code, which a process does once.
    provenance()


def run(words: Sequence[str]) -> None:
    """Run one command line and end this process as the interpreter would, but for its memory.

    To free, object by object, all that was imported takes longer than what most commands do.
    """
    from videottt.cli import main

    status: object = 0
    try:
        main(words)
    except SystemExit as error:
        status = error.code
    except BaseException:
        traceback.print_exc()
        status = 1
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status if isinstance(status, int) else int(status is not None))


if __name__ == "__main__":
    import_everything()
    run(serve())
