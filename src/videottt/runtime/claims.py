"""Allow one process at a time to make a target, across all machines.

A claim is a file beside the states of jobs, which its owner touches every few seconds. A claim only
needs a file system that creates files atomically, so it also works without file locks, or with
locks that other machines do not see. The claim of a dead owner is taken over: at once on the same
machine, and on another machine after `CLAIM` seconds without a touch. Whoever waits or makes the
target makes the folder again if it is removed.
"""

import contextlib
import logging
import os
import sys
import time
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
# Times in a row that the folder may be removed between making it and making a file in it.
REMOVALS = 10


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
    # Newer claims come on top, from the thread that touches the one before.
    with contextlib.ExitStack() as held:
        claim = _claim_of(path, held)
        try:
            waited = _acquired_later(claim, target)
        except OSError as error:
            raise InputError(
                f"{folder}: cannot save the state of a job here ({error.strerror}); free space or "
                "choose another folder with --state"
            ) from None
        held.callback(claim.release)
        yield waited


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


def _claim_of(path: Path, held: contextlib.ExitStack) -> SoftFileLease:
    """Return a claim, not acquired yet, that is made again on `held` if its file is removed."""
    return SoftFileLease(
        path,
        lease_duration=CLAIM,
        on_compromise=lambda lost: _replace_or_leave(lost, path, held),
        # Another thread than the first may acquire it.
        thread_local=False,
    )


def _acquired_later(claim: SoftFileLease, target: Path) -> bool:
    """Acquire a claim; return whether another process held it at first."""
    if _acquired(claim):
        return False
    owner = claim.owner
    by = f"process {owner.pid} on {owner.hostname}" if owner else "another process"
    logger.info("%s is being made by %s: waiting until that process ends", target, by)
    while not _acquired(claim):
        time.sleep(POLL)
    return True


def _acquired(claim: SoftFileLease) -> bool:
    """Acquire a claim, unless another process holds it; return whether that was done."""
    folder = Path(claim.lock_file).parent
    for left in reversed(range(REMOVALS)):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            claim.acquire(timeout=0)
        except Timeout:
            return False
        # Another process that is done with the folder may remove it at any moment.
        except (FileNotFoundError, FileExistsError):
            if not left:
                raise
        else:
            break
    return True


def _replace_or_leave(lost: LeaseCompromise, path: Path, held: contextlib.ExitStack) -> None:
    """Make a claim again whose file was removed; end this process if another one claims by now."""
    claim = _claim_of(path, held)
    with contextlib.suppress(OSError):
        if lost.reason == "marker-missing" and _acquired(claim):
            held.callback(claim.release)
            logger.warning("%s was removed while a job needs it, and is made again", path)
            return
    _leave(lost)


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
