"""Downloads: the first of several addresses that has the file which was meant."""

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

SILENCE = 60.0  # seconds without any answer
# After 2, 4, 8, ... 60 seconds, or as the server asks.
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
    """Fetch a file; it appears only if it is whole and the one that was meant.

    What was received before an interruption is kept in ``.<name>.part`` and completed later, if the
    server still has the same file. Without a published checksum the first download is trusted: its
    SHA-256 is written to ``<name>.sha256``, and enforced from then on.

    Args:
        urls: of http or https, tried in turn. Redirections are followed to no other scheme.
        path: where the file is put; the caller is its only writer, see `writer_of`.
        wanted: what it must be.
        session: one that is logged in, where that is needed.
        timeout: seconds that a server may stay silent.
        patience: how often, and after how long, what may pass is tried again.
        note: is told what is returned, before the file appears: where the file is, what it notes
            is too.

    Returns:
        The address that it came from, and what it is.

    Raises:
        InputError: no address has the file, or what they have is another; or it cannot be written.
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
                _linked(transfer.part, part)
            transfer.discard()
            logger.info("%s: whole, sha256 %s", path, verified.sha256)
            return url, verified
    raise InputError("; ".join(reasons) or f"{path.name}: there is no address to fetch it from")


def discard_part(path: Path) -> None:
    """Remove what a killed run left of a download that is whole."""
    Transfer(path, None, False).discard()


def _linked(whole: Path, part: Path) -> None:
    """Give what was received a second name, so that a run killed before it appears loses none."""
    try:
        os.link(whole, part)
    # A file system without hard links.
    except OSError:
        whole.replace(part)


def _explained(error: Exception, path: Path) -> str:
    if not isinstance(error, Mismatch):
        return str(error)
    mend = f"; to trust it all the same remove {checksums.record_of(path)}"
    return (
        f"the file {error}: it was damaged, or replaced at its source, and is not kept"
        f"{mend if 'first fetched' in str(error) else ''}"
    )


def new_session() -> requests.Session:
    """Return a session that takes proxies from the environment and says what it is."""
    session = requests.Session()
    session.headers["User-Agent"] = f"videottt/{videottt.__version__}"
    # As it is: some servers would pack an archive once more.
    session.headers["Accept-Encoding"] = "identity"
    return session


@contextlib.contextmanager
def writer_of(path: Path) -> Iterator[None]:
    """Wait until no other process writes `path`, and be its only writer in the block.

    The lock is the system's: it is free as soon as its owner is dead.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path.with_name(f".{path.name}.lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        logger.info("%s: another process is at it; waiting", path)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
