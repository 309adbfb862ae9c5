"""What files note of the source text: its commit, which decides no result."""

import os
import shutil
import signal
import subprocess

import pytest

import videottt
from verbs import train
from videottt.core import provenance as module
from videottt.core.progress import Progress
from videottt.core.provenance import provenance, recorded, source_tree
from videottt.models.checkpoint import load_checkpoint

UNKNOWN = {"commit": None, "dirty": None}


@pytest.fixture
def of(monkeypatch):
    """Return a function that says what is recorded of a package in a folder."""

    def state(package):
        monkeypatch.setattr(videottt, "__file__", str(package / "__init__.py"))
        source_tree.cache_clear()
        return source_tree()

    yield state
    source_tree.cache_clear()


def git(folder, *words):
    names = ["-c", "user.name=x", "-c", "user.email=x@y", "-c", "commit.gpgsign=false"]
    command = ["git", "-C", str(folder), *names, *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def package_in(folder):
    folder.mkdir(parents=True)
    for name in ("__init__.py", "häuser & co.py"):
        (folder / name).write_text("")
    return folder


@pytest.fixture
def package(tmp_path):
    """A package in a repository, committed with all else that is there."""
    made = package_in(tmp_path / "repository" / "src" / "videottt")
    (tmp_path / "repository" / ".gitignore").write_text(".venv\n__pycache__\n")
    (tmp_path / "repository" / "README.md").write_text("as it was\n")
    git(tmp_path, "init", "repository")
    git(made, "add", "--all", "..", "../..")
    git(made, "commit", "-m", "first")
    return made


def test_the_commit_is_that_of_the_package_and_dirty_is_what_differs_in_it(
    package, of, tmp_path, monkeypatch
):
    commit = git(package, "rev-parse", "HEAD")
    clean, dirty = ({"commit": commit, "dirty": each} for each in (False, True))
    assert of(package) == clean
    # Other files of the repository decide nothing, nor do those that the package is compiled to.
    (package.parents[1] / "README.md").write_text("changed\n")
    (package.parents[1] / "results.csv").write_text("new\n")
    package_in(package / "__pycache__")
    assert of(package) == clean
    (package / "new.py").write_text("")
    assert of(package) == dirty
    (package / "new.py").unlink()
    (package / "häuser & co.py").write_text("changed\n")
    assert of(package) == dirty
    git(package, "add", ".")
    assert of(package) == dirty
    git(package, "commit", "-m", "second")
    second = {"commit": git(package, "rev-parse", "HEAD"), "dirty": False}
    assert of(package) == second != clean
    (package / "häuser & co.py").unlink()
    assert of(package) == {**second, "dirty": True}
    git(package, "checkout", ".")
    # As a hook of another repository has it.
    git(tmp_path, "init", "other")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "other" / ".git"))
    assert of(package) == second


def test_a_package_that_no_repository_tracks_has_no_commit(package, of, tmp_path, monkeypatch):
    repository = package.parents[1]
    for place in (".venv/lib/site-packages", "untracked", "src/videottt/__pycache__"):
        assert of(package_in(repository / place / "videottt")) == UNKNOWN
    assert of(package_in(tmp_path / "elsewhere" / "videottt")) == UNKNOWN
    git(tmp_path, "init", "empty")
    assert of(package_in(tmp_path / "empty" / "videottt")) == UNKNOWN
    assert of(package)["commit"]
    shutil.rmtree(repository / ".git" / "objects")
    assert of(package) == UNKNOWN
    monkeypatch.setenv("PATH", str(tmp_path))
    assert of(package) == UNKNOWN


def test_git_is_asked_once_where_a_job_starts_and_waited_for_no_longer_than_it_may(
    package, of, tmp_path, monkeypatch
):
    count = tmp_path / "count"
    command = tmp_path / "git"
    command.write_text(f"#!/bin/sh\necho called >> {count}\necho '# branch.oid abc'\n{{}}\n")
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    text = command.read_text()
    command.write_text(text.format(""))
    monkeypatch.setattr(videottt, "__file__", str(package / "__init__.py"))
    source_tree.cache_clear()
    identity = provenance(x=1)
    assert identity.keys().isdisjoint(UNKNOWN)
    command.unlink()
    assert [recorded(identity) for _ in range(2)] == [
        {**identity, "commit": "abc", "dirty": False}
    ] * 2
    assert count.read_text() == "called\n"
    command.write_text(text.format("exec sleep 60"))
    command.chmod(0o755)
    monkeypatch.setattr(module, "PATIENCE", 0.3)
    assert of(package) == UNKNOWN


# What is recognised; predictions are in test_journal.py


def test_a_commit_of_words_throws_no_state_of_a_training_away(
    store_path, tmp_path, monkeypatch, caplog
):
    caplog.set_level("INFO")
    whole, resumed = tmp_path / "whole.safetensors", tmp_path / "resumed.safetensors"
    report = Progress.report

    def stopped(self, done, detail=""):
        if done == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        report(self, done, detail)

    def at_commit(name, dirty):
        state = {"commit": name, "dirty": dirty}
        monkeypatch.setattr("videottt.core.provenance.source_tree", lambda: state)

    at_commit("first", dirty=False)
    train(store_path, whole)
    with monkeypatch.context() as patched:
        patched.setattr(Progress, "report", stopped)
        with pytest.raises(SystemExit) as caught:
            train(store_path, resumed, state=tmp_path / "states")
    assert caught.value.code == 75
    at_commit("second", dirty=True)
    train(store_path, resumed, state=tmp_path / "states")
    assert "resuming after iteration 3" in caplog.text
    notes = [load_checkpoint(path).provenance for path in (whole, resumed)]
    assert [each.pop("commit") for each in notes] == ["first", "second"]
    assert [each.pop("dirty") for each in notes] == [False, True]
    assert notes[0] == notes[1]
