"""The state of a running job, kept so that it can go on where it was killed.

A job has a folder of its own below the state folder, outside everything that Snakemake declares and
deletes. Its name is of the job's target and of everything that decides its numbers, so that a state
is found again by exactly the job that it belongs to::

    <target>-<key>/<n>.state    generation n: what changes while the job runs
    <target>-<key>/<n>.part     results since the generation before, where there were any

Two generations are kept. Each file appears whole or not at all, and begins with a line of JSON that
has the sha256 of the rest; a generation also has those of the parts that it goes on from. What
follows is read without running anything that it says (`torch.load` of weights only).
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
    """The state of one job on disk. Only one process at a time may use it (`writers`).

    Args:
        folder: where the states of all jobs lie.
        target: the file that the job makes.
        key: everything that decides its numbers, as JSON can say it.
    """

    def __init__(self, folder: Path, target: Path, key: Mapping[str, Any]) -> None:
        self._target = target
        self._place = folder / f"{target_id(folder, target)}-{_short_hash(_json(key))}"
        self._generation = 0
        self._parts: list[tuple[int, str]] = []

    def load(self) -> dict[str, Any] | None:
        """Return the newest state that is whole, or None; a damaged one is logged and passed over.

        States of the same target that other settings, code or inputs left are deleted.
        """
        self._forget_others()
        found = sorted(map(_number, self._place.glob("[0-9]*.state")), reverse=True)
        for generation in found:
            try:
                state, parts = self._read_generation(generation)
            except _Damaged as error:
                logger.warning("%s; it is passed over", error)
                continue
            self._generation, self._parts = generation, parts
            self._tidy()
            return state
        if found:
            logger.warning("%s: no state is whole; starting anew", self._place)
        self._generation, self._parts = 0, []
        self._tidy()
        return None

    def parts(self) -> Iterator[list[Any]]:
        """Yield the results up to the state that was loaded, as they were handed to `save`.

        Raises:
            InputError: one has changed since it was loaded.
        """
        for number, digest in self._parts:
            path = self._file(number, "part")
            try:
                yield _unpacked(path, zlib.decompress(_read(path, digest)))
            except (_Damaged, zlib.error) as error:
                raise InputError(f"{error}; start again") from None

    def save(self, state: Mapping[str, Any], part: list[Any] | None = None) -> bool:
        """Write a new generation, and the results since the one before.

        Args:
            state: nested dicts, lists and tuples of tensors, numbers, texts and None.
            part: of the same.

        Returns:
            whether it was written; if not, the generation before is as it was.
        """
        generation = self._generation + 1
        parts = list(self._parts)
        try:
            if part:
                packed = zlib.compress(_packed(part), level=1)
                parts.append((generation, self._write(generation, "part", packed)))
            self._write(generation, "state", _packed({"state": state, "parts": parts}))
        except InputError as error:
            # The job may still end well, and until then nothing that was saved is lost.
            logger.warning("the state could not be saved: %s", error)
            return False
        self._generation, self._parts = generation, parts
        self._file(generation - GENERATIONS, "state").unlink(missing_ok=True)
        return True

    def remove(self) -> None:
        """Delete the state of a job that is done."""
        shutil.rmtree(self._place, ignore_errors=True)

    def _read_generation(self, generation: int) -> tuple[dict[str, Any], list[tuple[int, str]]]:
        """Return a generation's state and its parts, after checking all of their files."""
        path = self._file(generation, "state")
        saved = _unpacked(path, _read(path))
        try:
            state = saved["state"]
            parts = [(int(number), str(digest)) for number, digest in saved["parts"]]
        except (KeyError, TypeError, ValueError):
            raise _Damaged(path, "it is no state") from None
        for number, digest in parts:
            _read(self._file(number, "part"), digest)
        return state, parts

    def _file(self, generation: int, kind: str) -> Path:
        return self._place / f"{generation:08d}.{kind}"

    def _write(self, generation: int, kind: str, content: bytes | memoryview) -> str:
        """Write a file and return its sha256."""
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

    def _forget_others(self) -> None:
        target, _, _ = self._place.name.partition("-")
        for other in self._place.parent.glob(f"{target}-*"):
            if other != self._place:
                logger.info(
                    "the state of an earlier run of %s had other settings, inputs or code: deleted",
                    self._target,
                )
                shutil.rmtree(other, ignore_errors=True)

    def _tidy(self) -> None:
        """Delete what a killed process left that no whole generation knows of."""
        kept = {self._file(number, "part") for number, _ in self._parts}
        kept |= {self._file(self._generation - back, "state") for back in range(GENERATIONS)}
        for path in self._place.glob("*"):
            if path not in kept:
                path.unlink(missing_ok=True)


def target_id(folder: Path, target: Path) -> str:
    """Return what a target is known by in a state folder, however its path is written."""
    place = os.path.relpath(target.parent.resolve(), folder.resolve())
    return _short_hash(os.path.join(place, target.name).encode())


class _Damaged(Exception):
    """A file that is not what was written."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: this part of a saved state cannot be used ({reason})")


def _read(path: Path, expected: str | None = None) -> bytes:
    """Return what follows a file's first line, after checking that it is what was written."""
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
        raise _Damaged(path, "it is of another version")
    if digest != hashlib.sha256(content).hexdigest() or expected not in (None, digest):
        raise _Damaged(path, "it is cut short or damaged")
    return content


def _packed(value: Any) -> memoryview:
    file = io.BytesIO()
    torch.save(value, file)
    # Not a copy: a state may have a gigabyte.
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
