"""Unpacking only wanted members, completely or not at all, and refusing unsafe archives."""

import gzip
import stat
import tarfile
import zipfile

import pytest

from archive_files import IMAGES, MEMBERS, WANTED, below, make_tar, make_tar_gz, make_zip
from videottt.core.errors import InputError
from videottt.data.fetch import unpacking
from videottt.data.fetch.catalogue import Unpacking
from videottt.data.fetch.unpacking import unpack

FORMATS = pytest.mark.parametrize("make", [make_zip, make_tar, make_tar_gz])


def refuse(archive, root, message, wanted=WANTED):
    """Unpacking fails with one line, and leaves no trace."""
    before = below(root)
    with pytest.raises(InputError, match=message) as raised:
        unpack(archive, wanted, root, "set/images")
    assert "\n" not in str(raised.value)
    assert below(root) == before


@pytest.fixture
def root(tmp_path):
    return tmp_path / "data_root"


@FORMATS
def test_only_wanted_members_are_unpacked_whatever_the_archive_is_called(make, tmp_path, root):
    archive = make(tmp_path / "archive.bin", {"./data/skipped": b"", **MEMBERS})
    unpack(archive, WANTED, root, "set/images")
    expected = {f"set/images/{name[-5:]}": content for name, content in IMAGES.items()}
    assert below(root) == expected
    # Existing files are unchanged, and missing ones are added.
    (root / "set/images/a.png").write_bytes(b"my own")
    (root / "set/images/b.png").unlink()
    unpack(archive, WANTED, root, "set/images")
    assert below(root) == {**expected, "set/images/a.png": b"my own"}


def test_archives_in_an_archive_are_unpacked_by_their_names(tmp_path, root):
    classes = {name: make_tar(tmp_path / f"{name}.tar", {f"{name}.JPEG": name.encode()})
               for name in ("n01", "n02")}  # fmt: skip
    outer = make_tar(
        tmp_path / "train.tar", {f"{name}.tar": path.read_bytes() for name, path in classes.items()}
    )
    wanted = Unpacking({}, 20_000, 2, {"n*.tar": {"": "set/train/{stem}/"}})
    unpack(outer, wanted, root, "set/train")
    assert below(root) == {f"set/train/{name}/{name}.JPEG": name.encode() for name in classes}

    maps = make_zip(tmp_path / "maps.zip", {"val/1.png": b"1", "__MACOSX/val/._1.png": b""})
    outer = make_zip(tmp_path / "labels.zip", {"val.json": b"{}", "val.zip": maps.read_bytes()})
    wanted = Unpacking(
        {"val.json": "other/val.json"}, 10_000, 9, {"v*.zip": {"{stem}/": "other/maps/{stem}/"}}
    )
    unpack(outer, wanted, root, "other/maps")
    assert below(root / "other") == {"val.json": b"{}", "maps/val/1.png": b"1"}


@FORMATS
@pytest.mark.parametrize(
    "name", ["/etc/passwd", "data/images/../../../x", "..", "C:/x", "c:x", "data\\x", "data/\n"]
)
def test_names_that_lead_out_of_the_folder_are_refused_wanted_or_not(make, name, tmp_path, root):
    archive = make(tmp_path / "archive", {**MEMBERS, name: b"x"})
    refuse(archive, root, "a name that leads out of its folder, which no data set needs")


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE]
)
def test_links_and_devices_are_refused_wherever_they_point(kind, tmp_path, root):
    info = tarfile.TarInfo("other/link")
    info.type, info.linkname = kind, "data/images/a.png"
    refuse(make_tar(tmp_path / "tar", {**MEMBERS, info: b""}), root, "a link or device")
    link = zipfile.ZipInfo("other/link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    refuse(make_zip(tmp_path / "zip", {**MEMBERS, link: b"a.png"}), root, "a link or device")


@FORMATS
@pytest.mark.parametrize(
    "name", ["data/images/A.PNG", "data/images/a.png/b", "data/images/./a.png"]
)
def test_names_that_differ_by_case_alone_are_refused(make, name, tmp_path, root):
    archive = make(tmp_path / "archive", {**MEMBERS, name: b"x"})
    refuse(archive, root, "more than one member for")


@FORMATS
def test_more_bytes_or_files_than_declared_are_refused(make, tmp_path, root):
    archive = make(tmp_path / "archive", MEMBERS)
    places = {"data/images/": "set/images/"}
    refuse(archive, root, "more than the 11999 bytes", Unpacking(places, 11_999, 10))
    refuse(archive, root, "more than the 2 files", Unpacking(places, 100_000, 2))
    unpack(archive, Unpacking(places, 12_000, 3), root, "set/images")


def test_bytes_are_counted_as_they_are_written_not_by_headers(tmp_path, root):
    bomb = make_zip(tmp_path / "inner.zip", {"maps/x": bytes(10_000_000)})
    outer = make_zip(tmp_path / "outer.zip", {"inner.zip": bomb.read_bytes()})
    nested = Unpacking({}, 1_000_000, 10, {"inner.zip": {"maps/": "set/images/"}})
    refuse(outer, root, "more than the 1000000 bytes", nested)
    # Nested archives count, too.
    unwanted = make_zip(tmp_path / "inner.zip", {"maps/x": b"x", "y": bytes(2_000_000)}, 0)
    outer = make_zip(tmp_path / "outer.zip", {"inner.zip": unwanted.read_bytes()})
    refuse(outer, root, "more than the 1000000 bytes", nested)
    # A size that lies makes the checksum wrong.
    content = bytearray(make_zip(tmp_path / "zip", IMAGES).read_bytes())
    size = (4000).to_bytes(4, "little")
    (tmp_path / "zip").write_bytes(content.replace(size, (40).to_bytes(4, "little")))
    refuse(tmp_path / "zip", root, "damaged")


@FORMATS
def test_truncated_and_damaged_archives_are_refused(make, tmp_path, root):
    whole = make(tmp_path / "archive", MEMBERS).read_bytes()
    archive = tmp_path / "damaged"
    for cut in (0, 1, 100, len(whole) // 2, len(whole) - (11_000 if make is make_tar else 1)):
        archive.write_bytes(whole[:cut])
        refuse(archive, root, "damaged")
    if make is make_tar:
        # Cut between two members, nothing but the end mark is missing; and a damaged header.
        end = whole.index(b"other/x")
        for content in (whole[:end], whole[:end] + b"X" + whole[end + 1 :]):
            archive.write_bytes(content)
            refuse(archive, root, "damaged")
    if make is make_tar_gz:
        archive.write_bytes(gzip.compress(gzip.decompress(whole))[:-8] + bytes(8))
        refuse(archive, root, "damaged")


def test_bad_checksums_and_encrypted_members_of_zips_are_refused(tmp_path, root):
    archive = make_zip(tmp_path / "stored", IMAGES, zipfile.ZIP_STORED)
    content = archive.read_bytes()
    archive.write_bytes(content.replace(b"bbbb", b"bbXb", 1))
    refuse(archive, root, r"data/images/b\.png is damaged \(Bad CRC-32")
    encrypted = bytearray(content)
    encrypted[content.index(b"PK\x01\x02") + 8] |= 1
    archive.write_bytes(encrypted)
    refuse(archive, root, "an encrypted file")


@FORMATS
def test_an_archive_without_the_wanted_members_is_refused(make, tmp_path, root):
    archive = make(tmp_path / "archive", {"data/else.png": b"x"})
    refuse(archive, root, "holds nothing named 'data/images/'")


def test_a_killed_run_leaves_only_a_staging_folder_which_the_next_run_removes(tmp_path, root):
    archive = make_zip(tmp_path / "archive.zip", MEMBERS)
    left = root / "set" / ".archive.zip.unpacking" / "set/images"
    left.mkdir(parents=True)
    (left / "half.png").write_bytes(b"ha")
    unpack(archive, WANTED, root, "set/images")
    assert sorted(below(root)) == [f"set/images/{name}.png" for name in "abc"]
    assert [path.name for path in (root / "set").iterdir()] == ["images"]


def test_the_first_place_appears_last(tmp_path, root, monkeypatch):
    """If a run is killed between two moves, its last place is not there."""
    (root / "set/notes").mkdir(parents=True)
    archive = make_zip(tmp_path / "archive.zip", {"a/x": b"x", "b/y": b"y", "z": b"z"})
    wanted = Unpacking({"a/": "set/a/", "b/": "set/notes/b/", "z": "set/z"}, 100, 9)
    moved = []
    rename = unpacking.Path.rename
    monkeypatch.setattr(
        unpacking.Path, "rename", lambda path, to: (moved.append(to.name), rename(path, to))
    )
    unpack(archive, wanted, root, "set/a")
    assert moved == ["b", "z", "a"]


def test_too_little_space_is_reported_before_anything_is_written(tmp_path, root):
    huge = tmp_path / "huge.tar"
    make_tar(huge, MEMBERS)
    with huge.open("r+b") as file:
        file.truncate(1 << 43)  # of nothing
    refuse(huge, root, r"needs 8\.8 TB, but .* free space or choose another data_root")
