"""The paper's published numbers, as tabulated in workflow/resources/paper."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from videottt.core.errors import InputError, nearest
from videottt.evaluation.metrics import headline

# Stands for every split of ours that the paper has no number of its own for.
ANY = ""


@dataclass(frozen=True)
class PaperSource:
    """Whose published numbers stand beside ours for one task.

    Attributes:
        dataset: of the paper, for example "kitti_step".
        splits: our split -> that of the paper; those that are missing have the same name.
    """

    dataset: str
    splits: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class PaperNumbers:
    """What the paper states about the data sets that ours are compared with, by task.

    Attributes:
        datasets: task -> data set of the paper.
        values: (task, split or `ANY`, method id) -> headline metric in percent, tables 1 and 4.
        wall_time: method id -> seconds a frame, table 1.
        gains: (task, split, method id, baseline id) -> points of it, sections 5.1 and 6.1.
        claims: the same keys -> what the paper says in words where it gives no number.
    """

    datasets: dict[str, str] = field(default_factory=dict)
    values: dict[tuple[str, str, str], float] = field(default_factory=dict)
    wall_time: dict[str, float] = field(default_factory=dict)
    gains: dict[tuple[str, str, str, str], float] = field(default_factory=dict)
    claims: dict[tuple[str, str, str, str], str] = field(default_factory=dict)

    def value(self, task: str, split: str, method: str) -> float | None:
        """Return the published metric of a method on a split of ours."""
        return self.values.get((task, split, method), self.values.get((task, ANY, method)))

    def gain(self, task: str, split: str, method: str, baseline: str) -> float | None:
        """Return the stated gain of a method, else the difference of two published values."""
        if (task, split, method, baseline) in self.gains:
            return self.gains[task, split, method, baseline]
        ours, theirs = (self.value(task, split, each) for each in (method, baseline))
        if method == baseline or ours is None or theirs is None:
            return None
        return ours - theirs

    def slowdown(self, method: str, baseline: str) -> float | None:
        """Return how many times the seconds of `baseline` a frame takes."""
        ours, theirs = self.wall_time.get(method), self.wall_time.get(baseline)
        return None if ours is None or theirs is None else ours / theirs


def read_paper(files: Sequence[Path], sources: Mapping[str, PaperSource]) -> PaperNumbers:
    """Read the published numbers of the data sets that ours are compared with.

    Args:
        files: CSV files with a column `method` and columns ``<dataset>_<split>_<metric>``, where
            the metric is miou, ap or pq by task; a data set of which the paper does not tell splits
            apart has the task in the split's place. The same name with ``_gain`` or ``_claim``
            after it is of what the method gains over that in the column `baseline`. A column
            `seconds_per_frame` may be among them.
        sources: task -> whose numbers.

    Raises:
        InputError: a file is absent or not such a table, there is no such task, or no file has
            numbers of a task's data set.
    """
    paper = PaperNumbers({task: source.dataset for task, source in sources.items()})
    tables = {file: _table(file) for file in files}
    for task, source in sources.items():
        found = False
        for file, table in tables.items():
            found |= _read_columns(paper, file, table, task, source)
        if not found:
            raise InputError(
                f"'{source.dataset}' is no data set of the paper with numbers of task '{task}' in "
                f"{files[0].parent if files else 'no file'}; "
                + nearest(source.dataset, _datasets(tables.values(), task))
            )
    for table in tables.values() if sources else ():
        if "seconds_per_frame" in table:
            stated = table.dropna(subset="seconds_per_frame")
            paper.wall_time.update(zip(stated.method, stated.seconds_per_frame, strict=True))
    return paper


def read_columns(file: Path, dataset: str, task: str) -> dict[str, dict[str, float]]:
    """Read every published number of one data set and task.

    Args:
        file: CSV with a column `method` and columns ``<dataset>_<task>_<name>``.
        dataset: of the paper.
        task: of those that it has.

    Returns:
        method id -> name -> number, in the order of the file; a number that is not stated is left
        out.

    Raises:
        InputError: the file is absent or not such a table, or has no such data set.
    """
    table = _table(file).set_index("method")
    ending = re.compile(rf"(.+)_{re.escape(task)}_(.+)")
    found = {name: match.groups() for name in table if (match := ending.fullmatch(name))}
    names = {column: name for column, (of, name) in found.items() if of == dataset}
    if not names:
        known = {of for of, _ in found.values()}
        raise InputError(
            f"'{dataset}' is no data set of the paper with numbers of task '{task}' in {file}; "
            + nearest(dataset, known)
        )
    rows = table[list(names)].rename(columns=names)
    return {method: row.dropna().to_dict() for method, row in rows.iterrows()}


def _read_columns(
    paper: PaperNumbers, file: Path, table: pd.DataFrame, task: str, source: PaperSource
) -> bool:
    """Add the numbers of one task in one file, and return whether there are any."""
    pattern = re.compile(rf"{re.escape(source.dataset)}_(.+)_{_metric(task)}(|_gain|_claim)")
    kinds: dict[str, dict[Any, Any]] = {"": paper.values, "_gain": paper.gains}
    kinds["_claim"] = paper.claims
    columns = [match for name in table if (match := pattern.fullmatch(name))]
    for column in columns:
        name, theirs, kind = column.group(0, 1, 2)
        stated = table.dropna(subset=name)
        if kind and "baseline" not in table:
            raise InputError(f"{file}: no column 'baseline' beside '{name}'; add it")
        ids = stated[["method", "baseline"] if kind else ["method"]]
        for split in [ANY] if theirs == task else _ours(source.splits, theirs):
            keys = ((task, split, *row) for row in ids.itertuples(index=False, name=None))
            kinds[kind].update(zip(keys, stated[name], strict=True))
    return bool(columns)


def _ours(splits: Mapping[str, str], theirs: str) -> list[str]:
    """Return the splits of ours that a split of the paper stands beside."""
    same = [] if theirs in splits else [theirs]
    return same + [ours for ours, of in splits.items() if of == theirs]


def _metric(task: str) -> str:
    return headline(task).name.lower()


def _table(file: Path) -> pd.DataFrame:
    try:
        table = pd.read_csv(file)
    except (OSError, ValueError) as error:
        raise InputError(f"{file}: not a table of the paper's numbers ({error})") from None
    if "method" not in table:
        raise InputError(f"{file}: not a table of the paper's numbers: no column 'method'")
    return table


def _datasets(tables: Iterable[pd.DataFrame], task: str) -> set[str]:
    ending = f"_{_metric(task)}"
    names = [name for table in tables for name in table if name.endswith(ending)]
    return {name.removesuffix(ending).rpartition("_")[0] for name in names}
