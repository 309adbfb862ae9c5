"""Check what Snakemake and jobs need of a user's surroundings: a name, a home, memory to share."""

import getpass
import multiprocessing
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from humanize import naturalsize

from videottt.runtime.out_of_memory import MORE_SHARED_MEMORY, SHARED_MEMORY
from videottt.study.doctor.findings import BAD, GOOD, WARNING, Finding

# Bytes of shared memory for the batches of four processes that load images, and for NCCL.
ENOUGH_SHARED = 1 << 29


def surroundings() -> Iterator[Finding]:
    """Yield whether there is a user with a home, and room for caches and temporary files."""
    yield _user()
    yield _temporary()
    home = os.path.expanduser("~")
    if os.path.isabs(home):
        yield _caches(Path(os.environ.get("XDG_CACHE_HOME") or os.path.join(home, ".cache")))
    else:
        yield Finding(
            BAD, "HOME", "this user has none, without which Snakemake ends; export HOME=/tmp"
        )
    yield _shared_memory()


def _user() -> Finding:
    try:
        return Finding(GOOD, "user", getpass.getuser())
    # Which of them depends on the version of Python.
    except (KeyError, OSError):
        text = "this one has no name, without which Snakemake ends; export LOGNAME=me"
        return Finding(BAD, "user", text)


def _temporary() -> Finding:
    try:
        return Finding(GOOD, "temporary files", tempfile.gettempdir())
    except FileNotFoundError:
        text = "no folder for them can be written; export TMPDIR=<a folder that can>"
        return Finding(BAD, "temporary files", text)


def _caches(folder: Path) -> Finding:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".doctor", dir=folder):
            return Finding(GOOD, "caches", f"{folder}: written")
    except OSError as error:
        return Finding(
            WARNING,
            "caches",
            f"{folder}: cannot be written ({error.strerror}), without which Snakemake ends unless "
            "it has a profile of this project; set HOME, or export XDG_CACHE_HOME=<a folder that "
            "can be written>",
        )


def _shared_memory() -> Finding:
    """Return whether processes that load images, and those of several GPUs, can pass on data."""
    subject = "shared memory"
    try:
        multiprocessing.get_context("fork").Lock()
        free = shutil.disk_usage(SHARED_MEMORY).free
    except OSError as error:
        found = f"{SHARED_MEMORY}: cannot be used ({error.strerror})"
    else:
        found = f"{SHARED_MEMORY}: {naturalsize(free, binary=True)} are free"
        if free >= ENOUGH_SHARED:
            return Finding(GOOD, subject, found)
    slow = "training on several GPUs may end, and on one load its images slowly"
    return Finding(WARNING, subject, f"{found}: {slow}; {MORE_SHARED_MEMORY}")
