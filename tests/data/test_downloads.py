"""Downloads from a server on this machine: completed, retried, verified and refused."""

import contextlib
import hashlib
import multiprocessing
import socket
import time

import pytest
from urllib3.util import Retry

from loopback import Loopback
from videottt.core.errors import InputError
from videottt.data.fetch.checksums import Wanted
from videottt.data.fetch.downloads import PATIENCE, download, writer_of

# More than is read at once.
CONTENT = bytes(range(256)) * 5000
OTHER = CONTENT[::-1]
SHA256 = hashlib.sha256(CONTENT).hexdigest()
MD5 = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()
AT_ONCE = Retry(total=3, backoff_factor=0)


@pytest.fixture(autouse=True)
def _directly(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture
def server(tmp_path):
    served = tmp_path / "served"
    served.mkdir()
    (served / "file").write_bytes(CONTENT)
    with Loopback(served) as server:
        yield server


@pytest.fixture
def path(tmp_path):
    return tmp_path / "downloads" / "file.zip"


def fetch(server, path, wanted, *places, **options):
    urls = [place if "://" in place else server.url + place for place in places or ["/file"]]
    return download(urls, path, wanted, **{"patience": AT_ONCE, **options})


def ranges(server):
    return [asked for _, _, asked in server.requests]


def kept(path):
    """Return the names beside a download, but for its lock."""
    return sorted(each.name for each in path.parent.iterdir() if not each.name.endswith(".lock"))


@pytest.mark.parametrize(
    "wanted",
    [Wanted(sha256=SHA256), Wanted(len(CONTENT), SHA256[:8].upper(), MD5), Wanted(md5=MD5[:6])],
)
def test_a_file_is_kept_if_its_checksum_matches(server, path, wanted):
    server.redirections["/moved"] = "/file"
    url, verified = fetch(server, path, wanted, "/nowhere", "/moved")
    assert path.read_bytes() == CONTENT
    assert (url, verified.sha256, verified.bytes, verified.checksum) == (
        server.url + "/moved", SHA256, len(CONTENT), "published",
    )  # fmt: skip
    assert kept(path) == ["file.zip", "file.zip.sha256"]
    assert path.with_name("file.zip.sha256").read_text() == f"{SHA256}  file.zip\n"


@pytest.mark.parametrize(
    ("place", "wanted", "message"),
    [
        ("/file", Wanted(sha256="0" * 64), f"has sha256 {SHA256}, but {'0' * 64} is expected"),
        ("/file", Wanted(md5="000000"), f"has md5 {MD5}, but 000000 is expected"),
        ("/file", Wanted(7), f"has a file of {len(CONTENT)} bytes, but 7 are expected"),
        ("/nowhere", Wanted(), r"the server answers 404 Not Found; check the address"),
        ("/loop", Wanted(), "unusable redirects .*redirects"),
        ("/outside", Wanted(), "unusable redirects .*ftp"),
        ("/page", Wanted(), "got an HTML page instead of the file"),
        ("ftp://127.0.0.1/file", Wanted(), "not an address of http"),
    ],
)
def test_permanent_failures_are_refused_at_once_in_one_line(server, path, place, wanted, message):
    server.redirections |= {"/loop": "/loop", "/outside": "ftp://127.0.0.1/file"}
    server.pages["/page"] = "<html>Please log in"
    with pytest.raises(InputError, match=message) as raised:
        fetch(server, path, wanted, place, patience=PATIENCE)
    assert "\n" not in str(raised.value)
    assert not path.exists()
    # A part of the wrong file is removed.
    assert not [name for name in kept(path) if "part" in name]


def test_a_broken_transfer_is_completed(server, path):
    server.drop("/file", 400_000, 0, 500_000)
    server.busy("/file", 2)
    _, verified = fetch(server, path, Wanted())
    assert path.read_bytes() == CONTENT
    assert verified.checksum == "first use"
    assert [asked for asked in ranges(server) if asked][-1] == "bytes=900000-"
    assert len(server.requests) == 6


def test_an_interrupted_run_is_completed_by_the_next(server, path):
    server.drop("/file", 400_000)
    once = Retry(total=0)
    with pytest.raises(InputError, match=r"cannot be fetched .*; try again later"):
        fetch(server, path, Wanted(), patience=once)
    assert not path.exists()
    fetch(server, path, Wanted(), patience=once)
    assert path.read_bytes() == CONTENT
    assert ranges(server) == [None, "bytes=400000-"]


@pytest.mark.parametrize("published", [True, False])
@pytest.mark.parametrize(
    ("versions", "conditions", "requests"),
    [(True, True, 2), (True, False, 3), (False, False, 2)],
)
def test_a_part_of_a_file_that_has_changed_is_not_completed(
    server, path, versions, conditions, requests, published
):
    server.versions, server.conditions = versions, conditions
    server.drop("/file", 400_000)
    with pytest.raises(InputError):
        fetch(server, path, Wanted(), patience=Retry(total=0))
    (server.folder / "file").write_bytes(OTHER)
    wanted = Wanted(sha256=hashlib.sha256(OTHER).hexdigest()) if published else Wanted()
    if published and not versions:
        # Only the checksum reveals the change; the next run starts from the beginning.
        with pytest.raises(InputError, match="is expected"):
            fetch(server, path, wanted)
        requests += 1
    fetch(server, path, wanted)
    assert path.read_bytes() == OTHER
    assert len(server.requests) == requests


def test_another_server_completes_a_part_only_if_a_checksum_will_tell(server, path):
    (server.folder / "copy").write_bytes(CONTENT)
    for wanted, asked in ((Wanted(sha256=SHA256), "bytes=400000-"), (Wanted(), None)):
        server.requests.clear()
        server.drop("/file", 400_000)
        with contextlib.suppress(InputError):
            fetch(server, path, wanted, patience=Retry(total=0))
        fetch(server, path, wanted, "/copy")
        assert ranges(server) == [None, asked]
        assert path.read_bytes() == CONTENT
        path.unlink()


def test_a_server_without_ranges_sends_the_whole_file_again(server, path):
    server.ranges = False
    server.drop("/file", 400_000)
    fetch(server, path, Wanted())
    assert path.read_bytes() == CONTENT


def test_the_server_sets_the_delay_of_a_retry(server, path):
    server.busy("/file", 1, retry_after="1")
    before = time.monotonic()
    fetch(server, path, Wanted())
    assert time.monotonic() - before >= 1
    server.busy("/file", 1, retry_after="soon")
    fetch(server, path, Wanted())


def test_retries_end(server, path):
    server.busy("/file", 100)
    with pytest.raises(InputError, match="answers 503 Service Unavailable; try again later"):
        fetch(server, path, Wanted())
    assert len(server.requests) == 1 + AT_ONCE.total


def test_a_server_that_is_silent_or_absent_is_named_and_the_next_is_asked(server, path):
    server.silence("/silent")
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as free:
        absent = f"http://127.0.0.1:{free.getsockname()[1]}/file"
    places = ("/silent", absent)
    with pytest.raises(InputError, match=rf"/silent: no answer for 0\.2 s.*{absent}: .*refused"):
        fetch(server, path, Wanted(), *places, timeout=0.2, patience=Retry(total=0))
    url, _ = fetch(server, path, Wanted(), *places, "/file", timeout=0.2, patience=Retry(total=0))
    assert url == server.url + "/file"


def test_an_unknown_server_is_asked_once(server, path, monkeypatch, caplog):
    caplog.set_level("INFO")
    known = socket.getaddrinfo

    def resolved(host, *rest, **more):
        if host.endswith(".invalid"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return known(host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    url, _ = fetch(server, path, Wanted(), "http://files.invalid/file", "/file")
    assert url == server.url + "/file"
    assert "this server is unknown" in caplog.text
    assert "trying again" not in caplog.text


def test_proxies_are_those_of_the_environment(server, path, monkeypatch):
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv("http_proxy", server.url)
    fetch(server, path, Wanted(sha256=SHA256), "http://files.invalid/file")
    assert [asked for _, asked, _ in server.requests] == ["http://files.invalid/file"]


def test_the_first_download_is_trusted_and_later_ones_must_match(server, path):
    fetch(server, path, Wanted())
    path.unlink()
    (server.folder / "file").write_bytes(OTHER)
    with pytest.raises(InputError, match=rf"it had {SHA256} when .* remove .*file\.zip\.sha256"):
        fetch(server, path, Wanted())
    assert not path.exists()
    path.with_name("file.zip.sha256").unlink()
    fetch(server, path, Wanted())
    assert path.read_bytes() == OTHER


def _hold(path, held):
    with writer_of(path):
        held.set()
        time.sleep(60)


def test_one_writer_at_a_time_until_it_is_done_or_dead(path):
    context = multiprocessing.get_context("fork")
    held = context.Event()
    other = context.Process(target=_hold, args=(path, held))
    other.start()
    assert held.wait(10)
    entered = context.Event()

    def enter():
        with writer_of(path):
            entered.set()

    third = context.Process(target=enter)
    third.start()
    assert not entered.wait(0.3)
    other.kill()
    assert entered.wait(10)
    for each in (other, third):
        each.join()
