"""Unpack archives: only what is wanted, whole or not at all, and nowhere else."""

import fnmatch
import logging
import os
import shutil
import tempfile
from pathlib import Path, PurePosixPath

from humanize import naturalsize

from videottt.core.errors import InputError
from videottt.core.progress import MEGABYTE, Progress
from videottt.data.fetch import archives
from videottt.data.fetch.archives import Member
from videottt.data.fetch.catalogue import STEM, Unpacking

logger = logging.getLogger(__name__)


def unpack(archive: Path, wanted: Unpacking, data_root: Path, first: str) -> None:
    """Unpack what is wanted of a zip or tar archive to below `data_root`.

    It is written to a hidden folder beside its place, flushed to disk and then renamed: a run that
    is killed leaves nothing else, and the next removes it. What is there already is left alone. The
    caller sees to it that no other process unpacks the same archive.

    Args:
        archive: a zip, or a tar that may be compressed.
        wanted: which members, to where, and how much at most.
        data_root: what places are below.
        first: the place that appears last: if it is there, all is.

    Raises:
        InputError: as `archives.members`; names repeat, or differ by case alone; it is larger than
            declared, or what is wanted is not in it; or there is no space.
    """
    top = data_root / PurePosixPath(first).parts[0]
    staging = top / f".{archive.name}.unpacking"
    # Left by a run that was killed.
    shutil.rmtree(staging, ignore_errors=True)
    try:
        staging.mkdir(parents=True)
        check_space(staging, archives.size_within(archive), archive)
        _Unpacker(archive, wanted, staging).run()
        # A million fsyncs would take hours.
        os.sync()
        _settle(staging / top.name, top, data_root / first)
    except OSError as error:
        raise InputError(
            f"{archive}: cannot be unpacked to {top}: {error.strerror or error}; free space or "
            "choose another data_root"
        ) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def check_space(folder: Path, needed: int, what: object) -> None:
    """Raise an InputError if a file system has not so many bytes free."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise InputError(
            f"{what}: needs {naturalsize(needed)}, and {folder} has {naturalsize(free)} free; free "
            "space or choose another data_root"
        )


class _Unpacker:
    """Writes what is wanted of one archive to a folder, by the places below data_root.

    Bytes and files are counted as they are written: headers may lie.
    """

    def __init__(self, archive: Path, wanted: Unpacking, staging: Path) -> None:
        self._archive = archive
        self._wanted = wanted
        self._staging = staging
        self._bytes = 0
        self._files: set[str] = set()
        self._folders: dict[str, str] = {}

    def run(self) -> None:
        logger.info("unpacking %s", self._archive)
        # Never done: the end of a compressed archive is read long before its last member.
        progress = Progress(self._archive.stat().st_size + 1, "MB", size=MEGABYTE)
        missing = {*self._wanted.members, *self._wanted.nested}
        for member in archives.members(self._archive):
            progress.report(member.read)
            pattern = _pattern(member.name, self._wanted.nested)
            if pattern is not None:
                missing.discard(pattern)
                self._write_nested(member, self._wanted.nested[pattern])
            else:
                missing.discard(self._write(self._archive, member, self._wanted.members))
        _check_all_found(self._archive, missing)

    def _write_nested(self, member: Member, wanted: dict[str, str]) -> None:
        """Write what is wanted of an archive in the archive."""
        stem = PurePosixPath(member.name).stem
        places = {name.replace(STEM, stem): p.replace(STEM, stem) for name, p in wanted.items()}
        missing = set(places)
        with tempfile.TemporaryDirectory(dir=self._staging, prefix=".nested") as folder:
            inner = Path(folder) / PurePosixPath(member.name).name
            with inner.open("xb") as file:
                for chunk in archives.read(self._archive, member):
                    file.write(chunk)
                    self._check_bytes(self._bytes + file.tell())
            for each in archives.members(inner):
                missing.discard(self._write(inner, each, places))
            _check_all_found(inner, missing)

    def _write(self, archive: Path, member: Member, wanted: dict[str, str]) -> str | None:
        """Write a member if it is wanted; return the key of `wanted` that it belongs to."""
        match = _place(member.name, wanted)
        if match is None:
            return None
        key, place = match
        self._claim(place)
        path = self._staging / place
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            for chunk in archives.read(archive, member):
                self._bytes += len(chunk)
                self._check_bytes(self._bytes)
                file.write(chunk)
        return key

    def _claim(self, place: str) -> None:
        """Take a place, as a file system that ignores case would."""
        taken = place.casefold()
        clash = taken in self._files or taken in self._folders
        for parent in list(PurePosixPath(place).parents)[:-1]:
            name = str(parent)
            written = self._folders.setdefault(name.casefold(), name)
            clash = clash or written != name or name.casefold() in self._files
        if clash:
            raise InputError(
                f"{self._archive}: has more than one member for '{place}', or names that differ by "
                "case alone; nothing of it is unpacked"
            )
        self._files.add(taken)
        if len(self._files) > self._wanted.most_files:
            raise self._too_large(f"{self._wanted.most_files} files")

    def _check_bytes(self, count: int) -> None:
        if count > self._wanted.most_bytes:
            raise self._too_large(f"{self._wanted.most_bytes} bytes")

    def _too_large(self, what: str) -> InputError:
        return InputError(
            f"{self._archive}: unpacks to more than the {what} that the list of sources declares; "
            "nothing of it is kept: it is not the archive that was meant, or the list is wrong"
        )


def _check_all_found(archive: Path, missing: set[str]) -> None:
    for name in sorted(missing):
        raise InputError(
            f"{archive.name}: holds nothing named '{name}'; it is not the archive that was meant: "
            "remove it, or unpack it by hand"
        )


def _pattern(name: str, nested: dict[str, dict[str, str]]) -> str | None:
    return next((each for each in nested if fnmatch.fnmatchcase(name, each)), None)


def _place(name: str, members: dict[str, str]) -> tuple[str, str] | None:
    """Return which key of `members` a name belongs to, and its own place; None if to none."""
    best = None
    for wanted, place in members.items():
        folder = wanted.endswith("/") or not wanted
        if name == wanted or (folder and name.startswith(wanted)):
            found = (wanted, place + name.removeprefix(wanted) if folder else place)
            best = found if best is None or len(wanted) > len(best[0]) else best
    return best


def _settle(made: Path, place: Path, last: Path) -> None:
    """Move what was made to its place: at once where there is nothing, else what is in it.

    `last`, or what holds it, is moved after all the rest.
    """
    if not place.exists():
        made.rename(place)
    elif made.is_dir() and place.is_dir():
        inside = sorted(made.iterdir(), key=lambda each: last.is_relative_to(place / each.name))
        for each in inside:
            _settle(each, place / each.name, last)
    else:
        logger.info("%s is there already, and is left as it is", place)
