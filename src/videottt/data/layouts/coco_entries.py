"""Read the values in the JSON files of the COCO layouts: ids, numbers, names of files."""

import json
import logging
import os
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, TypeVar

from videottt.core.errors import InputError, nearest
from videottt.data.beside import is_hidden
from videottt.data.pictures.images import STILLS

logger = logging.getLogger(__name__)

Entry = dict[str, Any]
Id = int | str

Value = TypeVar("Value")

_JPEG = (".jpg", ".jpeg", ".jpe", ".jfif")
# A text that is a whole number. Python converts no text that is much longer.
_NUMBER = re.compile(r"(-?[0-9]{1,300})(?:\.0+)?")


def read_document(path: Path) -> Entry:
    """Return a JSON file that has the lists ``images`` and ``annotations``.

    Raises:
        InputError: the file is missing, is not JSON, or lacks one of the lists.
    """
    if not path.is_file():
        beside = [file.name for file in path.parent.glob("*.json") if not is_hidden(file.name)]
        hint = nearest(path.name, beside) if beside else "check data_root in config.yaml"
        raise InputError(f"{path}: these annotations are missing; {hint}")
    try:
        document: Entry = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: not a readable JSON file ({error}); restore it") from None
    for key in ("images", "annotations"):
        if not isinstance(document, dict) or not isinstance(document.get(key), list):
            raise InputError(f"{path}: has no list '{key}', so it is no COCO file; restore it")
    return document


def field(entry: Entry, key: str, kind: type[Value], where: str) -> Value:
    """Return a value of an entry; 48.0 is an integer.

    Raises:
        InputError: the entry has no such key, or its value is of another type.
    """
    stored = _stored(entry, key)
    if type(stored) is not kind:
        names: dict[type, str] = {int: "an integer", str: "a text", list: "a list"}
        raise InputError(f"{where}: '{key}' is missing or not {names[kind]}; add it")
    value: Value = stored
    return value


def identity(entry: Entry, key: str, where: str) -> Id:
    """Return a value of an entry that is an id: an integer or a text; 48.0 is 48.

    Raises:
        InputError: the entry has no such key, or its value is no id.
    """
    stored = _stored(entry, key)
    if type(stored) not in (int, str):
        raise InputError(f"{where}: '{key}' is missing or not an integer or a text; add it")
    value: Id = stored
    return value


def integer(entry: Entry, key: str, where: str) -> int:
    """Return a value of an entry that is an integer, which may be written as a text.

    Raises:
        InputError: the entry has no such key, or its value is no integer.
    """
    value = as_number(identity(entry, key, where))
    if value is None:
        raise InputError(f"{where}: '{key}' is not an integer; correct it")
    return value


def _stored(entry: Entry, key: str) -> Any:
    stored = entry.get(key) if isinstance(entry, dict) else None
    return int(stored) if type(stored) is float and stored.is_integer() else stored


def as_number(identity: Id) -> int | None:
    """Return the number that an id is or that its text spells; None for another text."""
    if isinstance(identity, int):
        return identity
    spelt = _NUMBER.fullmatch(identity)
    return int(spelt[1]) if spelt else None


def finder(ids: Iterable[Id]) -> Callable[[Id], Id | None]:
    """Return a function that finds an id among `ids`, as it is or as the same number.

    Some files write 48 in one place and "48" in another. An id that is neither, or is the same
    number as several ids, is not found: None.
    """
    known = set(ids)
    numbered: dict[int, Id | None] = {}
    for each in known:
        value = as_number(each)
        if value is not None:
            numbered[value] = None if value in numbered else each

    def find(identity: Id) -> Id | None:
        if identity in known:
            return identity
        value = as_number(identity)
        return None if value is None else numbered.get(value)

    return find


def flag(entry: Entry, key: str, where: str) -> bool:
    """Return a value of an entry that is 0 or 1; 0 where it is absent or null.

    Raises:
        InputError: the value is not 0 or 1.
    """
    value = entry.get(key)
    if value is None:
        return False
    if not isinstance(value, int | float) or value not in (0, 1):
        raise InputError(f"{where}: '{key}' is {value!r}, but must be 0 or 1; correct it")
    return bool(value)


def file_name(entry: Entry, folder: Path, where: str) -> str:
    r"""Return the ``file_name`` of an entry as a path within its folder.

    A separator may be ``\``, and the name may begin with that of the folder.

    Raises:
        InputError: the entry has no file name, or the name leads out of the folder.
    """
    stored = field(entry, "file_name", str, where)
    if "://" in stored:
        raise InputError(
            f"{where}: the file_name {stored!r} is an address; give the name of its file in "
            f"{folder}"
        )
    path, foreign = PurePosixPath(stored.replace("\\", "/")), PureWindowsPath(stored)
    if path.is_absolute() or foreign.root or ".." in foreign.parts or "\0" in stored:
        raise InputError(
            f"{where}: the file_name {stored!r} leads outside its folder; give the name within it"
        )
    if not path.name:
        raise InputError(f"{where}: the file_name {stored!r} is empty; give the name of its file")
    first, *within = path.parts
    if within and first == folder.name and not (folder / first).is_dir():
        path = PurePosixPath(*within)
    return str(path)


def without_suffix(name: str) -> str:
    """Return the name of a file without the suffix of a picture; that of frame.0001 is none."""
    bare, suffix = os.path.splitext(name)
    return bare if suffix.lower() in STILLS else name


def stored_picture(folder: Path, name: str) -> Path:
    """Return the picture of a name, whose suffix may be missing or be of another spelling."""
    path = folder / name
    suffix = path.suffix.lower()
    spellings = _JPEG if suffix in _JPEG else (suffix,) if suffix in STILLS else STILLS
    return path if is_file(path) else _spelt_otherwise(folder, name, spellings) or path


def stored_map(folder: Path, name: str) -> Path:
    """Return the PNG of a name, whose suffix may be missing or be that of the photograph."""
    path = folder / name
    if path.suffix.lower() == ".png" and is_file(path):
        return path
    return _spelt_otherwise(folder, name, (".png",)) or path


def _spelt_otherwise(folder: Path, name: str, suffixes: Sequence[str]) -> Path | None:
    """Return the only file of a name with one of some suffixes, in small or capital letters."""
    bare = without_suffix(name)
    # Some file systems find a file by a name in small and in capital letters.
    files = {
        suffix: path
        for suffix in suffixes
        for spelt in (suffix.upper(), suffix)
        if is_file(path := folder / (bare + spelt))
    }
    return next(iter(files.values())) if len(files) == 1 else None


def is_file(path: Path) -> bool:
    """Return whether a file exists; unlike Path.is_file, False for a name that is too long."""
    return os.path.isfile(path)


def warn_of_left_out(source: Path, parts: Sequence[str]) -> None:
    """Warn in one line of what is left out of a JSON file, if anything is."""
    if parts:
        logger.warning("%s: left out %s", source, " and ".join(parts))
