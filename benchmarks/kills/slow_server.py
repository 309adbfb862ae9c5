"""The tests' server of files, as slow as a network, so that downloads can be killed."""

import time
from http.server import BaseHTTPRequestHandler
from typing import Any, Self

from loopback import Loopback

SPEED = 6e6  # bytes a second
PIECE = 1 << 16  # bytes


class SlowLoopback(Loopback):
    """Serves a folder at `SPEED`; a context manager."""

    def __enter__(self) -> Self:
        super().__enter__()
        self._server.RequestHandlerClass = _slow(self._server.RequestHandlerClass)
        return self


def _slow(handler: type[BaseHTTPRequestHandler]) -> type[BaseHTTPRequestHandler]:
    class Slow(handler):
        def setup(self) -> None:
            super().setup()
            self.wfile = _Slowly(self.wfile)

    return Slow


class _Slowly:
    """A file that takes its time to be written."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def write(self, content: bytes) -> int:
        for start in range(0, len(content), PIECE):
            piece = content[start : start + PIECE]
            self._file.write(piece)
            time.sleep(len(piece) / SPEED)
        return len(content)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)
