"""Transfer one file from one server over http or https, with resuming and retries."""

import contextlib
import json
import logging
import re
import socket
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

import requests
import urllib3
from humanize import naturalsize
from urllib3.util import Retry

from videottt.core.errors import InputError
from videottt.core.files import write_text
from videottt.core.progress import MEGABYTE, Progress
from videottt.data.fetch.unpacking import check_space

CHUNK = 1 << 20  # bytes

logger = logging.getLogger(__name__)


class Unavailable(Exception):
    """An address cannot deliver the file; another address may."""


class _Interrupted(Exception):
    """An attempt failed that may succeed later; `answer` may tell after which time."""

    def __init__(self, reason: str, answer: urllib3.BaseHTTPResponse | None = None) -> None:
        super().__init__(reason)
        self.answer = answer


@dataclass(frozen=True)
class _Version:
    """The version of a file at its server, as the sidecar of a part records it.

    Attributes:
        url: address of the file.
        validator: the server's id of this version, for ``If-Range``: a strong ETag or a date.
        bytes: size of the whole file; None if the server does not tell.
    """

    url: str
    validator: str | None
    bytes: int | None


class Transfer:
    """A file that is being received: its part, and a sidecar with the version of the whole file.

    Args:
        path: the file; its part is ``.<name>.part`` beside it.
        size: size of the file in bytes; None if the exact size is unknown.
        verified: whether the whole file will be compared with a published checksum. If so, a part
            is completed even if the server gives no id of the version.
    """

    def __init__(self, path: Path, size: int | None, verified: bool) -> None:
        self.part = path.with_name(f".{path.name}.part")
        self._sidecar = path.with_name(f".{path.name}.part.json")
        self._wanted = size
        self._verified = verified

    def receive(self, session: requests.Session, url: str, timeout: float, patience: Retry) -> None:
        """Fetch the missing rest of the file, with retries.

        Args:
            session: a session of `downloads.new_session`.
            url: address of http or https.
            timeout: seconds that the server may stay silent.
            patience: number and delays of the retries; the count restarts after progress.

        Raises:
            Unavailable: the server does not have the file, or all retries have failed.
            InputError: the part cannot be written.
        """
        if urlsplit(url).scheme not in ("http", "https"):
            raise Unavailable("is not an address of http or https; correct it")
        left = patience
        while True:
            before = self._received
            try:
                return self._attempt(session, url, timeout)
            except _Interrupted as error:
                left = patience if self._received > before else left
                try:
                    left = left.increment("GET", url)
                except urllib3.exceptions.MaxRetryError:
                    raise Unavailable(f"{error}; try again later") from None
                logger.info("%s: %s; trying again", url, error)
                _wait(left, error.answer)

    def discard(self) -> None:
        """Remove the part and its sidecar."""
        self.part.unlink(missing_ok=True)
        self._sidecar.unlink(missing_ok=True)

    @property
    def _received(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def _version(self) -> _Version | None:
        try:
            return _Version(**json.loads(self._sidecar.read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def _attempt(self, session: requests.Session, url: str, timeout: float) -> None:
        version, have = self._version(), self._received
        validator = version.validator if version is not None and version.url == url else None
        if version is None or (validator is None and not self._verified):
            have = 0
        elif have and have == version.bytes:
            return
        headers = {"Range": f"bytes={have}-"} if have else {}
        if have and validator is not None:
            headers["If-Range"] = validator
        with (
            _network(timeout),
            session.get(url, headers=headers, stream=True, timeout=timeout) as answer,
        ):
            offset, now = self._check(answer, have, url, version if have else None)
            if not offset:
                # Removed before the sidecar changes, or a run killed in between would leave a part
                # of the old file with the sidecar of the new one.
                self.part.unlink(missing_ok=True)
            write_text(self._sidecar, json.dumps(asdict(now)))
            size = naturalsize(now.bytes) if now.bytes else "of unknown size"
            logger.info("%s: %s%s", url, size, f", from byte {offset} on" if offset else "")
            check_space(self.part.parent, (now.bytes or 0) - offset, url)
            self._write(answer, offset, now.bytes)
        if now.bytes is not None and self._received < now.bytes:
            raise _Interrupted(f"broke off after {self._received} of {now.bytes} bytes")

    def _check(
        self, answer: requests.Response, have: int, url: str, before: _Version | None
    ) -> tuple[int, _Version]:
        """Return the offset at which an answer begins, and the version of its file."""
        _check_status(answer)
        length = answer.headers.get("Content-Length", "")
        total = int(length) if length.isdecimal() else None
        offset = 0
        if answer.status_code == requests.codes.partial_content:
            extent = re.fullmatch(
                r"bytes (\d+)-\d+/(\d+|\*)", answer.headers.get("Content-Range", "")
            )
            offset = int(extent[1]) if extent else -1
            total = int(extent[2]) if extent and extent[2] != "*" else None
        now = _Version(url, _validator(answer), total)
        changed = offset and before is not None and _differ(before, now)
        if answer.status_code == requests.codes.range_not_satisfiable or changed:
            self.discard()
            raise _Interrupted("has another version of the file than before")
        if offset not in (0, have):
            self.discard()
            raise _Interrupted("sends another part of the file than requested")
        if None not in (total, self._wanted) and total != self._wanted:
            raise Unavailable(
                f"has a file of {total} bytes, but {self._wanted} are expected; it was replaced"
            )
        return offset, now

    def _write(self, answer: requests.Response, offset: int, total: int | None) -> None:
        progress = Progress(total or 0, "MB", offset, size=MEGABYTE)
        with contextlib.ExitStack() as stack:
            with _disk(self.part):
                file = stack.enter_context(self.part.open("r+b" if offset else "wb"))
                file.seek(offset)
            for chunk in answer.raw.stream(CHUNK, decode_content=False):
                with _disk(self.part):
                    file.write(chunk)
                    file.flush()
                if total:
                    progress.report(file.tell())


def _wait(patience: Retry, answer: urllib3.BaseHTTPResponse | None) -> None:
    try:
        patience.sleep(answer)
    except urllib3.exceptions.InvalidHeader:
        # The server's Retry-After is malformed.
        patience.sleep()


def _check_status(answer: requests.Response) -> None:
    status = answer.status_code
    reason = f"the server answers {status} {answer.reason or ''}".rstrip()
    if status in (408, 425, 429) or status >= 500:
        raise _Interrupted(reason, answer.raw)
    if status == requests.codes.range_not_satisfiable:
        return
    if status not in (200, 206):
        raise Unavailable(f"{reason}; check the address")
    if answer.headers.get("Content-Type", "").startswith("text/html"):
        raise Unavailable(
            "got an HTML page instead of the file; check the address, or log in first"
        )


def _validator(answer: requests.Response) -> str | None:
    tag = answer.headers.get("ETag")
    # A weak tag does not promise equal bytes.
    return tag if tag and not tag.startswith("W/") else answer.headers.get("Last-Modified")


def _differ(before: _Version, now: _Version) -> bool:
    """Return whether two versions have different sizes or validators."""
    sizes = {before.bytes, now.bytes} - {None}
    names = {before.validator, now.validator} - {None} if before.url == now.url else set()
    return len(sizes) > 1 or len(names) > 1


@contextlib.contextmanager
def _network(timeout: float) -> Iterator[None]:
    """Turn network errors into temporary (_Interrupted) and permanent (Unavailable) ones."""
    try:
        yield
    except (requests.exceptions.InvalidSchema, requests.exceptions.TooManyRedirects) as error:
        raise Unavailable(f"has unusable redirects ({_reason(error)}); check the address") from None
    except (requests.exceptions.ProxyError, requests.exceptions.SSLError) as error:
        raise Unavailable(
            f"cannot be fetched ({_reason(error)}); check the proxy and the certificates"
        ) from None
    except (requests.Timeout, urllib3.exceptions.TimeoutError):
        raise _Interrupted(f"no answer for {timeout:g} s") from None
    except (
        requests.ConnectionError,
        requests.exceptions.ChunkedEncodingError,
        urllib3.exceptions.HTTPError,
    ) as error:
        cause = _first_cause(error)
        if isinstance(cause, socket.gaierror) and cause.errno == socket.EAI_NONAME:
            raise Unavailable(
                "this server is unknown; check the address and the connection"
            ) from None
        raise _Interrupted(f"cannot be fetched ({_reason(error)})") from None
    except (requests.RequestException, ValueError) as error:
        raise Unavailable(f"cannot be fetched ({_reason(error)}); check the address") from None


def _reason(error: BaseException) -> str:
    """Return the message of the first cause of an error, in one line."""
    return " ".join(str(_first_cause(error)).split())[:200]


def _first_cause(error: BaseException) -> BaseException:
    inner = [getattr(error, "reason", None), error.__cause__, *error.args]
    causes = [cause for cause in inner if isinstance(cause, BaseException)]
    return _first_cause(causes[0]) if causes else error


@contextlib.contextmanager
def _disk(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(
            f"{path}: cannot be written: {error.strerror}; free space or choose another place"
        ) from None
