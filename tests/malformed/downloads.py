"""Archives that were downloaded, and lists of what is."""

import hashlib
import io
import json
import tarfile
import zipfile

from malformed.case import cases, command


def zipped(**members):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "/"), content)
    return stream.getvalue()


def tarred():
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name in ("a", "b"):
            archive.addfile(tarfile.TarInfo(f"d/{name}"), io.BytesIO())
    return stream.getvalue()


def downloaded(content, *, name="x.zip", **facts):
    """Return the maker of a file that was downloaded, and of the list that names it."""

    def make(folder, _):
        path = folder / "data/downloads" / name
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
        entry = {
            "file": name,
            "bytes": len(content),
            "licence": "none",
            "purpose": "a test",
            "access": "by_hand",
            "instructions": "take it",
            "provides": ["made"],
            "unpack": {"members": {"d/": "made/"}, "most_bytes": 1000, "most_files": 5},
            **facts,
        }
        return listed(folder, json.dumps({"sources": {"x": entry}}))

    return make


def listed(folder, text, name="x"):
    (folder / "sources.yaml").write_text(text)
    values = {
        "sources": folder / "sources.yaml",
        "data-root": folder / "data",
        "output": folder / "out/x.json",
    }
    return ["fetch", name, *command("", values)[1:], "--offline"]


def source(text, name="x"):
    """Return the maker of a list of sources."""
    return lambda folder, _: listed(folder, text, name)


WHOLE = zipped(d__a="1" * 50, d__b="2" * 50)
LEVELS = "".join(
    f"{two}: &{two} [{','.join([f'*{one}'] * 9)}]\n"
    for one, two in zip("abcdefgh", "bcdefghi", strict=True)
)
# The lock of a download, what its address and checksum are, and the folder to unpack into.
KEPT = ("downloads/.x.*.lock", "downloads/x.*.json", "downloads/x.*.sha256", "data/made")
DAMAGED = r"x\.\w+: is not a zip or tar archive, or is damaged \(.*\); remove it and fetch"
PAGE = b"<!DOCTYPE html><html><body>Log in</body></html>"
CASES = [
    *cases(
        "download",
        [
            ("a zip cut off", downloaded(WHOLE[:-40]), DAMAGED),
            ("an HTML page", downloaded(PAGE), DAMAGED),
            (
                "of another size",
                downloaded(WHOLE, bytes=9999),
                r"x\.zip: has 286 bytes, but 9999 are expected: .*; move it",
            ),
            (
                "of another checksum",
                downloaded(WHOLE, sha256=hashlib.sha256(b"").hexdigest()),
                r"x\.zip: has sha256 \w+, but e3b0\w+ is expected: .*; move it",
            ),
            ("empty", downloaded(b"", bytes=0), r"x: bytes must be a number above 0"),
            ("a tar cut off", downloaded(tarred()[:-20], name="x.tgz"), DAMAGED),
            (
                "names that lead elsewhere",
                downloaded(zipped(**{"..__a": "1"})),
                r"x\.zip: holds '\.\./a', a name that leads out of its folder",
            ),
            (
                "more than is declared",
                downloaded(zipped(d__a="1" * 2000)),
                r"x\.zip: unpacks to more than the 1000 bytes",
            ),
            (
                "nothing that is wanted",
                downloaded(zipped(e__a="1")),
                r"x\.zip: holds nothing named 'd/', so .*; remove",
            ),
        ],
        KEPT,
    ),
    *cases(
        "sources",
        [
            ("no YAML", source("sources: [\n"), r"sources\.yaml: is not YAML \(.*\); mend it"),
            ("a tab", source("sources:\n\tx: {}\n"), r"sources\.yaml: is not YAML"),
            ("a list", source("- x\n"), r"sources\.yaml: must hold 'sources', by id"),
            (
                "an unknown key",
                source("sources: {x: {fil: y}}\n"),
                r"sources\.yaml: x: unknown setting 'fil'; did you mean 'file'",
            ),
            (
                "an entry that is a list",
                source("sources: {x: [1]}\n"),
                r"sources\.yaml: x: must be keys and values",
            ),
            (
                "bytes that are text",
                downloaded(WHOLE, bytes="many"),
                r"sources\.yaml: x: bytes: 'many' is not allowed; it must be a whole number",
            ),
            ("an unknown id", source("sources: {}\n", "y"), r"sources\.yaml: unknown source 'y'"),
            (
                "aliases that multiply",
                source("a: &a [x,x,x,x,x,x,x,x,x]\n" + LEVELS),
                r"sources\.yaml: must hold 'sources'",
            ),
        ],
    ),
]
