"""Download a file from the first of several addresses that has the expected file."""

import contextlib
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import requests
from filelock import FileLock, Timeout
from urllib3.util import Retry

import videottt
from videottt.core.errors import InputError
from videottt.core.files import complete_file
from videottt.data.fetch import checksums
from videottt.data.fetch.checksums import Mismatch, Verified, Wanted
from videottt.data.fetch.transfers import Transfer, Unavailable

# Seconds that a server may stay silent.
SILENCE = 60.0
# Retries after 2, 4, 8, ... 60 seconds, or after the time that the server asks for.
PATIENCE = Retry(total=7, backoff_factor=1, backoff_max=60, retry_after_max=600)

logger = logging.getLogger(__name__)


def download(
    urls: Sequence[str],
    path: Path,
    wanted: Wanted,
    session: requests.Session | None = None,
    timeout: float = SILENCE,
    patience: Retry = PATIENCE,
    note: Callable[[str, Verified], None] = lambda url, verified: None,
) -> tuple[str, Verified]:
    """Download a file; it appears only if it is complete and verified.

    After an interruption the part received so far stays in ``.<name>.part``, and the next download
    completes it if the server still has the same file. Without a published checksum the first
    download is trusted: its SHA-256 is written to ``<name>.sha256``, and later downloads must
    match.

    Args:
        urls: addresses of http or https, tried in turn. Redirections are followed to no other
            scheme.
        path: the file to write; the caller must be its only writer, see `writer_of`.
        wanted: the expected size and checksums.
        session: a session that is logged in, if the server needs a login.
        timeout: seconds that a server may stay silent.
        patience: number and delays of the retries after temporary failures.
        note: called with the values to be returned before the file appears, so that its record is
            never missing.

    Returns:
        the address it came from, and its checksum and size.

    Raises:
        InputError: no address has the expected file, or it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    transfer = Transfer(path, wanted.bytes, wanted.published)
    reasons = []
    with contextlib.nullcontext(session) if session else new_session() as opened:
        for url in urls:
            try:
                transfer.receive(opened, url, timeout, patience)
                verified = checksums.verify(transfer.part, wanted, checksums.recorded(path))
            except (Unavailable, Mismatch) as error:
                reasons.append(f"{url}: {_explained(error, path)}")
                logger.warning("%s", reasons[-1])
                if isinstance(error, Mismatch):
                    transfer.discard()
                continue
            checksums.record(path, verified.sha256)
            note(url, verified)
            with complete_file(path) as part:
                _link_or_move(transfer.part, part)
            transfer.discard()
            logger.info("%s: complete, sha256 %s", path, verified.sha256)
            return url, verified
    raise InputError("; ".join(reasons) or f"{path.name}: there is no address to fetch it from")


def discard_part(path: Path) -> None:
    """Remove the part that a killed run left beside a complete download."""
    Transfer(path, None, False).discard()


def _link_or_move(received: Path, part: Path) -> None:
    """Give the received file a second name, so that a run killed before it appears keeps it."""
    try:
        os.link(received, part)
    # A file system without hard links.
    except OSError:
        received.replace(part)


def _explained(error: Exception, path: Path) -> str:
    if not isinstance(error, Mismatch):
        return str(error)
    mend = f"; to trust the new file, remove {checksums.record_of(path)}"
    return (
        f"the file {error}: it was damaged, or replaced at its source, and is not kept"
        f"{mend if 'first fetched' in str(error) else ''}"
    )


def new_session() -> requests.Session:
    """Return a session that takes proxies from the environment and identifies as videottt."""
    session = requests.Session()
    session.headers["User-Agent"] = f"videottt/{videottt.__version__}"
    # Some servers would compress an archive again.
    session.headers["Accept-Encoding"] = "identity"
    return session


@contextlib.contextmanager
def writer_of(path: Path) -> Iterator[None]:
    """Wait until no other process writes `path`, and be its only writer in the block.

    The system releases the lock as soon as its owner is dead.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path.with_name(f".{path.name}.lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        logger.info("%s: being written by another process; waiting", path)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
