"""What comes from elsewhere: workflow/resources/datasets.yaml, and what of it is at hand.

Nothing here touches the network; see videottt.data.fetch.fetching for what does.
"""

import os
import re
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

import yaml

from videottt.core.errors import InputError, nearest
from videottt.core.settings import build_settings

DOWNLOADS = "downloads"  # below data_root
ACCESS = ("open", "cityscapes", "by_hand")
# In what an archive in an archive is unpacked to: its name without its suffix.
STEM = "{stem}"
_DIGITS = re.compile(r"[0-9a-f]+")
_NAME = re.compile(r"[\w.()-]*\w[\w.()-]*")


@dataclass(frozen=True)
class Unpacking:
    """What is taken of an archive, and where it goes.

    Attributes:
        members: place below data_root of each name in the archive; a name that ends in ``/`` (or is
            empty: everything) begins those of a folder, and so does its place. The longest counts.
        nested: the same of archives in the archive, by a shell pattern of their names; ``{stem}``
            is the name of such an archive without its suffix.
        most_bytes: that may be unpacked in all.
        most_files: likewise.
    """

    members: dict[str, str]
    most_bytes: int
    most_files: int
    nested: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def places(self) -> list[str]:
        """All places below data_root that something is unpacked to."""
        return [place for each in (self.members, *self.nested.values()) for place in each.values()]


@dataclass(frozen=True)
class Source:
    """A file from elsewhere.

    Attributes:
        file: its name below ``data_root/downloads``, and below a mirror.
        bytes: its size, of what is downloaded.
        licence: of the data.
        purpose: what it is needed for.
        access: ``open``; ``cityscapes``, which needs a login; ``by_hand``, which needs a browser.
        provides: files or folders below data_root, the last part of which may be a shell pattern.
            Any of them counts as at hand; the first is what fetching makes.
        urls: of http or https, tried in turn; none where access is by hand.
        exact_bytes: whether `bytes` is exact.
        sha256: in hexadecimal, or its first digits, at least 8.
        md5: likewise, at least 6.
        instructions: what a person has to do, where access is not open.
        unpack: what is taken of an archive; a single file is provided as it is.
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
        """Return the file or folder of `provides` that is at hand, or None."""
        for name in self.provides:
            pattern = data_root / name
            found = sorted(pattern.parent.glob(pattern.name)) if "*" in name else [pattern]
            for path in found:
                if _is_there(path):
                    return path
        return None

    def target(self, data_root: Path) -> Path:
        """Return what is at hand, or else what fetching makes."""
        return self.place(data_root) or data_root / self.provides[0]

    def download(self, data_root: Path) -> Path:
        """Return where the file is downloaded to, or may be put by hand."""
        return data_root / DOWNLOADS / self.file


def read_sources(path: Path) -> dict[str, Source]:
    """Return the sources of a YAML file by their ids.

    Raises:
        InputError: the file is missing, is no such file, or an entry cannot be right.
    """
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: no YAML ({' '.join(str(error).split())}); mend it") from None
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
    if "unpack" in values:
        values["unpack"] = _unpacking(values["unpack"], f"{where}: unpack")
    source = build_settings(Source, values, where)
    _check(source, where)
    return source


def _unpacking(entry: Any, where: str) -> Unpacking:
    if not isinstance(entry, dict):
        raise InputError(f"{where}: must be keys and values, got {entry!r}")
    unpacking = build_settings(Unpacking, entry, where)
    for key in ("most_bytes", "most_files"):
        _require(_positive(getattr(unpacking, key)), f"{where}: {key} must be a number above 0")
    for members in (unpacking.members, *unpacking.nested.values()):
        for name, place in members.items():
            _require(_is_place(place), f"{where}: '{place}' is no place below data_root")
            folder = name == "" or name.endswith("/")
            _require(
                folder == place.endswith("/"),
                f"{where}: '{name}' and '{place}' must both end in '/', or neither",
            )
    _require(bool(unpacking.places), f"{where}: takes nothing; name something in members or nested")
    return unpacking


def _check(source: Source, where: str) -> None:
    """Refuse what would only fail when it is fetched."""
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
            f"{where}: '{url}' is no address of http or https",
        )
    for key, least, most in (("sha256", 8, 64), ("md5", 6, 32)):
        digits = getattr(source, key)
        _require(
            digits is None or _is_checksum(digits, least, most),
            f"{where}: {key} must be {least} to {most} hexadecimal digits, between quotation marks",
        )
    _require(bool(source.provides), f"{where}: provides nothing")
    for name in source.provides:
        _require(_is_place(name), f"{where}: '{name}' in provides is no place below data_root")
    first = source.provides[0]
    _require("*" not in first, f"{where}: the first of provides is made, and must be one name")
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
    """Return whether this is a relative path that stays where it is."""
    if not isinstance(name, str) or "\\" in name:
        return False
    path = PurePosixPath(name)
    return bool(path.parts) and not path.is_absolute() and ".." not in path.parts


def _is_there(path: Path) -> bool:
    """Return whether there is a file, or a folder with anything in it but hidden files."""
    if not path.is_dir():
        return path.is_file()
    # Path.iterdir would list all of a million names.
    with os.scandir(path) as entries:
        return any(not entry.name.startswith(".") for entry in entries)
