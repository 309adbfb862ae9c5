"""Writing to full or read-only disks, and removing the files of killed processes."""

import ast
import os
import re
import resource
import shutil
import socket
import subprocess
import sys

import pandas as pd
import pytest
import torch
from safetensors.torch import save_file

from support import ROOT
from verbs import FIXED, ingesting, predict, refused
from videottt.cli import main
from videottt.core.errors import InputError
from videottt.core.files import complete_file, write_csv, write_text

SOURCE = ROOT / "src/videottt"
LOCKS = """
#include <errno.h>
#include <sys/file.h>
int flock(int file, int operation) { errno = %s; return -1; }
"""


@pytest.fixture
def disk(tmp_path):
    """Return a function that mounts a small disk with so many bytes free."""
    place = tmp_path / "disk"
    place.mkdir()

    def mounted(free, options="size=1m"):
        command = ["mount", "-t", "tmpfs", "-o", options, "none", str(place)]
        if shutil.which("mount") is None or subprocess.run(command, check=False).returncode:
            pytest.skip("may not mount a disk")
        found = os.statvfs(place)
        if free is not None:
            rest = found.f_bavail * found.f_frsize - free
            (place / "full").write_bytes(b"x" * rest)
        return place

    yield mounted
    # Lazily: HDF5 may still have a deleted file open.
    subprocess.run(["umount", "-l", str(place)], check=False, capture_output=True)


@pytest.fixture
def clip(source_frames, tmp_path):
    """A video as a folder of images."""
    from PIL import Image

    folder = tmp_path / "videos/clip"
    folder.mkdir(parents=True)
    for frame in source_frames[:4]:
        Image.fromarray(frame.image).save(folder / f"{frame.name}.png")
    return folder.parent


@pytest.fixture
def jobs(clip, store_path, main_task_checkpoint, tmp_path):
    """Return the command of each verb, as a function of its output."""
    made = {name: tmp_path / f"{name}.h5" for name in ("predictions", "scores")}

    def predicted(output):
        predict(store_path, main_task_checkpoint, output, settings=FIXED)

    def scored(output):
        predicted(made["predictions"])
        main(["score", "--frames", str(store_path), "--predictions", str(made["predictions"]),
              "--split", "test", "--output", str(output)])  # fmt: skip

    def aggregated(output):
        scored(made["scores"])
        main(["aggregate", "--scores", str(made["scores"]), "--output", str(output)])

    return {
        "ingest": lambda output: main(ingesting(clip, output)),
        "predict": predicted,
        "score": scored,
        "aggregate": aggregated,
    }


@pytest.mark.parametrize(
    ("verb", "free"),
    [("ingest", 0), ("ingest", 16384), ("predict", 4096), ("score", 0), ("aggregate", 0)],
)
def test_a_full_disk_is_reported_in_one_line_and_the_same_command_works_once_there_is_space(
    disk, jobs, capsys, verb, free
):
    place = disk(free)
    line = refused(capsys, lambda: jobs[verb](place / "x.h5"))
    assert f"{place}/x.h5: cannot be written: No space left on device; free space or" in line
    assert os.listdir(place) == ["full"]
    (place / "full").unlink()
    jobs[verb](place / "x.h5")
    assert os.listdir(place) == ["x.h5"]


@pytest.mark.parametrize("limited", ["disk", "file size"])
def test_the_exit_status_is_2_if_hdf5_cannot_write(disk, clip, limited):
    place = disk(16384 if limited == "disk" else None)
    found = subprocess.run(
        [sys.executable, "-m", "videottt", *ingesting(clip, place / "x.h5")],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=None if limited == "disk" else limit_file_size,
    )
    mend = "free space" if limited == "disk" else "raise the limit on the size of files (ulimit -f)"
    assert (found.returncode, len(found.stderr.splitlines())) == (2, 1)
    assert f"{place}/x.h5: cannot be written" in found.stderr
    assert mend in found.stderr
    assert not list(place.glob(".*"))


def limit_file_size():
    resource.setrlimit(resource.RLIMIT_FSIZE, (16384, 16384))


@pytest.mark.parametrize("verb", ["ingest", "predict", "aggregate"])
def test_a_read_only_disk_is_named(disk, jobs, capsys, verb):
    place = disk(None, "ro")
    line = refused(capsys, lambda: jobs[verb](place / "x.h5"))
    assert f"{place}/x.h5: cannot be written: Read-only file system; make it writable" in line


WRITERS = {
    "torch": lambda part: torch.save({"weights": torch.zeros(10**6)}, part),
    "safetensors": lambda part: save_file({"weights": torch.zeros(10**6)}, part),
    "text": lambda part: part.write_text("x" * 10**6),
}


@pytest.mark.parametrize("library", WRITERS)
def test_a_full_disk_is_reported_for_every_library_that_writes(disk, library):
    place = disk(1000)
    with pytest.raises(InputError, match="cannot be written: No space left"):  # noqa: SIM117
        with complete_file(place / "x") as part:
            WRITERS[library](part)
    assert os.listdir(place) == ["full"]


def test_a_download_that_does_not_fit_is_reported_in_one_line_and_fetched_once_there_is_space(
    disk, sources, capsys
):
    place = disk(4096)
    sources.root = place / "data"
    line = sources.refusal(capsys, "weights")
    assert re.search(r"\d (Bytes|[kMGT]B) free; free space or choose another data_root", line)
    (place / "full").unlink()
    sources.fetch("weights")
    assert (sources.root / "weights/w.pth").stat().st_size == 7000


def test_an_error_about_another_file_is_not_reported_for_this_file(tmp_path):
    with pytest.raises(PermissionError), complete_file(tmp_path / "x"):
        raise PermissionError(13, "Permission denied", "another file")
    with pytest.raises(InputError, match="about a frame"), complete_file(tmp_path / "x"):
        raise InputError("about a frame")
    assert not list(tmp_path.iterdir())


def test_temporary_files_are_removed_only_if_their_process_is_dead(tmp_path):
    dead = subprocess.Popen(["true"])
    dead.wait()
    here, alive = socket.gethostname(), os.getppid()
    kept = [
        f".x.{here}.{alive}.part.h5",
        f".x.elsewhere.{dead.pid}.part.h5",
        f".xx.{here}.{dead.pid}.part.h5",
        f".x.{here}.{dead.pid}.part.json",
        ".x.part.h5",
        "x.h5",
    ]
    for name in [*kept, f".x.{here}.{dead.pid}.part.h5"]:
        (tmp_path / name).write_text("half")
    with complete_file(tmp_path / "x.h5") as part:
        part.write_text("whole")
        assert f".{here}.{os.getpid()}." in part.name
    assert sorted(os.listdir(tmp_path)) == sorted(kept)
    assert (tmp_path / "x.h5").read_text() == "whole"


def test_a_file_name_may_have_any_characters(tmp_path):
    for name in ("a b.h5", "$(touch canary).h5", "*.h5", "[ab].h5", "-rf", "a\nb.h5", "'\".h5"):
        write_text(tmp_path / name, "text")
        assert (tmp_path / name).read_text() == "text"
    with pytest.raises(InputError, match="File name too long; choose a shorter name"):
        write_text(tmp_path / ("x" * 250), "text")
    assert len(list(tmp_path.iterdir())) == 7


# HDF5


def test_hdf5_files_are_opened_in_one_module_and_never_changed_later():
    calls = [
        (path.name, call)
        for path in SOURCE.rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call) and ast.unparse(call.func) in ("h5py.File", "File")
    ]
    assert {name for name, _ in calls} == {"hdf5.py"}
    assert sorted(ast.literal_eval(call.args[1]) for _, call in calls) == ["r", "w"]
    assert not any("swmr" in ast.unparse(call) for _, call in calls)


@pytest.fixture
def without_locks(tmp_path):
    """Return a function that gives an environment in which flock fails with an error."""
    if shutil.which("cc") is None:
        pytest.skip("needs a C compiler")

    def environment(error, locking):
        library = tmp_path / f"{error}.so"
        source = library.with_suffix(".c")
        source.write_text(LOCKS % error)
        subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True)
        own = {"HDF5_USE_FILE_LOCKING": locking} if locking else {}
        return os.environ | {"LD_PRELOAD": str(library)} | own

    return environment


@pytest.mark.parametrize(
    ("error", "locking", "works"),
    [
        ("ENOSYS", None, True),
        ("ENOSYS", "BEST_EFFORT", True),
        ("ENOSYS", "TRUE", False),
        ("ENOLCK", "BEST_EFFORT", False),
        ("ENOLCK", "FALSE", True),
    ],
)
def test_a_file_system_without_locks(
    without_locks, store_path, clip, tmp_path, error, locking, works
):
    environment = without_locks(error, locking)
    for command in (
        ingesting(clip, tmp_path / "new.h5"),
        ["score", "--frames", str(store_path), "--predictions", "none", "--split", "s",
         "--output", str(tmp_path / "s.h5")],
    ):  # fmt: skip
        found = subprocess.run(
            [sys.executable, "-m", "videottt", *command],
            env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert ("hdf5_locking: 'off'" in found.stderr) is not works, found.stderr
        assert found.returncode == (0 if works and command[0] == "ingest" else 2)


def test_names_that_are_no_text_are_written_as_text(tmp_path):
    path = tmp_path / "caf\udce9.csv"
    write_text(path, "caf\udce9, café")
    assert path.read_bytes() == "caf\\udce9, café".encode()
    write_csv(path, pd.DataFrame({"video": ["caf\udce9", "café"], "value": [1, 2]}))
    assert pd.read_csv(path).video.tolist() == ["caf\\udce9", "café"]
