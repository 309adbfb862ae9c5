"""Allow one process at a time to make a target, across all machines.

A claim is a file beside the states of jobs, which its owner touches every few seconds. A claim only
needs a file system that creates files atomically, so it also works without file locks, or with
locks that other machines do not see. The claim of a dead owner is taken over: at once on the same
machine, and on another machine after `CLAIM` seconds without a touch.
"""

import contextlib
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from filelock import LeaseCompromise, SoftFileLease, Timeout

from videottt.core.errors import InputError
from videottt.runtime.saved_state import target_id

logger = logging.getLogger(__name__)

# In seconds; every process that makes the same target must use the same value.
CLAIM = 60.0
# Seconds between two attempts to acquire a claim.
POLL = 1.0


@contextlib.contextmanager
def sole_writer(folder: Path, target: Path) -> Iterator[bool]:
    """Wait until no other process makes `target`, and keep others from it inside the block.

    Args:
        folder: the state folder, the same for all processes that might make the target.
        target: the file.

    Yields:
        whether this process had to wait; the other process may have made the target meanwhile.

    Raises:
        InputError: the folder is not writable.
    """
    path = folder / f"{target_id(folder, target)}.claim"
    claim = SoftFileLease(path, lease_duration=CLAIM, on_compromise=_leave, poll_interval=POLL)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        waited = _acquired_later(claim, target)
    except OSError as error:
        raise InputError(
            f"{folder}: cannot save the state of a job here ({error.strerror}); free space or "
            "choose another folder with --state"
        ) from None
    try:
        yield waited
    finally:
        claim.release()


@contextlib.contextmanager
def claimed(folder: Path | None, target: Path) -> Iterator[bool]:
    """Do as `sole_writer`, or nothing without a state folder.

    Args:
        folder: the state folder; None keeps no state, and makes no claim.
        target: the file.

    Yields:
        whether this process had to wait; False without a state folder.

    Raises:
        InputError: the folder is not writable.
    """
    if folder is None:
        yield False
        return
    with sole_writer(folder, target) as waited:
        yield waited


def _acquired_later(claim: SoftFileLease, target: Path) -> bool:
    """Acquire a claim; return whether another process held it at first."""
    try:
        claim.acquire(timeout=0)
    except Timeout:
        owner = claim.owner
        by = f"process {owner.pid} on {owner.hostname}" if owner else "another process"
        logger.info("%s is being made by %s: waiting until that process ends", target, by)
        claim.acquire()
        return True
    return False


def _leave(lost: LeaseCompromise) -> None:
    """End this process after another one took over its claim, which was untouched for too long."""
    print(
        f"videottt: stopped: another process has taken over the target of this one "
        f"({lost.lock_file}: {lost.reason}); nothing is lost",
        file=sys.stderr,
        flush=True,
    )
    # An exception would only reach the thread that touches the claim, and a signal would save a
    # state that belongs to the other process by now.
    os._exit(75)
