"""What a malformed input is, and the whole inputs that are spoilt to make one."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import h5py

from videottt.data.layouts.kitti_step import CITYSCAPES
from videottt.store.hdf5 import CHECKSUM, new_file


@dataclass(frozen=True)
class Whole:
    """Files that are as they should be; none is ever changed."""

    frames: Path
    checkpoint: Path
    predictions: Path
    scores: Path
    metrics: Path


@dataclass(frozen=True)
class Case:
    """A malformed input.

    Attributes:
        id: what is wrong with it, in a few words.
        make: makes it in an empty folder and returns the command line that meets it. The outputs
            are to lie in the folder ``out``, which is there and empty.
        says: pattern of the line expected: the file or key, what is wrong, how to mend it.
        keeps: patterns of files beside the input that the verb keeps about it, whatever happens.
    """

    id: str
    make: Callable[[Path, Whole], list[str]]
    says: str
    keeps: tuple[str, ...] = ()


def ingesting(folder, layout, video, **settings):
    """Return the command that reads one video of a data set in `folder`."""
    values = {"layout": layout, "fps": 10, **settings}
    return ["ingest", "--dataset", "d", "--split", "val", "--video", video, "--root", str(folder),
            "--settings", json.dumps(values), "--output", str(folder / "out/x.h5")]  # fmt: skip


def predicting(folder, whole, **changes):
    """Return the command that predicts with the fixed model, with some arguments changed."""
    values = {
        "frames": whole.frames,
        "checkpoint": whole.checkpoint,
        "task": "semantic",
        "method": "m",
        "settings": json.dumps({"objective": "none", "shortest_edge": 64, "longest_edge": 256}),
        "seed": 0,
        "device": "cpu",
        "output": folder / "out/x.h5",
        **changes,
    }
    return command("predict", values)


def command(verb, values):
    """Return the words of a command line."""
    return [verb, *(word for name, value in values.items() for word in (f"--{name}", str(value)))]


def rewritten(path, source, change):
    """Write a copy of an HDF5 file of ours with a change that its checksum does not tell."""
    with h5py.File(source) as old, new_file(path) as new:
        for name in old:
            old.copy(name, new)
        for name in old.attrs:
            if name != CHECKSUM:
                new.attrs.create(name, old.attrs[name], dtype=old.attrs.get_id(name).dtype)
        change(new)
    return path


def replaced(name, values, **options):
    """Return a change that puts another data set in the place of one."""

    def change(file):
        del file[name]
        file.create_dataset(name, data=values, **options)

    return change


def cases(
    kind: str, rows: Iterable[tuple[str, Callable, str]], keeps: tuple[str, ...] = ()
) -> list[Case]:
    """Return rows of (id, make, says) as cases of one kind of input."""
    return [Case(f"{kind}: {name}", make, says, keeps) for name, make, says in rows]


CLASSES = {"classes": list(CITYSCAPES), "things": ["person", "car"]}
