"""One writer per target, on whichever machine it runs.

A claim is a file beside the states of jobs, which its owner touches every few seconds. That needs
nothing of the file system but that creating a file is atomic, so it also works where there are no
locks, or none that other machines see. The claim of a dead owner is taken over: at once on the same
machine, and elsewhere after it has not been touched for `CLAIM` seconds.
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

# Seconds. All who want a target must agree on it.
CLAIM = 60.0
# Between two looks at a claim that someone else has.
POLL = 1.0


@contextlib.contextmanager
def sole_writer(folder: Path, target: Path) -> Iterator[bool]:
    """Be the only process that makes `target` inside the block; wait for another that does.

    Args:
        folder: of states, the same for all who might make it.
        target: the file.

    Yields:
        whether another process had to be waited for: it may have made the target meanwhile.

    Raises:
        InputError: nothing can be written in the folder.
    """
    path = folder / f"{target_id(folder, target)}.claim"
    claim = SoftFileLease(path, lease_duration=CLAIM, on_compromise=_leave, poll_interval=POLL)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        waited = _acquired_later(claim, target)
    except OSError as error:
        raise InputError(
            f"{folder}: the state of a job cannot be kept here ({error.strerror}); free space or "
            "choose another folder with --state"
        ) from None
    try:
        yield waited
    finally:
        claim.release()


@contextlib.contextmanager
def claimed(folder: Path | None, target: Path) -> Iterator[bool]:
    """Be the only process that makes `target`; yield whether another had to be waited for.

    Args:
        folder: of states; None: no state is kept, and nobody else is known of.
        target: the file.

    Raises:
        InputError: nothing can be written in the folder.
    """
    if folder is None:
        yield False
        return
    with sole_writer(folder, target) as waited:
        yield waited


def _acquired_later(claim: SoftFileLease, target: Path) -> bool:
    """Acquire a claim; return whether it was another's at first."""
    try:
        claim.acquire(timeout=0)
    except Timeout:
        owner = claim.owner
        by = f"process {owner.pid} on {owner.hostname}" if owner else "another process"
        logger.info("%s is being made by %s: waiting until it is done or dead", target, by)
        claim.acquire()
        return True
    return False


def _leave(lost: LeaseCompromise) -> None:
    """End this process: another has taken over, because this one was not heard of for too long."""
    print(
        f"videottt: stopped: another process has taken over what this one was making "
        f"({lost.lock_file}: {lost.reason}); nothing is lost",
        file=sys.stderr,
        flush=True,
    )
    # Not by an exception, which would be raised in the heartbeat's thread, nor by a signal, which
    # would save a state that belongs to the other process by now.
    os._exit(75)
