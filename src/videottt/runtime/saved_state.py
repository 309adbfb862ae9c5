"""Save the state of a running job, and resume the job from it after it was killed.

Each job has a folder below the state folder, outside everything that Snakemake declares and
deletes. The folder's name is a hash of the job's target and of everything that decides its numbers,
so that only the same job finds the state again::

    <target>-<key>/<n>.state    generation n: everything that changes while the job runs
    <target>-<key>/<n>.part     results since generation n - 1, if there are any

Two generations are kept. Each file appears complete or not at all, and begins with a line of JSON
that has the SHA-256 of the rest; a generation also lists the SHA-256 of every part up to it. The
rest is read by `torch.load` with weights only, which runs no code of the file.
"""

import hashlib
import io
import json
import logging
import os
import pickle
import shutil
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from videottt.core.errors import InputError
from videottt.core.files import complete_file

logger = logging.getLogger(__name__)

FORMAT = "videottt state"
VERSION = 1
GENERATIONS = 2


class SavedState:
    """The state of one job on disk; one process at a time may use it (see `claims`).

    Args:
        folder: the folder of the states of all jobs.
        target: the file that the job makes.
        key: everything that decides the numbers in that file, as JSON values.
    """

    def __init__(self, folder: Path, target: Path, key: Mapping[str, Any]) -> None:
        self._target = target
        self._folder = folder / f"{target_id(folder, target)}-{_short_hash(_json(key))}"
        self._generation = 0
        self._parts: list[tuple[int, str]] = []

    def load(self) -> dict[str, Any] | None:
        """Return the newest undamaged state, or None; damaged states are logged and skipped.

        States of the same target with other settings, code or inputs are deleted.
        """
        self._delete_outdated()
        generations = sorted(map(_number, self._folder.glob("[0-9]*.state")), reverse=True)
        for generation in generations:
            try:
                state, parts = self._read_generation(generation)
            except _Damaged as error:
                logger.warning("%s; it is skipped", error)
                continue
            self._generation, self._parts = generation, parts
            self._delete_unreferenced()
            return state
        if generations:
            logger.warning(
                "%s: every saved state is damaged; the job starts from the beginning", self._folder
            )
        self._generation, self._parts = 0, []
        self._delete_unreferenced()
        return None

    def parts(self) -> Iterator[list[Any]]:
        """Yield the results up to the loaded state, as they were passed to `save`.

        Raises:
            InputError: a part has changed since the state was loaded.
        """
        for number, digest in self._parts:
            path = self._file(number, "part")
            try:
                yield _unpacked(path, zlib.decompress(_read(path, digest)))
            except (_Damaged, zlib.error) as error:
                raise InputError(f"{error}; run the same command again") from None

    def save(self, state: Mapping[str, Any], part: list[Any] | None = None) -> bool:
        """Write a new generation, and the results since the last one.

        Args:
            state: nested dicts, lists and tuples of tensors, numbers, texts and None.
            part: the results, of the same types.

        Returns:
            whether the generation was written; if not, the last one is unchanged.
        """
        generation = self._generation + 1
        parts = list(self._parts)
        try:
            if part:
                packed = zlib.compress(_packed(part), level=1)
                parts.append((generation, self._write(generation, "part", packed)))
            self._write(generation, "state", _packed({"state": state, "parts": parts}))
        # The folder may be removed while a file is written into it.
        except (InputError, FileNotFoundError) as error:
            # The job may still succeed, and the last saved state is intact.
            logger.warning("the state could not be saved, and the job goes on: %s", error)
            return False
        self._generation, self._parts = generation, parts
        self._file(generation - GENERATIONS, "state").unlink(missing_ok=True)
        return True

    def remove(self) -> None:
        """Delete the state of a job that is done."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _read_generation(self, generation: int) -> tuple[dict[str, Any], list[tuple[int, str]]]:
        """Check all files of a generation, and return its state and parts."""
        path = self._file(generation, "state")
        saved = _unpacked(path, _read(path))
        try:
            state = saved["state"]
            parts = [(int(number), str(digest)) for number, digest in saved["parts"]]
        except (KeyError, TypeError, ValueError):
            raise _Damaged(path, "it holds no state") from None
        for number, digest in parts:
            _read(self._file(number, "part"), digest)
        return state, parts

    def _file(self, generation: int, kind: str) -> Path:
        return self._folder / f"{generation:08d}.{kind}"

    def _write(self, generation: int, kind: str, content: bytes | memoryview) -> str:
        """Write a file and return the SHA-256 of its content."""
        digest = hashlib.sha256(content).hexdigest()
        first = {
            "format": FORMAT,
            "version": VERSION,
            "sha256": digest,
            "target": os.fspath(self._target),
        }
        with complete_file(self._file(generation, kind)) as part, part.open("wb") as file:
            file.write(_json(first) + b"\n")
            file.write(content)
        return digest

    def _delete_outdated(self) -> None:
        target, _, _ = self._folder.name.partition("-")
        for other in self._folder.parent.glob(f"{target}-*"):
            if other != self._folder:
                logger.info(
                    "%s: deleted the state of an earlier run with other settings, inputs or code",
                    self._target,
                )
                shutil.rmtree(other, ignore_errors=True)

    def _delete_unreferenced(self) -> None:
        """Delete files of killed processes to which no complete generation refers."""
        kept = {self._file(number, "part") for number, _ in self._parts}
        kept |= {self._file(self._generation - back, "state") for back in range(GENERATIONS)}
        for path in self._folder.glob("*"):
            if path not in kept:
                path.unlink(missing_ok=True)


def target_id(folder: Path, target: Path) -> str:
    """Return the id of a target in a state folder; it is the same for every spelling of a path."""
    place = os.path.relpath(target.parent.resolve(), folder.resolve())
    return _short_hash(os.fsencode(os.path.join(place, target.name)))


class _Damaged(Exception):
    """A file of a saved state is damaged."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: this file of a saved state cannot be used ({reason})")


def _read(path: Path, expected: str | None = None) -> bytes:
    """Verify a file by its first line, and return the content after that line."""
    try:
        first, _, content = path.read_bytes().partition(b"\n")
        head = json.loads(first)
        known = (head["format"], head["version"]) == (FORMAT, VERSION)
        digest = head["sha256"]
    except OSError as error:
        raise _Damaged(path, str(error.strerror)) from None
    except (ValueError, KeyError, TypeError):
        raise _Damaged(path, "its first line is damaged") from None
    if not known:
        raise _Damaged(path, "its format or version is unknown")
    if digest != hashlib.sha256(content).hexdigest() or expected not in (None, digest):
        raise _Damaged(path, "it is truncated or damaged")
    return content


def _packed(value: Any) -> memoryview:
    file = io.BytesIO()
    torch.save(value, file)
    # A view and no copy, because a state may take a gigabyte.
    return file.getbuffer()


def _unpacked(path: Path, content: bytes) -> Any:
    try:
        return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        raise _Damaged(path, str(error).splitlines()[0]) from None


def _number(path: Path) -> int:
    return int(path.stem) if path.stem.isdecimal() else 0


def _json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True).encode()


def _short_hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]
