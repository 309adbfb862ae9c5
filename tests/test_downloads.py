"""Downloads against a server on this machine: what is kept, and what is refused."""

import contextlib
import hashlib
import logging
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from videottt.downloads import download, take_copy
from videottt.errors import InputError

# More than is read at once.
CONTENT = bytes(range(256)) * 5000
CHECKSUM = hashlib.sha256(CONTENT).hexdigest()


class Server(BaseHTTPRequestHandler):
    """Serves CONTENT at /file, and servers' misbehaviour at other places."""

    def do_GET(self):
        redirections = {"/moved": "/file", "/outside": "ftp://127.0.0.1/file", "/loop": "/loop"}
        if self.path in redirections:
            self.send_response(302)
            self.send_header("Location", redirections[self.path])
            self.end_headers()
        elif self.path in ("/file", "/broken", "/sizeless"):
            self.send_response(200)
            if self.path != "/sizeless":
                self.send_header("Content-Length", str(len(CONTENT)))
            self.end_headers()
            self.wfile.write(CONTENT[:-1] if self.path == "/broken" else CONTENT)
        else:
            self.send_error(404)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def address():
    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(autouse=True)
def _directly(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")


@pytest.mark.parametrize("place", ["/file", "/moved", "/sizeless"])
@pytest.mark.parametrize("checksum", [CHECKSUM, CHECKSUM[:8].upper()])
def test_a_file_with_the_expected_checksum_is_kept_wherever_it_has_moved(
    address, place, checksum, tmp_path, caplog
):
    caplog.set_level(logging.INFO)
    download(address + place, checksum, tmp_path / "new" / "file.pth")
    assert [each.name for each in tmp_path.rglob("*.*")] == ["file.pth"]
    assert (tmp_path / "new/file.pth").read_bytes() == CONTENT
    assert "1.3 MB received" in caplog.text


WRONG = "0" * 64


@pytest.mark.parametrize(
    ("place", "checksum", "message"),
    [
        ("/file", WRONG, f"has SHA-256 {CHECKSUM}, but {WRONG} is expected"),
        ("/file", CHECKSUM[:8] + "z", "not 8 to 64 hexadecimal digits"),
        ("/file", CHECKSUM[:7], "not 8 to 64 hexadecimal digits"),
        ("/nowhere", CHECKSUM, "the server answers 404 Not Found"),
        ("/loop", CHECKSUM, "the server answers 302"),
        ("/outside", CHECKSUM, "unknown url type: ftp"),
        ("/broken", CHECKSUM, r"broke off after 1279999 of 1280000 bytes"),
    ],
)
def test_nothing_else_is_kept_and_one_line_says_why(address, place, checksum, message, tmp_path):
    kept = tmp_path / "kept.pth"
    kept.write_text("from before")
    with pytest.raises(InputError, match=message) as raised:
        download(address + place, checksum, kept)
    assert "\n" not in str(raised.value)
    assert [each.read_text() for each in tmp_path.iterdir()] == ["from before"]


def test_a_server_that_is_silent_or_absent_is_named(tmp_path):
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/file"
        with pytest.raises(InputError, match=rf"{url}: no answer for 0\.2 s"):
            download(url, CHECKSUM, tmp_path / "file", timeout=0.2)
    with pytest.raises(InputError, match=rf"{url}: cannot be fetched \(.*refused"):
        download(url, CHECKSUM, tmp_path / "file")
    for url in (f"file://{__file__}", "ftp://127.0.0.1/file", "127.0.0.1/file", "http://["):
        with pytest.raises(InputError, match=r"not an address of http|cannot be fetched"):
            download(url, CHECKSUM, tmp_path / "file")
    assert not list(tmp_path.iterdir())


def test_a_copy_that_is_here_is_taken_if_it_is_the_one_meant(tmp_path):
    here, kept = tmp_path / "here.pth", tmp_path / "kept.pth"
    here.write_bytes(CONTENT)
    take_copy(here, CHECKSUM[:12], kept)
    assert kept.read_bytes() == CONTENT
    kept.unlink()
    here.write_bytes(CONTENT[:-1])
    with pytest.raises(InputError, match=f"{CHECKSUM} is expected"):
        take_copy(here, CHECKSUM, kept)
    with pytest.raises(InputError, match="no such file"):
        take_copy(tmp_path / "absent.pth", CHECKSUM, kept)
    assert [each.name for each in tmp_path.iterdir()] == ["here.pth"]
