"""Read the paper's published numbers from workflow/resources/paper."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from videottt.core.errors import InputError, nearest
from videottt.evaluation.metrics import headline

# Any split of ours without a number of its own in the paper.
ANY = ""


@dataclass(frozen=True)
class PaperSource:
    """The source of the published numbers beside ours, for one task.

    Attributes:
        dataset: of the paper, for example "kitti_step".
        splits: our split -> the paper's; splits left out have the same name in the paper.
    """

    dataset: str
    splits: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class PaperNumbers:
    """The paper's numbers on the data sets that ours are compared with, by task.

    Attributes:
        datasets: task -> data set of the paper.
        values: (task, split or `ANY`, method id) -> headline metric in percent, tables 1 and 4.
        gains: (task, split, method id, baseline id) -> gain in points, sections 5.1 and 6.1.
        claims: the same keys -> the paper's words where it gives no number.
    """

    datasets: dict[str, str] = field(default_factory=dict)
    values: dict[tuple[str, str, str], float] = field(default_factory=dict)
    gains: dict[tuple[str, str, str, str], float] = field(default_factory=dict)
    claims: dict[tuple[str, str, str, str], str] = field(default_factory=dict)

    def value(self, task: str, split: str, method: str) -> float | None:
        """Return the published metric of a method on a split of ours."""
        return self.values.get((task, split, method), self.values.get((task, ANY, method)))

    def gain(self, task: str, split: str, method: str, baseline: str) -> float | None:
        """Return the stated gain of a method, else the difference of two published values."""
        if (task, split, method, baseline) in self.gains:
            return self.gains[task, split, method, baseline]
        ours, theirs = (self.value(task, split, name) for name in (method, baseline))
        if method == baseline or ours is None or theirs is None:
            return None
        return ours - theirs


def read_paper(files: Sequence[Path], sources: Mapping[str, PaperSource]) -> PaperNumbers:
    """Read the published numbers of the data sets that ours are compared with.

    Args:
        files: CSV files with a column `method` and columns ``<dataset>_<split>_<metric>``, where
            the metric is miou, ap or pq by task; where the paper does not tell splits apart, the
            task stands in the split's place. The same name with ``_gain`` or ``_claim``
            after it is the gain of the method over that in the column `baseline`.
        sources: task -> source of its numbers.

    Raises:
        InputError: a file is absent or has another format, a task is unknown, or no file has
            numbers of a task's data set.
    """
    paper = PaperNumbers({task: source.dataset for task, source in sources.items()})
    tables = {file: _table(file) for file in files}
    for task, source in sources.items():
        stated = [_read_columns(paper, file, table, task, source) for file, table in tables.items()]
        if not any(stated):
            raise InputError(
                f"'{source.dataset}' is no data set of the paper with numbers of task '{task}' in "
                f"{files[0].parent if files else 'no file'}; "
                + nearest(source.dataset, _datasets(tables.values(), task))
            )
    return paper


def read_seconds(file: Path) -> dict[str, float]:
    """Read the paper's seconds a frame of each method, from its table 1.

    Raises:
        InputError: the file is absent, or is not such a table.
    """
    table = _table(file)
    if "seconds_per_frame" not in table:
        raise InputError(f"{file}: no column 'seconds_per_frame'; give the paper's table 1")
    stated = table.dropna(subset="seconds_per_frame")
    return dict(zip(stated.method, stated.seconds_per_frame, strict=True))


def read_columns(file: Path, dataset: str, task: str) -> dict[str, dict[str, float]]:
    """Read every published number of one data set and task.

    Args:
        file: CSV with a column `method` and columns ``<dataset>_<task>_<name>``.
        dataset: of the paper.
        task: id.

    Returns:
        method id -> name -> number, in the order of the file; a number that is not stated is left
        out.

    Raises:
        InputError: the file is absent or has another format, or lacks the data set.
    """
    table = _table(file).set_index("method")
    ending = re.compile(rf"(.+)_{re.escape(task)}_(.+)")
    columns = {name: match.groups() for name in table if (match := ending.fullmatch(name))}
    names = {column: name for column, (of, name) in columns.items() if of == dataset}
    if not names:
        known = {of for of, _ in columns.values()}
        raise InputError(
            f"'{dataset}' is no data set of the paper with numbers of task '{task}' in {file}; "
            + nearest(dataset, known)
        )
    rows = table[list(names)].rename(columns=names)
    return {method: row.dropna().to_dict() for method, row in rows.iterrows()}


def _read_columns(
    paper: PaperNumbers, file: Path, table: pd.DataFrame, task: str, source: PaperSource
) -> bool:
    """Add the numbers of one task in one file; return whether the file has any."""
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
    """Return our splits that a split of the paper stands beside."""
    same = [] if theirs in splits else [theirs]
    return same + [ours for ours, of in splits.items() if of == theirs]


def _metric(task: str) -> str:
    return headline(task).name.lower()


def _table(file: Path) -> pd.DataFrame:
    try:
        table = pd.read_csv(file)
    except (OSError, ValueError) as error:
        raise InputError(
            f"{file}: not a table of the paper's numbers ({error}); give a CSV"
        ) from None
    if "method" not in table:
        raise InputError(f"{file}: not a table of the paper's numbers: no column 'method'; add it")
    return table


def _datasets(tables: Iterable[pd.DataFrame], task: str) -> set[str]:
    ending = f"_{_metric(task)}"
    names = [name for table in tables for name in table if name.endswith(ending)]
    return {name.removesuffix(ending).rpartition("_")[0] for name in names}
