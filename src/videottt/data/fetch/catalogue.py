"""Read the list of sources, workflow/resources/datasets.yaml, and find those that are present.

This module never uses the network; videottt.data.fetch.fetching does.
"""

import os
import re
from dataclasses import field
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

import yaml

from videottt.core.annotations import Count
from videottt.core.errors import InputError, nearest
from videottt.core.settings import build_settings, settings
from videottt.data.beside import SIDECARS, is_hidden

DOWNLOADS = "downloads"  # below data_root
ACCESS = ("open", "cityscapes", "by_hand")
# Stands for the name of a nested archive, without its suffix, in the places of its members.
STEM = "{stem}"
_DIGITS = re.compile(r"[0-9a-f]+")
_NAME = re.compile(r"[\w.()-]*\w[\w.()-]*")


@settings
class Unpacking:
    """The members to take from an archive, and their places.

    Attributes:
        members: name in the archive -> place below data_root. A name that ends in ``/`` stands for
            all members of that folder, and its place must end in ``/`` too; the empty name stands
            for all members. Of several names that match, the longest counts.
        nested: shell pattern of the names of archives in the archive -> their members; ``{stem}``
            is the name of such an archive without its suffix.
        most_bytes: largest number of bytes to unpack in all.
        most_files: largest number of files to unpack in all.
    """

    members: dict[str, str]
    most_bytes: Count
    most_files: Count
    nested: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def places(self) -> list[str]:
        """Return all places below data_root that members are unpacked to."""
        tables = (self.members, *self.nested.values())
        return [place for table in tables for place in table.values()]


@settings
class Source:
    """A file to download.

    Attributes:
        file: its name below ``data_root/downloads``, and below a mirror.
        bytes: size of the download.
        licence: licence of the data.
        purpose: the use of the data in this project.
        access: ``open``; ``cityscapes``, which needs a login; ``by_hand``, which needs a browser.
        provides: files or folders below data_root, the last part of which may be a shell pattern.
            The source is present if any of them exists; fetching makes the first.
        urls: addresses of http or https, tried in turn; none if access is by hand.
        exact_bytes: whether `bytes` is exact.
        sha256: SHA-256 in hexadecimal, or at least its first 8 digits.
        md5: MD5 in hexadecimal, or at least its first 6 digits.
        instructions: steps for the user, if access is not open.
        unpack: the members to take from an archive; None provides the file as it is.
    """

    file: str
    bytes: int
    licence: str
    purpose: str
    access: str
    provides: tuple[str, ...]
    urls: tuple[str, ...] = ()
    exact_bytes: bool = True
    sha256: str | None = None
    md5: str | None = None
    instructions: str | None = None
    unpack: Unpacking | None = None

    def place(self, data_root: Path) -> Path | None:
        """Return the first file or folder of `provides` that exists, or None."""
        for name in self.provides:
            pattern = data_root / name
            for path in _matching(pattern) if "*" in name else [pattern]:
                if _is_present(path):
                    return path
        return None

    def target(self, data_root: Path) -> Path:
        """Return the file or folder that exists, or else the one that fetching makes."""
        return self.place(data_root) or data_root / self.provides[0]

    def download(self, data_root: Path) -> Path:
        """Return the path that the file is downloaded to, or that the user may put it at."""
        return data_root / DOWNLOADS / self.file


def read_sources(path: Path) -> dict[str, Source]:
    """Return the sources of a YAML file by their ids.

    Raises:
        InputError: the file is missing, is not a list of sources, or has an invalid entry.
    """
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}; check the path") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: is not YAML ({' '.join(str(error).split())}); mend it") from None
    entries = document.get("sources") if isinstance(document, dict) else None
    if not isinstance(entries, dict) or set(document) != {"sources"}:
        raise InputError(f"{path}: must hold 'sources', by id, and nothing else")
    return {name: _source(entry, f"{path}: {name}") for name, entry in entries.items()}


def source_named(path: Path, name: str) -> Source:
    """Return a source of a YAML file by its id.

    Raises:
        InputError: as `read_sources`, or there is no such source.
    """
    sources = read_sources(path)
    if name not in sources:
        raise InputError(f"{path}: unknown source '{name}'; {nearest(name, sources)}")
    return sources[name]


def _source(entry: Any, where: str) -> Source:
    if not isinstance(entry, dict):
        raise InputError(f"{where}: must be keys and values, got {entry!r}")
    values = {key: value for key, value in entry.items() if value is not None}
    source = build_settings(Source, values, where)
    if source.unpack is not None:
        _check_unpacking(source.unpack, f"{where}: unpack")
    _check(source, where)
    return source


def _check_unpacking(unpacking: Unpacking, where: str) -> None:
    for members in (unpacking.members, *unpacking.nested.values()):
        for name, place in members.items():
            _require(_is_place(place), f"{where}: '{place}' is not a path below data_root")
            folder = name == "" or name.endswith("/")
            _require(
                folder == place.endswith("/"),
                f"{where}: '{name}' and '{place}' must both end in '/', or neither",
            )
    _require(bool(unpacking.places), f"{where}: takes nothing; name members or nested archives")


def _check(source: Source, where: str) -> None:
    """Refuse a source that could not be fetched."""
    _require(bool(_NAME.fullmatch(str(source.file))), f"{where}: file must be a plain name")
    _require(_positive(source.bytes), f"{where}: bytes must be a number above 0")
    _require(
        source.access in ACCESS,
        f"{where}: unknown access '{source.access}'; {nearest(str(source.access), ACCESS)}",
    )
    by_hand = source.access == "by_hand"
    _require(by_hand == (not source.urls), f"{where}: urls are needed, unless access is by_hand")
    _require(
        (source.access == "open") == (source.instructions is None),
        f"{where}: instructions are needed where access is not open, and only there",
    )
    for url in source.urls:
        parts = urlsplit(str(url))
        _require(
            parts.scheme in ("http", "https") and bool(parts.hostname),
            f"{where}: '{url}' is not an address of http or https",
        )
    for key, least, most in (("sha256", 8, 64), ("md5", 6, 32)):
        digits = getattr(source, key)
        _require(
            digits is None or _is_checksum(digits, least, most),
            f"{where}: {key} must be {least} to {most} hexadecimal digits, between quotation marks",
        )
    _require(bool(source.provides), f"{where}: provides nothing; name a place below data_root")
    for name in source.provides:
        _require(_is_place(name), f"{where}: '{name}' in provides is not a path below data_root")
    first = source.provides[0]
    _require(
        "*" not in first, f"{where}: fetching makes the first of provides, which must be no pattern"
    )
    if source.unpack:
        tops = {PurePosixPath(place).parts[0] for place in (*source.unpack.places, first)}
        _require(len(tops) == 1, f"{where}: unpacks to more than one folder of data_root: {tops}")


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise InputError(message)


def _positive(value: object) -> bool:
    return type(value) is int and value > 0


def _is_checksum(digits: object, least: int, most: int) -> bool:
    return (
        isinstance(digits, str)
        and least <= len(digits) <= most
        and bool(_DIGITS.fullmatch(digits.lower()))
    )


def _is_place(name: object) -> bool:
    """Return whether a value is a relative path that stays in its folder."""
    if not isinstance(name, str) or "\\" in name:
        return False
    path = PurePosixPath(name)
    return bool(path.parts) and not path.is_absolute() and ".." not in path.parts


def _matching(pattern: Path) -> list[Path]:
    """Return the paths that a pattern of names matches, but for hidden files and sidecars."""
    paths = sorted(pattern.parent.glob(pattern.name))
    return [p for p in paths if not is_hidden(p.name) and p.suffix.lower() not in SIDECARS]


def _is_present(path: Path) -> bool:
    """Return whether a path is a file, or a folder with at least one entry that is not hidden."""
    if not path.is_dir():
        return path.is_file()
    # Unlike Path.iterdir, scandir does not list a million names first.
    with os.scandir(path) as entries:
        return any(not is_hidden(entry.name) for entry in entries)
