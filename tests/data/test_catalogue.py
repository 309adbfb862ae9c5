"""The list of sources, and getting them: what is at hand, fetched, logged in for and recorded."""

import contextlib
import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from test_archives import below, make_tar_gz, make_zip

from loopback import Loopback
from support import ROOT
from videottt.cli import main
from videottt.core.errors import InputError
from videottt.core.files import complete_file
from videottt.data.fetch import downloads
from videottt.data.fetch.catalogue import read_sources

LIST = ROOT / "workflow/resources/datasets.yaml"
WEIGHTS = b"weights" * 1000
PAIR = {"username": "ada", "password": "s3cret&more"}
ENTRY = {"licence": "MIT", "purpose": "a test", "access": "open", "exact_bytes": False}


def sha256(content):
    return hashlib.sha256(content).hexdigest()


class Place:
    """A list of sources on a server of this machine, and a folder of data."""

    def __init__(self, folder, server):
        self.folder, self.server = folder, server
        self.root = folder / "data"
        self.entries = {
            "weights": ENTRY | {
                "file": "w.pth", "urls": [f"{server.url}/w.pth"], "bytes": len(WEIGHTS),
                "sha256": sha256(WEIGHTS)[:8], "exact_bytes": True, "provides": ["weights/w.pth"],
            },
            "film": ENTRY | {
                "file": "film.webm", "urls": [f"{server.url}/film.webm"], "bytes": 9,
                "provides": ["films/film.webm", "films/film.*", "films/film"],
            },
            "labels": ENTRY | {
                "file": "maps.tar.gz", "urls": [f"{server.url}/maps.tar.gz"], "bytes": 9,
                "provides": ["set/maps", "set/other_maps"],
                "unpack": {
                    "members": {"set/maps/": "set/maps/"}, "most_bytes": 99, "most_files": 9,
                },
            },
            "city": ENTRY | {
                "file": "city.zip", "urls": [f"{server.url}/file-handling/?packageID=3"],
                "bytes": 9, "access": "cityscapes", "instructions": "Register\nfirst",
                "provides": ["city/val"],
                "unpack": {"members": {"val/": "city/val/"}, "most_bytes": 99, "most_files": 9},
            },
            "byhand": ENTRY | {
                "file": "hand.pkl", "urls": [], "bytes": 9, "access": "by_hand",
                "instructions": "Ask its authors", "provides": ["weights/hand.pkl"],
            },
        }  # fmt: skip

    def fetch(self, name, *options):
        """Run the verb, as a rule does, and return the record."""
        path = self.folder / "datasets.yaml"
        path.write_text(yaml.safe_dump({"sources": self.entries}))
        output = self.folder / "results" / f"{name}.json"
        output.unlink(missing_ok=True)
        main(
            ["fetch", name, "--sources", str(path), "--data-root", str(self.root),
             "--output", str(output), *options]
        )  # fmt: skip
        return json.loads(output.read_text())

    def refusal(self, capsys, name, *options):
        """Run the verb, which fails, and return its one line."""
        with pytest.raises(SystemExit) as raised:
            self.fetch(name, *options)
        assert raised.value.code == 2
        assert not (self.folder / "results" / f"{name}.json").exists()
        (line,) = capsys.readouterr().err.splitlines()
        assert "s3cret" not in line
        return line


@pytest.fixture
def place(tmp_path, monkeypatch):
    for name in ("CITYSCAPES_USERNAME", "CITYSCAPES_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    served = tmp_path / "served"
    served.mkdir()
    (served / "w.pth").write_bytes(WEIGHTS)
    (served / "film.webm").write_bytes(b"pictures")
    make_tar_gz(served / "maps.tar.gz", {"set/maps/val/1.png": b"1", "set/README": b""})
    make_zip(served / "city.zip", {"val/ulm/1.png": b"ulm", "test/x.png": b""})
    users = {PAIR["username"]: PAIR["password"]}
    with Loopback(served, {3: "city.zip"}, users) as server:
        yield Place(tmp_path, server)


def test_the_list_is_whole_and_every_source_can_be_got():
    sources = read_sources(LIST)
    films = yaml.safe_load((ROOT / "config.yaml").read_text())["datasets"]["lumiere"]["splits"]
    assert {f"lumiere_{film}" for film in films["test"]} <= set(sources)
    assert len({source.provides[0] for source in sources.values()}) == len(sources)
    for name, source in sources.items():
        assert source.licence, name
        assert source.unpack or source.provides[0].count("/") == 1, name
        if source.unpack:
            # What counts as at hand is made.
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
        ({"sha256": 12345678}, "'sha256' is 12345678, but must be a text or null"),
        ({"sha256": "1234567"}, "sha256 must be 8 to 64 hexadecimal digits"),
        ({"md5": "a407fg"}, "md5 must be 6 to 32"),
        ({"urls": []}, "urls are needed"),
        ({"urls": ["file:///etc/passwd"]}, "no address of http"),
        ({"instructions": "Do"}, "instructions are needed where access is not open"),
        ({"file": "../w.pth"}, "file must be a plain name"),
        ({"provides": ["../w.pth"]}, "no place below data_root"),
        ({"provides": ["weights/*"]}, "the first of provides is made"),
        ({"bytes": 0}, "bytes must be a number above 0"),
        ({"unpack": {"members": {"a/": "b"}, "most_bytes": 1, "most_files": 1}}, "both end in '/'"),
        (
            {"unpack": {"members": {"a/": "b/"}, "most_bytes": 1, "most_files": 1}},
            "unpacks to more than one folder",
        ),
    ],
)
def test_an_entry_that_cannot_be_right_is_refused_by_its_name(place, change, message):
    path = place.folder / "datasets.yaml"
    entry = place.entries["weights"] | change
    path.write_text(yaml.safe_dump({"sources": {"weights": entry}}))
    with pytest.raises(InputError, match=message) as raised:
        read_sources(path)
    assert str(raised.value).startswith(f"{path}: weights")


def test_a_file_is_fetched_once_and_its_record_stays_the_same(place):
    record = place.fetch("weights")
    assert record == {
        "source": "weights", "place": "weights/w.pth", "origin": f"{place.server.url}/w.pth",
        "sha256": sha256(WEIGHTS), "bytes": len(WEIGHTS), "checksum": "published",
    }  # fmt: skip
    assert (place.root / "weights/w.pth").read_bytes() == WEIGHTS
    assert place.fetch("weights", "--offline") == record
    shutil.rmtree(place.root / "weights")
    assert place.fetch("weights", "--offline") == record
    assert len(place.server.requests) == 1


def test_what_is_fetched_without_a_published_checksum_is_trusted_once(place, capsys):
    assert place.fetch("film")["checksum"] == "first use"
    assert place.fetch("film")["checksum"] == "first use"
    # A hard link: writing through it would change both.
    (place.root / "films/film.webm").unlink()
    (place.root / "films/film.webm").write_bytes(b"other pictures")
    line = place.refusal(capsys, "film", "--offline")
    assert "but it had" in line
    assert "move it away" in line


def test_a_users_own_copy_is_taken_wherever_it_counts_and_only_if_it_is_right(place, capsys):
    own = place.root / "weights/w.pth"
    own.parent.mkdir(parents=True)
    own.write_bytes(WEIGHTS)
    assert place.fetch("weights")["origin"] == "own copy"
    own.write_bytes(WEIGHTS[:-1] + b"!")
    assert "is expected: it is damaged, or not the file" in place.refusal(capsys, "weights")

    film = place.root / "films/film.ogv"
    film.parent.mkdir(parents=True)
    film.write_bytes(b"mine")
    record = place.fetch("film")
    assert (record["place"], record["checksum"]) == ("films/film.ogv", "none")
    assert record["sha256"] == sha256(b"mine")

    # An empty folder is nothing at hand; one with anything in it is.
    (place.root / "set/other_maps").mkdir(parents=True)
    assert place.fetch("labels")["place"] == "set/maps"
    shutil.rmtree(place.root / "set/maps")
    (place.root / "set/other_maps/1.png").touch()
    record = place.fetch("labels")
    assert record["place"] == "set/other_maps"
    assert (record["origin"], record["sha256"], record["checksum"]) == ("own copy", None, "none")


def test_an_archive_is_unpacked_and_what_was_put_into_downloads_needs_no_network(place):
    record = place.fetch("labels")
    archive = (place.folder / "served/maps.tar.gz").read_bytes()
    assert record["sha256"] == sha256(archive)
    assert below(place.root / "set") == {"maps/val/1.png": b"1"}
    shutil.rmtree(place.root)
    (place.root / "downloads").mkdir(parents=True)
    (place.root / "downloads/maps.tar.gz").write_bytes(archive)
    place.server.requests.clear()
    assert place.fetch("labels", "--offline") == record | {"origin": "own copy"}
    assert place.fetch("labels", "--offline") == record | {"origin": "own copy"}
    assert not place.server.requests


def test_offline_nothing_is_asked_of_any_server(place, capsys):
    for name in place.entries:
        line = place.refusal(capsys, name, "--offline", "--mirror", place.server.url)
        assert f"source '{name}' (a test) is not at hand" in line
    assert not place.server.requests
    assert "Register first" in place.refusal(capsys, "city", "--offline")


def test_a_mirror_comes_first_and_needs_no_login(place):
    mirror = place.folder / "served" / "mirror"
    mirror.mkdir()
    for name, content in (("w.pth", WEIGHTS), ("hand.pkl", b"by hand")):
        (mirror / name).write_bytes(content)
    shutil.copy(place.folder / "served/city.zip", mirror)
    options = ("--mirror", f"{place.server.url}/mirror/")
    for name in ("weights", "byhand", "city"):
        assert place.fetch(name, *options)["origin"].startswith(f"{place.server.url}/mirror/")
    # What the mirror does not have, or has wrong, comes from where it is published.
    assert place.fetch("film", *options)["origin"] == f"{place.server.url}/film.webm"
    shutil.rmtree(place.root)
    (mirror / "w.pth").write_bytes(WEIGHTS[::-1])
    assert place.fetch("weights", *options)["origin"] == f"{place.server.url}/w.pth"


def test_what_needs_a_person_says_what_to_do(place, capsys):
    assert "cannot be fetched without you. Ask its authors" in place.refusal(capsys, "byhand")
    assert "cannot be fetched without you. Register first" in place.refusal(capsys, "city")
    line = place.refusal(capsys, "byhand", "--mirror", place.server.url)
    assert "hand.pkl: the server answers 404" in line
    assert not place.root.joinpath("weights").exists()


@pytest.mark.parametrize("stored", [True, False])
def test_a_login_is_taken_from_the_environment_or_from_csdownload(place, monkeypatch, stored):
    if stored:
        file = place.folder / "home/cityscapesscripts/credentials.json"
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps(PAIR))
    else:
        monkeypatch.setenv("CITYSCAPES_USERNAME", PAIR["username"])
        monkeypatch.setenv("CITYSCAPES_PASSWORD", PAIR["password"])
    place.server.drop("/file-handling/", 50)
    record = place.fetch("city")
    assert record["origin"] == f"{place.server.url}/file-handling/?packageID=3"
    # The MD5 that the server publishes of the package.
    assert record["checksum"] == "published"
    assert below(place.root / "city") == {"val/ulm/1.png": b"ulm"}
    asked = [(method, path) for method, path, _ in place.server.requests]
    package = ("GET", "/file-handling/?packageID=3")
    md5 = ("GET", "/md5-sum/?packageID=3")
    assert asked == [("GET", "/login"), ("POST", "/login"), md5, package, package]


def test_a_login_that_is_refused_is_one_line_without_the_password(place, capsys, monkeypatch):
    monkeypatch.setenv("CITYSCAPES_USERNAME", "ada")
    assert "only one of them is set" in place.refusal(capsys, "city")
    monkeypatch.setenv("CITYSCAPES_PASSWORD", "s3cret")
    line = place.refusal(capsys, "city")
    assert "/login: refuses the user name and password of CITYSCAPES_USERNAME" in line
    place.entries["city"]["urls"] = ["http://elsewhere.invalid/file-handling/?packageID=3"]
    assert "a password is sent over https only" in place.refusal(capsys, "city")


def test_what_is_at_hand_may_be_on_a_disk_that_cannot_be_written_to(place):
    place.fetch("weights")
    for path in (place.root / "downloads").iterdir():
        path.unlink()
    (place.root / "downloads").rmdir()
    place.fetch("weights")
    assert [path.name for path in place.root.iterdir()] == ["weights"]


def test_two_processes_fetch_an_archive_once(place):
    place.fetch("weights")
    command = [sys.executable, "-m", "videottt", "fetch", "labels"]
    options = ["--sources", str(place.folder / "datasets.yaml"), "--data-root", str(place.root)]
    place.server.requests.clear()
    outputs = [place.folder / f"{index}.json" for index in range(2)]
    running = [
        subprocess.Popen([*command, *options, "--output", str(output)]) for output in outputs
    ]
    assert [process.wait(60) for process in running] == [0, 0]
    assert len(place.server.requests) == 1
    assert outputs[0].read_text() == outputs[1].read_text()


class Killed(BaseException):
    """Nothing that is caught on the way."""


@pytest.mark.parametrize("moment", ["before it appears", "after it appeared"])
def test_a_run_killed_as_the_file_appears_loses_neither_it_nor_where_it_came_from(
    place, monkeypatch, moment
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
            place.fetch("weights")
    asked = len(place.server.requests)
    record = place.fetch("weights")
    assert len(place.server.requests) == asked
    assert record["origin"] == f"{place.server.url}/w.pth"
    assert record["sha256"] == sha256(WEIGHTS)
    assert not list((place.root / "downloads").glob(".*part*"))
