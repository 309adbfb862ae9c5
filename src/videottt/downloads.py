"""Files of others, taken only if they are the ones that were meant: by their SHA-256."""

import hashlib
import http.client
import logging
import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import videottt
from videottt.errors import InputError, absent
from videottt.files import complete_file
from videottt.progress import Progress

CHUNK = 1 << 20  # bytes
MEGABYTE = 1e6
TIMEOUT = 30.0  # seconds without any answer
CHECKSUM = re.compile(r"[0-9a-f]{8,64}")

logger = logging.getLogger(__name__)


def download(url: str, sha256: str, path: Path, timeout: float = TIMEOUT) -> None:
    """Fetch a file, following redirections; it appears only if it is whole and has its checksum.

    Args:
        url: of http or https.
        sha256: of the file in hexadecimal, or its first characters, at least 8: names of published
            weights, such as ``resnet50-0676ba61.pth``, have as many.
        path: where the file is put.
        timeout: seconds that the server may stay silent.

    Raises:
        InputError: the address or the checksum cannot be one, the server cannot be reached or has
            no such file, the connection breaks, the file is another, or it cannot be written.
    """
    _take(_chunks(url, timeout), url, sha256, path)


def take_copy(copy: Path, sha256: str, path: Path) -> None:
    """Copy a file that is here already; the copy appears only if it is whole and the one meant.

    Args:
        copy: to be copied.
        sha256: as of `download`.
        path: where the file is put.

    Raises:
        InputError: there is no such file, the checksum cannot be one, or the file is another.
    """
    if not copy.is_file():
        raise absent(copy, "file")
    with copy.open("rb") as file:
        _take(iter(lambda: file.read(CHUNK), b""), str(copy), sha256, path)


def _take(chunks: Iterator[bytes], source: str, sha256: str, path: Path) -> None:
    """Write a file part by part, and keep it if it has its checksum."""
    expected = sha256.lower()
    if not CHECKSUM.fullmatch(expected):
        raise InputError(
            f"sha256 '{sha256}' is not 8 to 64 hexadecimal digits; give the start of the checksum"
        )
    digest = hashlib.sha256()
    with complete_file(path) as part:
        with part.open("wb") as file:
            for chunk in chunks:
                digest.update(chunk)
                file.write(chunk)
        if not digest.hexdigest().startswith(expected):
            raise InputError(
                f"{source}: the file has SHA-256 {digest.hexdigest()}, but {expected} is expected; "
                "it was damaged, or replaced at its source: it is not kept"
            )


def _chunks(url: str, timeout: float) -> Iterator[bytes]:
    """Yield the content of a file part by part, and log how it comes on."""
    headers = {"User-Agent": f"videottt/{videottt.__version__}"}
    received = 0
    try:
        if urlsplit(url).scheme not in ("http", "https"):
            raise InputError(f"{url}: not an address of http or https")
        request = urllib.request.Request(url, headers=headers)
        with _opener().open(request, timeout=timeout) as response:
            size = response.length
            progress = Progress(-(-(size or 0) // int(MEGABYTE)), "MB")
            logger.info("%s: %s", url, f"{size / MEGABYTE:.1f} MB" if size else "of unknown size")
            while chunk := response.read(CHUNK):
                received += len(chunk)
                if size:
                    progress.report(int(received / MEGABYTE))
                yield chunk
    # ValueError: what is no address at all.
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise InputError(f"{url}: {_reason(error, timeout)}") from None
    if size is not None and received < size:
        raise InputError(f"{url}: broke off after {received} of {size} bytes; try again")
    logger.info("%.1f MB received", received / MEGABYTE)


def _opener() -> urllib.request.OpenerDirector:
    """Return what opens addresses of http and https, and follows redirections to no others."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.UnknownHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPRedirectHandler,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPErrorProcessor,
    ):
        opener.add_handler(handler())
    return opener


def _reason(error: Exception, timeout: float) -> str:
    cause = getattr(error, "reason", error)
    if isinstance(cause, TimeoutError):
        return f"no answer for {timeout:g} s; try again"
    text = " ".join(str(cause).split())
    if isinstance(error, urllib.error.HTTPError):
        return f"the server answers {error.code} {text}; check the address"
    return f"cannot be fetched ({text}); check the address and the connection"
