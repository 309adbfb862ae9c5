"""Compare the results of two trees, value by value: did a change of the code change a number?

    python benchmarks/same_numbers.py OLD/results NEW/results

Compares frame stores, checkpoints, training histories, predictions, scores, traces, metrics and
tables. Wall times, memory and provenance are left out. The exit status is 1 if anything differs.
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
from safetensors.numpy import load_file

FOLDERS = (
    "frames",
    "checkpoints",
    "predictions",
    "scores",
    "traces",
    "theory",
    "metrics",
    "tables",
)
# Parts of names that are of time or memory, today or in files of earlier formats.
COSTS = ("seconds", "wall_time", "memory", "slowdown")
# Names of earlier formats.
RENAMED = {"frames": {"seconds": "timestamps"}}
ATTRIBUTES = ("dataset", "task", "method", "seed", "video", "split", "fps", "classes", "things")

Values = Iterator[tuple[str, object]]


def main() -> None:
    """Compare two folders of results, and print what was compared and what differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    options = parser.parse_args()
    compared: Counter[str] = Counter()
    files: Counter[str] = Counter()
    differing = []
    for folder in FOLDERS:
        names = [relative_files(root / folder) for root in (options.old, options.new)]
        differing += [f"{folder}/{name}: only in one" for name in sorted(names[0] ^ names[1])]
        for name in sorted(names[0] & names[1]):
            old, new = (dict(values_of(root / folder / name, folder))
                        for root in (options.old, options.new))  # fmt: skip
            files[folder] += 1
            for key in sorted(old.keys() | new.keys()):
                if key not in old or key not in new:
                    differing.append(f"{folder}/{name}: {key}: only in one")
                elif not equal(old[key], new[key]):
                    differing.append(f"{folder}/{name}: {key}")
                else:
                    compared[folder] += np.size(old[key])
    for folder, count in compared.items():
        print(f"{folder}: {count:,} values of {files[folder]} files are equal")
    print(f"in all: {compared.total():,} values are equal, {len(differing)} differ")
    print(*differing[:50], sep="\n")
    counts = {"equal": dict(compared), "files": dict(files), "differing": len(differing)}
    print(json.dumps({"benchmark": "same_numbers"} | counts))
    sys.exit(1 if differing or not compared else 0)


def relative_files(folder: Path) -> set[str]:
    """Return the files of a folder that hold numbers."""
    suffixes = {".h5", ".csv", ".safetensors"}
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.suffix in suffixes}


def values_of(path: Path, folder: str) -> Values:
    """Yield every value of a file, by name."""
    if path.suffix == ".h5":
        yield from hdf5_values(path, RENAMED.get(folder, {}))
    elif path.suffix == ".safetensors":
        yield from load_file(path).items()
    else:
        yield from csv_values(path)


def hdf5_values(path: Path, renamed: dict[str, str]) -> Values:
    """Yield every data set of an HDF5 file, and what its attributes say of the result."""
    with h5py.File(path) as file:
        found: dict[str, object] = {}

        def visit(name: str, node: object) -> None:
            name = renamed.get(name, name)
            if isinstance(node, h5py.Dataset) and not is_cost(name):
                found[name] = node[()]

        file.visititems(visit)
        yield from found.items()
        for name in ATTRIBUTES:
            if name in file.attrs:
                yield f"@{name}", file.attrs[name]


def csv_values(path: Path) -> Values:
    """Yield every cell of a table whose row and column are of no cost."""
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    # Of tidy tables, one row a number.
    if "metric" in table:
        table = table[~table.metric.map(is_cost)]
    for column in table:
        if not is_cost(str(column)):
            yield f"column {column}", table[column].to_numpy(dtype=object)


def is_cost(name: str) -> bool:
    """Return whether a name is of time or memory."""
    return any(part in name for part in COSTS)


def equal(old: object, new: object) -> bool:
    """Return whether two values are equal bit for bit; NaN equals itself."""
    first, second = np.asarray(old), np.asarray(new)
    if first.dtype != second.dtype or first.shape != second.shape:
        return False
    if first.dtype.kind in "OUS":
        return first.tolist() == second.tolist()
    return first.tobytes() == second.tobytes()


if __name__ == "__main__":
    main()
