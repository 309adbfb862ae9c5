"""A server of files on this machine, with ranges, versions, logins, and faults on demand."""

import contextlib
import hashlib
import sys
import threading
from collections import Counter
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self
from urllib.parse import parse_qs, unquote, urlsplit

TOKEN = "a token against forged requests"
FORM = f"""<html><form method="post"><input type="hidden" name="csrf" value="{TOKEN}">
<input name="username"><input type="password" name="password"></form></html>"""


class Server(ThreadingHTTPServer):
    """A server that says nothing of clients that hang up: what it prints would be theirs."""

    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class Loopback:
    """Serves a folder, many requests at a time, while it is used as a context.

    Paths begin with ``/``. Every fault is of one path and happens as often as it is said.

    Args:
        folder: whose files are served; they may change at any time.
        packages: files of the folder that need a login, as Cityscapes has them, by their number.
        users: passwords by user name.

    Attributes:
        url: of the server, without a slash at its end.
        requests: (method, path and query, ``Range`` or None) of all requests so far.
        ranges: whether ``Range`` is understood.
        versions: whether files have an ``ETag``.
        conditions: whether ``If-Range`` is understood.
    """

    def __init__(
        self,
        folder: Path,
        packages: dict[int, str] | None = None,
        users: dict[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self.packages = packages or {}
        self.users = users or {}
        self.requests: list[tuple[str, str, str | None]] = []
        self.ranges = True
        self.versions = True
        self.conditions = True
        self.redirections: dict[str, str] = {}
        self.pages: dict[str, str] = {}
        self._busy: Counter[str] = Counter()
        self._drops: dict[str, list[int]] = {}
        self._silent: set[str] = set()
        self._retry_after = "0"
        self._lock = threading.Lock()
        self.released = threading.Event()

    def __enter__(self) -> Self:
        self._server = Server(("127.0.0.1", 0), _handler_for(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        return self

    def __exit__(self, *_: object) -> None:
        self.released.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def busy(self, path: str, times: int, retry_after: str = "0") -> None:
        """Answer the next requests for a path with 503."""
        self._busy[path] = times
        self._retry_after = retry_after

    def drop(self, path: str, *after: int) -> None:
        """Close the connections of the next requests for a path after so many bytes each."""
        self._drops[path] = list(after)

    def silence(self, path: str) -> None:
        """Never answer requests for a path."""
        self._silent.add(path)

    def _fault(self, path: str) -> tuple[str, int]:
        """Take the next fault of a path: what is wrong, and after how many bytes."""
        with self._lock:
            if path in self._silent:
                return "silent", 0
            if self._busy[path] > 0:
                self._busy[path] -= 1
                return "busy", 0
            if self._drops.get(path):
                return "drop", self._drops[path].pop(0)
        return "none", 0


def _handler_for(server: Loopback) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path, query = unquote(urlsplit(self.path).path), parse_qs(urlsplit(self.path).query)
            server.requests.append(("GET", self.path, self.headers.get("Range")))
            fault, after = server._fault(path)
            if fault == "silent":
                server.released.wait()
            elif fault == "busy":
                self._answer(503, b"busy", {"Retry-After": server._retry_after})
            elif path in server.redirections:
                self._answer(302, b"", {"Location": server.redirections[path]})
            elif path in server.pages:
                self._answer(200, server.pages[path].encode(), {"Content-Type": "text/html"})
            elif path == "/login":
                self._answer(200, FORM.encode(), {"Content-Type": "text/html"})
            elif path in ("/file-handling/", "/md5-sum/"):
                self._package(path, int(query["packageID"][0]), fault, after)
            else:
                self._file(server.folder / path.lstrip("/"), fault, after)

        def do_POST(self) -> None:
            server.requests.append(("POST", self.path, None))
            form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            said = {name: values[0] for name, values in form.items()}
            known = server.users.get(said.get("username", "")) == said.get("password")
            if known and said.get("csrf") == TOKEN and said.get("submit") == "Login":
                cookie = {"Set-Cookie": "session=yes", "Location": "/my-account"}
                self._answer(302, b"", cookie)
            else:
                self._answer(200, FORM.encode(), {"Content-Type": "text/html"})

        def _package(self, path: str, number: int, fault: str, after: int) -> None:
            if "session" not in SimpleCookie(self.headers.get("Cookie", "")):
                self._answer(302, b"", {"Location": "/login"})
                return
            file = server.folder / server.packages[number]
            if path == "/md5-sum/":
                digest = hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest()
                self._answer(200, f"{digest}  {file.name}\n".encode(), {})
            else:
                self._file(file, fault, after)

        def _file(self, file: Path, fault: str, after: int) -> None:
            if not file.resolve().is_relative_to(server.folder.resolve()) or not file.is_file():
                self._answer(404, b"no such file", {})
                return
            content = file.read_bytes()
            version = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
            headers = {"ETag": version} if server.versions else {}
            asked = self.headers.get("Range") if server.ranges else None
            if server.conditions and self.headers.get("If-Range", version) != version:
                asked = None
            if asked is None:
                self._answer(200, content, headers, fault, after)
                return
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            if start >= len(content):
                self._answer(416, b"", {"Content-Range": f"bytes */{len(content)}"})
                return
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
            self._answer(206, content[start:], headers, fault, after)

        def _answer(
            self,
            status: int,
            content: bytes,
            headers: dict[str, str],
            fault: str = "none",
            after: int = 0,
        ) -> None:
            self.send_response(status)
            for name, value in {"Content-Length": str(len(content)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            # Whoever asked may have heard enough.
            with contextlib.suppress(ConnectionError):
                self.wfile.write(content[:after] if fault == "drop" else content)
            if fault == "drop":
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            pass

    return Handler
