"""Ensure that a source is where the readers of data sets look for it, and record what it is."""

import json
import logging
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import quote

from videottt.core.errors import InputError
from videottt.core.files import complete_file, write_text
from videottt.data.fetch import checksums
from videottt.data.fetch.catalogue import Source
from videottt.data.fetch.checksums import Mismatch, Verified, Wanted
from videottt.data.fetch.downloads import discard_part, download, new_session, writer_of
from videottt.data.fetch.logins import cityscapes_credentials, log_in_to_cityscapes, published_md5
from videottt.data.fetch.unpacking import unpack

OWN_COPY = "own copy"

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Origin:
    """Where a file came from, and what it is.

    Attributes:
        origin: an address, or "own copy" of what the user put there.
        sha256: of the file that is downloaded, in hexadecimal; None of a folder of the user's own.
        bytes: likewise.
        checksum: what it agrees with: "published", "first use" or "none".
    """

    origin: str = OWN_COPY
    sha256: str | None = None
    bytes: int | None = None
    checksum: str = "none"


def fetch(
    source: Source, name: str, data_root: Path, *, mirror: str | None, offline: bool, output: Path
) -> None:
    """Ensure that a source is present below `data_root`, and record what it is.

    What is at hand is used as it is: a single file is verified. Else its file is taken from
    ``data_root/downloads``, where it may have been put by hand, or fetched to there: first from the
    mirror. An archive is unpacked; a single file appears in its place as a hard link, or a copy
    where the file system has none. Nothing is ever removed or replaced.

    Args:
        source: what is needed.
        name: its id.
        data_root: the folder of all data.
        mirror: address below which files may be found by their names, or None.
        offline: whether the network must not be touched.
        output: the record, JSON: ``source``, ``place`` below data_root, and what `Origin` says; it
            is the same whenever the data are.

    Raises:
        InputError: it is not at hand, and cannot be fetched without a person; or it is not the one
            that was meant.
    """
    place = source.place(data_root)
    if place is not None:
        origin = _at_hand(source, place, data_root)
    else:
        path = source.download(data_root)
        with writer_of(path):
            # Another process may have been at it.
            place = source.place(data_root)
            if place is None:
                place = data_root / source.provides[0]
                _note(path, _downloaded(source, name, path, mirror, offline))
                _provide(source, path, data_root)
        origin = _at_hand(source, place, data_root)
    where = place.relative_to(data_root).as_posix()
    logger.info("%s is at %s (%s)", name, place, origin.origin)
    record = {"source": name, "place": where, **asdict(origin)}
    write_text(output, json.dumps(record, indent=1) + "\n")


def _at_hand(source: Source, place: Path, data_root: Path) -> Origin:
    """Return what is known of what is at hand; a single file is verified.

    Raises:
        InputError: it is not the file that was meant.
    """
    path = source.download(data_root)
    made = place == data_root / source.provides[0]
    noted = _noted(path) if made else None
    if source.unpack or place.is_dir():
        return noted or Origin()
    wanted = _wanted(source) if made else Wanted()
    recorded = checksums.recorded(path) if made else None
    found = _verified(place, wanted, recorded)
    if noted and noted.sha256 == found.sha256:
        return noted
    against = found.checksum if wanted.published or recorded else "none"
    return Origin(OWN_COPY, found.sha256, found.bytes, against)


def _downloaded(source: Source, name: str, path: Path, mirror: str | None, offline: bool) -> Origin:
    """Ensure that the file of a source is in the folder of downloads, and what was meant."""
    wanted = _wanted(source)
    if path.is_file():
        found = _verified(path, wanted, checksums.recorded(path))
        discard_part(path)
        noted = _noted(path)
        if noted and noted.sha256 == found.sha256:
            return noted
        checksums.record(path, found.sha256)
        return Origin(OWN_COPY, **asdict(found))
    if offline:
        raise InputError(
            f"source '{name}' ({source.purpose}) is not at hand, and nothing is fetched offline: "
            f"put its file at {path} or the data at {path.parent.parent / source.provides[0]}"
            f"{_instructed(source)}"
        )
    url, found = _fetched(source, name, path, wanted, mirror)
    return Origin(url, **asdict(found))


def _fetched(
    source: Source, name: str, path: Path, wanted: Wanted, mirror: str | None
) -> tuple[str, Verified]:
    """Fetch the file of a source from the mirror, or else from where it is published."""
    mirrored = [f"{mirror.rstrip('/')}/{quote(source.file)}"] if mirror else []

    def note(url: str, found: Verified) -> None:
        _note(path, Origin(url, **asdict(found)))

    if source.access == "open":
        return download([*mirrored, *source.urls], path, wanted, note=note)
    failed = ""
    if mirrored:
        try:
            return download(mirrored, path, wanted, note=note)
        except InputError as error:
            failed = f" ({error})"
    credentials = cityscapes_credentials() if source.access == "cityscapes" else None
    if credentials is None:
        raise InputError(
            f"source '{name}' ({source.purpose}) cannot be fetched without you{failed}"
            f"{_instructed(source)}"
        )
    with new_session() as session:
        log_in_to_cityscapes(session, source.urls[0], credentials)
        if not wanted.published:
            wanted = Wanted(wanted.bytes, None, published_md5(session, source.urls[0]))
        return download(source.urls, path, wanted, session, note=note)


def _instructed(source: Source) -> str:
    return f". {' '.join(source.instructions.split())}" if source.instructions else ""


def _provide(source: Source, path: Path, data_root: Path) -> None:
    """Make what a source provides of its file."""
    if source.unpack:
        unpack(path, source.unpack, data_root, source.provides[0])
        return
    with complete_file(data_root / source.provides[0]) as part:
        try:
            os.link(path, part)
        # Another file system, or one without hard links.
        except OSError:
            shutil.copyfile(path, part)


def _wanted(source: Source) -> Wanted:
    return Wanted(source.bytes if source.exact_bytes else None, source.sha256, source.md5)


def _verified(path: Path, wanted: Wanted, recorded: str | None) -> Verified:
    try:
        return checksums.verify(path, wanted, recorded)
    except Mismatch as error:
        raise InputError(
            f"{path}: {error}: it is damaged, or not the file that was meant; move it away, and it "
            "is fetched anew"
        ) from None


def _note(path: Path, origin: Origin) -> None:
    """Write where a download came from to ``<name>.json``, for later records."""
    write_text(_note_of(path), json.dumps(asdict(origin), indent=1) + "\n")


def _noted(path: Path) -> Origin | None:
    note = _note_of(path)
    if not note.exists():
        return None
    try:
        return Origin(**json.loads(note.read_text(encoding="utf-8")))
    except (ValueError, TypeError):
        raise InputError(f"{note}: no note of a download; remove it") from None


def _note_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.json")
