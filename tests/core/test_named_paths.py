"""Paths as users name them."""

import os
import pwd
from pathlib import Path

import pytest

from videottt.core.errors import InputError
from videottt.core.paths import named_path, with_name
from videottt.core.randomness import seed_of
from videottt.core.settings import build_settings
from videottt.data.ingest import IngestSettings

ME = pwd.getpwuid(os.getuid())


@pytest.fixture
def home(tmp_path, monkeypatch):
    folder = tmp_path / "home of mine"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.chdir(tmp_path)
    return folder


def test_home_folders_are_expanded_once_and_a_file_may_be_called_like_one(home, tmp_path):
    for name in ("~$draft.mp4", "file:"):
        (tmp_path / name).touch()
    expected = {
        "~": home,
        "~/": home,
        "~/a/../b": home / "a/../b",
        f"~{ME.pw_name}/a": Path(ME.pw_dir) / "a",
        "a/~/b": Path("a/~/b"),
        "./~": tmp_path / "~",
        "./~/x": tmp_path / "~/x",
        "~$draft.mp4": tmp_path / "~$draft.mp4",
        "./frames/": Path("frames"),
        "..": Path(".."),
        "file:///a/b%20c.mp4": Path("/a/b c.mp4"),
        "caf\udce9.mp4": Path("caf\udce9.mp4"),
        "C:/a": Path("C:/a"),
    }
    assert {name: named_path(name) for name in expected} == expected
    assert [named_path(path) for path in expected.values()] == list(expected.values())


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "empty; name a file"),
        ("~nobody-here/a", "there is no user 'nobody-here'; .* is ./~nobody-here/a"),
        ("https://example.org/a.mp4", "^https://example.org/a.mp4: is an address.*download it"),
        ("rtsp://cam/1", "is an address"),
        ("file://elsewhere/a.mp4", "is an address"),
    ],
)
def test_what_is_no_path_is_one_line(home, name, message):
    with pytest.raises(InputError, match=message):
        named_path(name)


def test_without_a_home_its_sign_is_refused_but_not_the_folders_of_others(monkeypatch):
    monkeypatch.setenv("HOME", "")
    with pytest.raises(InputError, match="'~' is the folder that HOME names"):
        named_path("~/out")
    assert named_path(f"~{ME.pw_name}") == Path(ME.pw_dir)
    monkeypatch.delenv("HOME")
    assert named_path("~/out") == Path(ME.pw_dir) / "out"


def test_a_path_ends_in_the_name_of_what_it_leads_to(tmp_path, monkeypatch):
    (tmp_path / "frames/deep").mkdir(parents=True)
    (tmp_path / "link").symlink_to("frames/deep")
    monkeypatch.chdir(tmp_path / "frames")
    names = {".": "frames", "deep/..": "frames", "..": tmp_path.name, "../link/..": "frames"}
    assert {name: with_name(Path(name)).name for name in names} == names
    # What a link is called says more than what it leads to.
    assert with_name(Path("../link")) == Path("../link")


def test_a_name_that_is_no_text_draws_as_the_text_that_stands_for_it():
    assert seed_of("own", "caf\udce9.mp4") == seed_of("own", r"caf\udce9.mp4")
    assert seed_of("own", "café.mp4") != seed_of("own", "cafe.mp4")


def test_settings_refuse_a_name_that_is_no_text():
    given = {"layout": "video_file", "first": "caf\udce9"}
    with pytest.raises(InputError, match=r"^ingest: first: 'caf\\udce9' has bytes that are no UTF"):
        build_settings(IngestSettings, given, "ingest")
