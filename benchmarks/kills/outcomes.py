"""What a command line has made, in a form in which two outcomes can be compared byte by byte."""

from pathlib import Path

import h5py
import numpy as np

from videottt.evaluation.scores import FORMAT as SCORES
from videottt.store.hdf5 import CHECKSUM, attributes_of
from videottt.store.predictions import FORMAT as PREDICTIONS

# Files that say what they cost, and the groups that do, which no two runs agree on.
COSTING = (PREDICTIONS, SCORES)
COSTS = frozenset({"wall_time", "memory"})


def made(folder: Path) -> dict[str, bytes]:
    """Return all that lies below a folder, but for hidden files.

    Returns:
        bytes by name: of an HDF5 file those of each data set, with its type and shape, and of all
        attributes; of any other file its own. Costs are left out, and the checksum of them.
    """
    found: dict[str, bytes] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_dir() or any(part.startswith(".") for part in Path(name).parts):
            continue
        if path.suffix == ".h5":
            found |= {f"{name}:{part}": value for part, value in _stored(path).items()}
        else:
            found[name] = path.read_bytes()
    return found


def _stored(path: Path) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    with h5py.File(path) as file:
        costs = COSTS if attributes_of(file).get("format") in COSTING else frozenset()

        def visit(name: str, node: h5py.Group | h5py.Dataset) -> None:
            found[f"{name}@"] = _attributes(node, without=CHECKSUM if costs else "")
            if isinstance(node, h5py.Dataset) and not costs & set(name.split("/")):
                found[name] = f"{node.dtype} {node.shape}:".encode() + _values(node)

        visit("", file)
        file.visititems(visit)
    return found


def _attributes(node: h5py.Group | h5py.Dataset, without: str) -> bytes:
    found = {name: np.asarray(node.attrs[name]).tolist() for name in node.attrs if name != without}
    return repr(found).encode()


def _values(stored: h5py.Dataset) -> bytes:
    values = np.asarray(stored[()])
    if values.dtype != object:
        return values.tobytes()
    # Of variable length each.
    parts = [np.asarray(each).tobytes() for each in values.ravel()]
    return b"".join(str(len(part)).encode() + b":" + part for part in parts)


def differing_bytes(one: dict[str, bytes], other: dict[str, bytes]) -> dict[str, int]:
    """Return how many bytes differ, by name, of what differs at all."""
    counts = {name: _differing(one.get(name, b""), other.get(name, b"")) for name in {*one, *other}}
    return {name: count for name, count in sorted(counts.items()) if count}


def _differing(one: bytes, other: bytes) -> int:
    common = min(len(one), len(other))
    ones, others = (np.frombuffer(each[:common], np.uint8) for each in (one, other))
    return int((ones != others).sum()) + max(len(one), len(other)) - common
