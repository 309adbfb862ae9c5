"""Unpack the wanted members of an archive, completely or not at all."""

import fnmatch
import logging
import os
import shutil
import tempfile
from pathlib import Path, PurePosixPath

from humanize import naturalsize

from videottt.core.errors import InputError
from videottt.core.progress import MEGABYTE, Progress
from videottt.data.beside import is_hidden
from videottt.data.fetch import archives
from videottt.data.fetch.archives import Member
from videottt.data.fetch.catalogue import STEM, Unpacking

logger = logging.getLogger(__name__)


def unpack(archive: Path, wanted: Unpacking, data_root: Path, first: str) -> None:
    """Unpack the wanted members of a zip or tar archive below `data_root`.

    Members are written to a hidden folder beside their place, flushed to disk and then renamed. A
    killed run leaves only this folder, which the next run removes. Existing files are left
    unchanged. The caller must keep other processes from unpacking the same archive.

    Args:
        archive: a zip, or a tar that may be compressed.
        wanted: the members, their places and the largest size.
        data_root: the folder of all data.
        first: the place that appears last; once it exists, everything is unpacked.

    Raises:
        InputError: as `archives.members`; names repeat or differ by case alone; the archive is
            larger than declared; a wanted member is missing; or there is no space.
    """
    top = data_root / PurePosixPath(first).parts[0]
    staging = top / f".{archive.name}.unpacking"
    # A killed run may have left it.
    shutil.rmtree(staging, ignore_errors=True)
    try:
        staging.mkdir(parents=True)
        check_space(staging, archives.size_within(archive), archive)
        _Unpacker(archive, wanted, staging).run()
        # One sync for all files, because a million fsyncs would take hours.
        os.sync()
        _move_into_place(staging / top.name, top, data_root / first)
    except OSError as error:
        raise InputError(
            f"{archive}: cannot be unpacked to {top}: {error.strerror or error}; free space or "
            "choose another data_root"
        ) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def check_space(folder: Path, needed: int, what: object) -> None:
    """Raise an InputError if the file system of a folder has fewer than `needed` bytes free."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise InputError(
            f"{what}: needs {naturalsize(needed)}, but {folder} has {naturalsize(free)} free; free "
            "space or choose another data_root"
        )


class _Unpacker:
    """A writer of the wanted members of one archive to a staging folder.

    Bytes and files are counted as they are written, because headers may lie.
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
        # One byte more than the size, because a compressed archive is read to its end long before
        # the last member is written.
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
        """Write the wanted members of an archive inside the archive."""
        stem = PurePosixPath(member.name).stem
        places = {name.replace(STEM, stem): p.replace(STEM, stem) for name, p in wanted.items()}
        missing = set(places)
        with tempfile.TemporaryDirectory(dir=self._staging, prefix=".nested") as folder:
            inner = Path(folder) / PurePosixPath(member.name).name
            with inner.open("xb") as file:
                for chunk in archives.read(self._archive, member):
                    file.write(chunk)
                    self._check_bytes(self._bytes + file.tell())
            for nested in archives.members(inner):
                missing.discard(self._write(inner, nested, places))
            _check_all_found(inner, missing)

    def _write(self, archive: Path, member: Member, wanted: dict[str, str]) -> str | None:
        """Write a member if it is wanted; return its key in `wanted`, or None."""
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
        """Reserve a place; a place that differs by case alone counts as the same."""
        taken = place.casefold()
        clash = taken in self._files or taken in self._folders
        for parent in list(PurePosixPath(place).parents)[:-1]:
            name = str(parent)
            written = self._folders.setdefault(name.casefold(), name)
            clash = clash or written != name or name.casefold() in self._files
        if clash:
            raise InputError(
                f"{self._archive}: has more than one member for '{place}', or names that differ by "
                "case alone, so nothing is unpacked; unpack it by hand"
            )
        self._files.add(taken)
        if len(self._files) > self._wanted.most_files:
            raise self._too_large(f"{self._wanted.most_files} files")

    def _check_bytes(self, count: int) -> None:
        if count > self._wanted.most_bytes:
            raise self._too_large(f"{self._wanted.most_bytes} bytes")

    def _too_large(self, what: str) -> InputError:
        return InputError(
            f"{self._archive}: unpacks to more than the {what} that the list of sources declares, "
            "so nothing is kept; remove it and fetch it again, or correct the list"
        )


def _check_all_found(archive: Path, missing: set[str]) -> None:
    for name in sorted(missing):
        raise InputError(
            f"{archive.name}: holds nothing named '{name}', so it is not the expected archive; "
            "remove it and fetch it again, or unpack it by hand"
        )


def _pattern(name: str, nested: dict[str, dict[str, str]]) -> str | None:
    if _is_hidden_below(name):
        return None
    return next((pattern for pattern in nested if fnmatch.fnmatchcase(name, pattern)), None)


def _place(name: str, members: dict[str, str]) -> tuple[str, str] | None:
    """Return the longest key of `members` that a name falls under, and its place, or None."""
    best = None
    for wanted, place in members.items():
        folder = (wanted.endswith("/") or not wanted) and name.startswith(wanted)
        if name == wanted or (folder and not _is_hidden_below(name.removeprefix(wanted))):
            match = (wanted, place + name.removeprefix(wanted) if folder else place)
            best = match if best is None or len(wanted) > len(best[0]) else best
    return best


def _is_hidden_below(name: str) -> bool:
    """Return whether a path, or a folder on the way to it, is hidden."""
    return any(map(is_hidden, PurePosixPath(name).parts))


def _move_into_place(made: Path, place: Path, last: Path) -> None:
    """Move a file or folder to its place; the content of a folder joins an existing one.

    `last`, or the folder that holds it, is moved after everything else.
    """
    if not place.exists():
        made.rename(place)
    elif made.is_dir() and place.is_dir():
        content = sorted(made.iterdir(), key=lambda path: last.is_relative_to(place / path.name))
        for path in content:
            _move_into_place(path, place / path.name, last)
    else:
        logger.info("%s exists already and is left unchanged", place)
