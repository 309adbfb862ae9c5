"""The list of sources, and fetching, verifying and recording them."""

import contextlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from archive_files import below
from source_list import PAIR, WEIGHTS, sha256
from support import ROOT, whole_config
from videottt.core.errors import InputError
from videottt.core.files import complete_file
from videottt.data.fetch import downloads
from videottt.data.fetch.catalogue import read_sources

LIST = ROOT / "workflow/resources/datasets.yaml"


def test_the_list_is_complete_and_every_source_can_be_fetched():
    sources = read_sources(LIST)
    films = whole_config()["datasets"]["lumiere"]["splits"]
    assert {f"lumiere_{film}" for film in films["test"]} <= set(sources)
    assert len({source.provides[0] for source in sources.values()}) == len(sources)
    for name, source in sources.items():
        assert source.licence, name
        assert source.unpack or source.provides[0].count("/") == 1, name
        if source.unpack:
            # Unpacking makes the place that counts as present.
            made = [each.partition("{")[0].rstrip("/") for each in source.unpack.places]
            first = Path(source.provides[0])
            assert any(first.is_relative_to(each) for each in made), name
            assert source.unpack.most_bytes > source.bytes, name


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"byte": 3}, "weights: unknown setting 'byte'; did you mean 'bytes'"),
        ({"purpose": None}, "the setting 'purpose' is missing"),
        ({"access": "opne"}, "unknown access 'opne'; did you mean 'open'"),
        ({"sha256": 12345678}, "sha256: 12345678 is not allowed; it must be a text or null"),
        ({"sha256": "1234567"}, "sha256 must be 8 to 64 hexadecimal digits"),
        ({"md5": "a407fg"}, "md5 must be 6 to 32"),
        ({"urls": []}, "urls are needed"),
        ({"urls": ["file:///etc/passwd"]}, "not an address of http"),
        ({"instructions": "Do"}, "instructions are needed where access is not open"),
        ({"file": "../w.pth"}, "file must be a plain name"),
        ({"provides": ["../w.pth"]}, "not a path below data_root"),
        ({"provides": ["weights/*"]}, "fetching makes the first of provides"),
        ({"bytes": 0}, "bytes must be a number above 0"),
        ({"unpack": {"members": {"a/": "b"}, "most_bytes": 1, "most_files": 1}}, "both end in '/'"),
        (
            {"unpack": {"members": {"a/": "b/"}, "most_bytes": 1, "most_files": 1}},
            "unpacks to more than one folder",
        ),
    ],
)
def test_an_invalid_entry_is_refused_by_its_name(sources, change, message):
    path = sources.folder / "datasets.yaml"
    entry = sources.entries["weights"] | change
    path.write_text(yaml.safe_dump({"sources": {"weights": entry}}))
    with pytest.raises(InputError, match=message) as raised:
        read_sources(path)
    assert str(raised.value).startswith(f"{path}: weights")


def test_a_file_is_fetched_once_and_its_record_stays_the_same(sources):
    record = sources.fetch("weights")
    assert record == {
        "source": "weights", "place": "weights/w.pth", "origin": f"{sources.server.url}/w.pth",
        "sha256": sha256(WEIGHTS), "bytes": len(WEIGHTS), "checksum": "published",
    }  # fmt: skip
    assert (sources.root / "weights/w.pth").read_bytes() == WEIGHTS
    assert sources.fetch("weights", "--offline") == record
    shutil.rmtree(sources.root / "weights")
    assert sources.fetch("weights", "--offline") == record
    assert len(sources.server.requests) == 1


def test_a_file_without_a_published_checksum_is_trusted_once(sources, capsys):
    assert sources.fetch("film")["checksum"] == "first use"
    assert sources.fetch("film")["checksum"] == "first use"
    # A hard link: writing through it would change both.
    (sources.root / "films/film.webm").unlink()
    (sources.root / "films/film.webm").write_bytes(b"other pictures")
    line = sources.refusal(capsys, "film", "--offline")
    assert "but it had" in line
    assert "move it away" in line


def test_a_users_own_copy_is_used_in_every_valid_place_if_its_checksum_matches(sources, capsys):
    own = sources.root / "weights/w.pth"
    own.parent.mkdir(parents=True)
    own.write_bytes(WEIGHTS)
    assert sources.fetch("weights")["origin"] == "own copy"
    own.write_bytes(WEIGHTS[:-1] + b"!")
    assert "is expected: it is damaged, or another file" in sources.refusal(capsys, "weights")

    film = sources.root / "films/film.ogv"
    film.parent.mkdir(parents=True)
    film.write_bytes(b"mine")
    record = sources.fetch("film")
    assert (record["place"], record["checksum"]) == ("films/film.ogv", "none")
    assert record["sha256"] == sha256(b"mine")

    # An empty folder does not count as present.
    (sources.root / "set/other_maps").mkdir(parents=True)
    assert sources.fetch("labels")["place"] == "set/maps"
    shutil.rmtree(sources.root / "set/maps")
    (sources.root / "set/other_maps/1.png").touch()
    record = sources.fetch("labels")
    assert record["place"] == "set/other_maps"
    assert (record["origin"], record["sha256"], record["checksum"]) == ("own copy", None, "none")


def test_an_archive_is_unpacked_and_a_file_in_downloads_needs_no_network(sources):
    record = sources.fetch("labels")
    archive = (sources.folder / "served/maps.tar.gz").read_bytes()
    assert record["sha256"] == sha256(archive)
    assert below(sources.root / "set") == {"maps/val/1.png": b"1"}
    shutil.rmtree(sources.root)
    (sources.root / "downloads").mkdir(parents=True)
    (sources.root / "downloads/maps.tar.gz").write_bytes(archive)
    sources.server.requests.clear()
    assert sources.fetch("labels", "--offline") == record | {"origin": "own copy"}
    assert sources.fetch("labels", "--offline") == record | {"origin": "own copy"}
    assert not sources.server.requests


def test_no_server_is_asked_offline(sources, capsys):
    for name in sources.entries:
        line = sources.refusal(capsys, name, "--offline", "--mirror", sources.server.url)
        assert f"source '{name}' (a test) is missing" in line
    assert not sources.server.requests
    assert "Register first" in sources.refusal(capsys, "city", "--offline")


def test_a_mirror_comes_first_and_needs_no_login(sources):
    mirror = sources.folder / "served" / "mirror"
    mirror.mkdir()
    for name, content in (("w.pth", WEIGHTS), ("hand.pkl", b"by hand")):
        (mirror / name).write_bytes(content)
    shutil.copy(sources.folder / "served/city.zip", mirror)
    options = ("--mirror", f"{sources.server.url}/mirror/")
    for name in ("weights", "byhand", "city"):
        assert sources.fetch(name, *options)["origin"].startswith(f"{sources.server.url}/mirror/")
    # A file that the mirror lacks, or has in another version, comes from its publisher.
    assert sources.fetch("film", *options)["origin"] == f"{sources.server.url}/film.webm"
    shutil.rmtree(sources.root)
    (mirror / "w.pth").write_bytes(WEIGHTS[::-1])
    assert sources.fetch("weights", *options)["origin"] == f"{sources.server.url}/w.pth"


def test_a_source_that_needs_the_user_gives_instructions(sources, capsys):
    assert "cannot be fetched automatically. Ask its authors" in sources.refusal(capsys, "byhand")
    assert "cannot be fetched automatically. Register first" in sources.refusal(capsys, "city")
    line = sources.refusal(capsys, "byhand", "--mirror", sources.server.url)
    assert "hand.pkl: the server answers 404" in line
    assert not sources.root.joinpath("weights").exists()


@pytest.mark.parametrize("stored", [True, False])
def test_a_login_is_taken_from_the_environment_or_from_csdownload(sources, monkeypatch, stored):
    if stored:
        file = sources.folder / "home/cityscapesscripts/credentials.json"
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps(PAIR))
    else:
        monkeypatch.setenv("CITYSCAPES_USERNAME", PAIR["username"])
        monkeypatch.setenv("CITYSCAPES_PASSWORD", PAIR["password"])
    sources.server.drop("/file-handling/", 50)
    record = sources.fetch("city")
    assert record["origin"] == f"{sources.server.url}/file-handling/?packageID=3"
    # The MD5 that the server publishes of the package.
    assert record["checksum"] == "published"
    assert below(sources.root / "city") == {"val/ulm/1.png": b"ulm"}
    asked = [(method, path) for method, path, _ in sources.server.requests]
    package = ("GET", "/file-handling/?packageID=3")
    md5 = ("GET", "/md5-sum/?packageID=3")
    assert asked == [("GET", "/login"), ("POST", "/login"), md5, package, package]


def test_a_login_that_is_refused_is_one_line_without_the_password(sources, capsys, monkeypatch):
    monkeypatch.setenv("CITYSCAPES_USERNAME", "ada")
    assert "only one of them is set" in sources.refusal(capsys, "city")
    monkeypatch.setenv("CITYSCAPES_PASSWORD", "s3cret")
    line = sources.refusal(capsys, "city")
    assert "/login: refuses the user name and password of CITYSCAPES_USERNAME" in line
    sources.entries["city"]["urls"] = ["http://elsewhere.invalid/file-handling/?packageID=3"]
    assert "a password is sent over https only" in sources.refusal(capsys, "city")


def test_data_may_be_on_a_read_only_disk(sources):
    sources.fetch("weights")
    for path in (sources.root / "downloads").iterdir():
        path.unlink()
    (sources.root / "downloads").rmdir()
    sources.fetch("weights")
    assert [path.name for path in sources.root.iterdir()] == ["weights"]


def test_two_processes_fetch_an_archive_once(sources):
    sources.fetch("weights")
    command = [sys.executable, "-m", "videottt", "fetch", "labels"]
    options = ["--sources", str(sources.folder / "datasets.yaml"), "--data-root", str(sources.root)]
    sources.server.requests.clear()
    outputs = [sources.folder / f"{index}.json" for index in range(2)]
    running = [
        subprocess.Popen([*command, *options, "--output", str(output)]) for output in outputs
    ]
    assert [process.wait(60) for process in running] == [0, 0]
    assert len(sources.server.requests) == 1
    assert outputs[0].read_text() == outputs[1].read_text()


class Killed(BaseException):
    """Nothing that is caught on the way."""


@pytest.mark.parametrize("moment", ["before it appears", "after it appeared"])
def test_a_run_killed_as_the_file_appears_loses_neither_it_nor_where_it_came_from(
    sources, monkeypatch, moment
):
    @contextlib.contextmanager
    def killed(path):
        with complete_file(path) as part:
            yield part
            if moment == "before it appears":
                raise Killed
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(downloads, "complete_file", killed)
        with pytest.raises(Killed):
            sources.fetch("weights")
    asked = len(sources.server.requests)
    record = sources.fetch("weights")
    assert len(sources.server.requests) == asked
    assert record["origin"] == f"{sources.server.url}/w.pth"
    assert record["sha256"] == sha256(WEIGHTS)
    assert not list((sources.root / "downloads").glob(".*part*"))
