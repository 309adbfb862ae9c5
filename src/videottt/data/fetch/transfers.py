"""One file from one server over http or https: resumed, and retried while that may help."""

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
    """Why an address does not give the file; another one may."""


class _Interrupted(Exception):
    """Why an attempt failed that may succeed later; `answer` may say when."""

    def __init__(self, reason: str, answer: urllib3.BaseHTTPResponse | None = None) -> None:
        super().__init__(reason)
        self.answer = answer


@dataclass(frozen=True)
class _Version:
    """Which file at which server a part is of, as its sidecar says.

    Attributes:
        url: of the file.
        validator: the server's name for its version, for ``If-Range``: a strong ETag or a date.
        bytes: size of the whole file, if the server says.
    """

    url: str
    validator: str | None
    bytes: int | None


class Transfer:
    """A file that is being received: its part, and a sidecar that says which file it is a part of.

    Args:
        path: where the file will be: its part is ``.<name>.part`` beside it.
        size: of the file in bytes; None if that is not known exactly.
        verified: whether the whole file will be compared with a published checksum: then a part may
            be completed even if nothing says that the server still has the same file.
    """

    def __init__(self, path: Path, size: int | None, verified: bool) -> None:
        self.part = path.with_name(f".{path.name}.part")
        self._sidecar = path.with_name(f".{path.name}.part.json")
        self._wanted = size
        self._verified = verified

    def receive(self, session: requests.Session, url: str, timeout: float, patience: Retry) -> None:
        """Fetch all that is missing, with as many attempts as it takes.

        Args:
            session: see `downloads.new_session`.
            url: of http or https.
            timeout: seconds that the server may stay silent.
            patience: how often, and after how long, to try again; counted anew after progress.

        Raises:
            Unavailable: the server does not have the file, or patience has run out.
            InputError: it cannot be written.
        """
        if urlsplit(url).scheme not in ("http", "https"):
            raise Unavailable("is no address of http or https")
        left = patience
        while True:
            before = self._have
            try:
                return self._attempt(session, url, timeout)
            except _Interrupted as error:
                left = patience if self._have > before else left
                try:
                    left = left.increment("GET", url)
                except urllib3.exceptions.MaxRetryError:
                    raise Unavailable(f"{error}; try again later") from None
                logger.info("%s: %s; trying again", url, error)
                _wait(left, error.answer)

    def discard(self) -> None:
        """Remove what was received."""
        self.part.unlink(missing_ok=True)
        self._sidecar.unlink(missing_ok=True)

    @property
    def _have(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def _version(self) -> _Version | None:
        try:
            return _Version(**json.loads(self._sidecar.read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def _attempt(self, session: requests.Session, url: str, timeout: float) -> None:
        version, have = self._version(), self._have
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
                # Else a run killed here would take it for a part of the file of now.
                self.part.unlink(missing_ok=True)
            write_text(self._sidecar, json.dumps(asdict(now)))
            size = naturalsize(now.bytes) if now.bytes else "of unknown size"
            logger.info("%s: %s%s", url, size, f", from byte {offset} on" if offset else "")
            check_space(self.part.parent, (now.bytes or 0) - offset, url)
            self._write(answer, offset, now.bytes)
        if now.bytes is not None and self._have < now.bytes:
            raise _Interrupted(f"broke off after {self._have} of {now.bytes} bytes")

    def _check(
        self, answer: requests.Response, have: int, url: str, before: _Version | None
    ) -> tuple[int, _Version]:
        """Return where in the file an answer begins, and of which version of it it is."""
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
            raise _Interrupted("has another file than before")
        if offset not in (0, have):
            self.discard()
            raise _Interrupted("sends another part of the file than was asked for")
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
        # What it says about how long makes no sense.
        patience.sleep()


def _check_status(answer: requests.Response) -> None:
    status = answer.status_code
    said = f"the server answers {status} {answer.reason or ''}".rstrip()
    if status in (408, 425, 429) or status >= 500:
        raise _Interrupted(said, answer.raw)
    if status == requests.codes.range_not_satisfiable:
        return
    if status not in (200, 206):
        raise Unavailable(f"{said}; check the address")
    if answer.headers.get("Content-Type", "").startswith("text/html"):
        raise Unavailable("the server answers with a page, not with the file; it may want a login")


def _validator(answer: requests.Response) -> str | None:
    tag = answer.headers.get("ETag")
    # Weak tags say that two versions mean the same, not that their bytes are.
    return tag if tag and not tag.startswith("W/") else answer.headers.get("Last-Modified")


def _differ(before: _Version, now: _Version) -> bool:
    """Return whether two versions cannot be of one file."""
    sizes = {before.bytes, now.bytes} - {None}
    names = {before.validator, now.validator} - {None} if before.url == now.url else set()
    return len(sizes) > 1 or len(names) > 1


@contextlib.contextmanager
def _network(timeout: float) -> Iterator[None]:
    """Turn what goes wrong between here and a server into what may pass, and what may not."""
    try:
        yield
    except (requests.exceptions.InvalidSchema, requests.exceptions.TooManyRedirects) as error:
        raise Unavailable(f"leads elsewhere ({_reason(error)}); check the address") from None
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
        bottom = _bottom(error)
        if isinstance(bottom, socket.gaierror) and bottom.errno == socket.EAI_NONAME:
            raise Unavailable("no such server is known here; check the connection") from None
        raise _Interrupted(f"cannot be fetched ({_reason(error)})") from None
    except (requests.RequestException, ValueError) as error:
        raise Unavailable(f"cannot be fetched ({_reason(error)}); check the address") from None


def _reason(error: BaseException) -> str:
    """Return what is at the bottom of an error, in one line."""
    return " ".join(str(_bottom(error)).split())[:200]


def _bottom(error: BaseException) -> BaseException:
    inner = [getattr(error, "reason", None), error.__cause__, *error.args]
    causes = [each for each in inner if isinstance(each, BaseException)]
    return _bottom(causes[0]) if causes else error


@contextlib.contextmanager
def _disk(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(
            f"{path}: cannot be written: {error.strerror}; free space or choose another place"
        ) from None
