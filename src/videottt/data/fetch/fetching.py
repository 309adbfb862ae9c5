"""Ensure that a source is present below data_root, and record its origin and checksum."""

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
    """The origin, checksum and size of a file.

    Attributes:
        origin: the address it was downloaded from, or "own copy" if the user put it there.
        sha256: SHA-256 of the download, in hexadecimal; None for a folder that the user put there.
        bytes: size of the download; None for a folder that the user put there.
        checksum: the checksum that it was verified by: "published", "first use" or "none".
    """

    origin: str = OWN_COPY
    sha256: str | None = None
    bytes: int | None = None
    checksum: str = "none"


def fetch(
    source: Source, name: str, data_root: Path, *, mirror: str | None, offline: bool, output: Path
) -> None:
    """Ensure that a source is present below `data_root`, and record its checksum.

    A source that is present is used as it is, and a single file is verified. Otherwise its file is
    taken from ``data_root/downloads``, where the user may have put it, or downloaded to there, from
    the mirror first. An archive is unpacked; a single file appears in its place as a hard link, or
    as a copy if the file system has no hard links. No data are ever removed or replaced.

    Args:
        source: the source.
        name: its id.
        data_root: the folder of all data.
        mirror: address of a folder that may have files under their names, or None.
        offline: whether the network must not be used.
        output: the record to write, as JSON: ``source``, ``place`` below data_root, and the fields
            of `Origin`; equal data have equal records.

    Raises:
        InputError: the source is missing and cannot be fetched automatically, or its file differs
            from the expected one.
    """
    place = source.place(data_root)
    if place is not None:
        origin = _origin_of(source, place, data_root)
    else:
        path = source.download(data_root)
        with writer_of(path):
            # Another process may have fetched it meanwhile.
            place = source.place(data_root)
            if place is None:
                place = data_root / source.provides[0]
                _note(path, _downloaded(source, name, path, mirror, offline))
                _provide(source, path, data_root)
        origin = _origin_of(source, place, data_root)
    where = place.relative_to(data_root).as_posix()
    logger.info("%s is at %s (%s)", name, place, origin.origin)
    record = {"source": name, "place": where, **asdict(origin)}
    write_text(output, json.dumps(record, indent=1) + "\n")


def _origin_of(source: Source, place: Path, data_root: Path) -> Origin:
    """Return the origin of a source that is present, after verifying a single file.

    Raises:
        InputError: the file differs from the expected one.
    """
    path = source.download(data_root)
    made = place == data_root / source.provides[0]
    noted = _noted(path) if made else None
    if source.unpack or place.is_dir():
        return noted or Origin()
    wanted = _wanted(source) if made else Wanted()
    recorded = checksums.recorded(path) if made else None
    verified = _verified(place, wanted, recorded)
    if noted and noted.sha256 == verified.sha256:
        return noted
    checksum = verified.checksum if wanted.published or recorded else "none"
    return Origin(OWN_COPY, verified.sha256, verified.bytes, checksum)


def _downloaded(source: Source, name: str, path: Path, mirror: str | None, offline: bool) -> Origin:
    """Ensure that the file of a source is in the folder of downloads, and verify it."""
    wanted = _wanted(source)
    if path.is_file():
        verified = _verified(path, wanted, checksums.recorded(path))
        discard_part(path)
        noted = _noted(path)
        if noted and noted.sha256 == verified.sha256:
            return noted
        checksums.record(path, verified.sha256)
        return Origin(OWN_COPY, **asdict(verified))
    if offline:
        raise InputError(
            f"source '{name}' ({source.purpose}) is missing, and nothing is fetched offline: "
            f"put its file at {path} or the data at {path.parent.parent / source.provides[0]}"
            f"{_instructed(source)}"
        )
    url, verified = _fetched(source, name, path, wanted, mirror)
    return Origin(url, **asdict(verified))


def _fetched(
    source: Source, name: str, path: Path, wanted: Wanted, mirror: str | None
) -> tuple[str, Verified]:
    """Fetch the file of a source from the mirror, or else from its publisher."""
    mirrored = [f"{mirror.rstrip('/')}/{quote(source.file)}"] if mirror else []

    def note(url: str, verified: Verified) -> None:
        _note(path, Origin(url, **asdict(verified)))

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
            f"source '{name}' ({source.purpose}) cannot be fetched automatically{failed}"
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
    """Unpack the downloaded file of a source, or link it to its place."""
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
            f"{path}: {error}: it is damaged, or another file; move it away, and the next run "
            "fetches it again"
        ) from None


def _note(path: Path, origin: Origin) -> None:
    """Write the origin of a download to ``<name>.json``, for later records."""
    write_text(_note_of(path), json.dumps(asdict(origin), indent=1) + "\n")


def _noted(path: Path) -> Origin | None:
    note = _note_of(path)
    if not note.exists():
        return None
    try:
        return Origin(**json.loads(note.read_text(encoding="utf-8")))
    except (ValueError, TypeError):
        raise InputError(f"{note}: is not the note of a download; remove it") from None


def _note_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.json")
