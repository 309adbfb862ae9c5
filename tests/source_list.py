"""A list of sources on a server of this machine, and the verb that fetches them."""

import hashlib
import json

import pytest
import yaml

from videottt.cli import main

WEIGHTS = b"weights" * 1000
PAIR = {"username": "ada", "password": "s3cret&more"}
ENTRY = {"licence": "MIT", "purpose": "a test", "access": "open", "exact_bytes": False}


def sha256(content):
    return hashlib.sha256(content).hexdigest()


class SourceList:
    """A list of sources on a server of this machine, and a folder of data."""

    def __init__(self, folder, server):
        self.folder, self.server = folder, server
        self.root = folder / "data"
        self.entries = {
            "weights": ENTRY | {
                "file": "w.pth", "urls": [f"{server.url}/w.pth"], "bytes": len(WEIGHTS),
                "sha256": sha256(WEIGHTS)[:8], "exact_bytes": True, "provides": ["weights/w.pth"],
            },
            "film": ENTRY | {
                "file": "film.webm", "urls": [f"{server.url}/film.webm"], "bytes": 9,
                "provides": ["films/film.webm", "films/film.*", "films/film"],
            },
            "labels": ENTRY | {
                "file": "maps.tar.gz", "urls": [f"{server.url}/maps.tar.gz"], "bytes": 9,
                "provides": ["set/maps", "set/other_maps"],
                "unpack": {
                    "members": {"set/maps/": "set/maps/"}, "most_bytes": 99, "most_files": 9,
                },
            },
            "city": ENTRY | {
                "file": "city.zip", "urls": [f"{server.url}/file-handling/?packageID=3"],
                "bytes": 9, "access": "cityscapes", "instructions": "Register\nfirst",
                "provides": ["city/val"],
                "unpack": {"members": {"val/": "city/val/"}, "most_bytes": 99, "most_files": 9},
            },
            "byhand": ENTRY | {
                "file": "hand.pkl", "urls": [], "bytes": 9, "access": "by_hand",
                "instructions": "Ask its authors", "provides": ["weights/hand.pkl"],
            },
        }  # fmt: skip

    def fetch(self, name, *options):
        """Run the verb, as a rule does, and return the record."""
        path = self.folder / "datasets.yaml"
        path.write_text(yaml.safe_dump({"sources": self.entries}))
        output = self.folder / "results" / f"{name}.json"
        output.unlink(missing_ok=True)
        main(
            ["fetch", name, "--sources", str(path), "--data-root", str(self.root),
             "--output", str(output), *options]
        )  # fmt: skip
        return json.loads(output.read_text())

    def refusal(self, capsys, name, *options):
        """Run the verb, which fails, and return its one line."""
        with pytest.raises(SystemExit) as raised:
            self.fetch(name, *options)
        assert raised.value.code == 2
        assert not (self.folder / "results" / f"{name}.json").exists()
        (line,) = capsys.readouterr().err.splitlines()
        assert "s3cret" not in line
        return line
