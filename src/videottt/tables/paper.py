"""The paper's published numbers, as tabulated in workflow/resources/paper."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from videottt.errors import InputError, nearest


@dataclass(frozen=True)
class PaperNumbers:
    """What the paper states about one of its data sets; nothing where it states nothing.

    Attributes:
        dataset: of the paper, for example "kitti_step".
        miou: (split, method id) -> mean IoU in percent, tables 1 and 4.
        seconds: method id -> seconds a frame, table 1.
        gains: (split, method id, baseline id) -> points of mean IoU, sections 5.1 and 6.1.
        claims: the same keys -> what the paper says in words where it gives no number.
    """

    dataset: str = ""
    miou: dict[tuple[str, str], float] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    gains: dict[tuple[str, str, str], float] = field(default_factory=dict)
    claims: dict[tuple[str, str, str], str] = field(default_factory=dict)

    def beside(self, splits: Mapping[str, str]) -> "PaperNumbers":
        """Return the same numbers, also under our own names of splits.

        Args:
            splits: our split -> that of the paper whose numbers stand beside it.
        """

        def under(numbers: dict[tuple, Any]) -> dict[tuple, Any]:
            ours = {
                (split, *rest): value
                for split, theirs in splits.items()
                for (of, *rest), value in numbers.items()
                if of == theirs
            }
            return numbers | ours

        return replace(
            self, miou=under(self.miou), gains=under(self.gains), claims=under(self.claims)
        )

    def gain(self, split: str, method: str, baseline: str) -> float | None:
        """Return the stated gain of a method, else the difference of two published values."""
        if (split, method, baseline) in self.gains:
            return self.gains[split, method, baseline]
        ours, theirs = self.miou.get((split, method)), self.miou.get((split, baseline))
        if method == baseline or ours is None or theirs is None:
            return None
        return ours - theirs

    def slowdown(self, method: str, baseline: str) -> float | None:
        """Return how many times the seconds of `baseline` a frame takes."""
        ours, theirs = self.seconds.get(method), self.seconds.get(baseline)
        return None if ours is None or theirs is None else ours / theirs


def read_paper(files: Sequence[Path], dataset: str) -> PaperNumbers:
    """Read the published numbers of one of the paper's data sets.

    Args:
        files: CSV files with a column `method` and columns ``<dataset>_<split>_miou``, or with
            columns `method`, `baseline`, ``<dataset>_<split>_gain`` and
            ``<dataset>_<split>_claim``; a column `seconds_per_frame` may be among them.
        dataset: of the paper.

    Raises:
        InputError: a file is absent or not such a table, or none has numbers of `dataset`.
    """
    paper = PaperNumbers(dataset)
    for file, table in ((file, _table(file)) for file in files):
        pattern = re.compile(rf"{re.escape(dataset)}_(.+)_(miou|gain|claim)")
        for name, (split, kind) in (
            (name, match.groups()) for name in table if (match := pattern.fullmatch(name))
        ):
            stated = table.dropna(subset=name)
            if kind == "miou":
                keys = [(split, method) for method in stated.method]
                paper.miou.update(zip(keys, stated[name], strict=True))
                continue
            if "baseline" not in table:
                raise InputError(f"{file}: no column 'baseline' beside '{name}'; add it")
            keys = [(split, *ids) for ids in zip(stated.method, stated.baseline, strict=True)]
            numbers = paper.gains if kind == "gain" else paper.claims
            numbers.update(zip(keys, stated[name], strict=True))
        if "seconds_per_frame" in table:
            stated = table.dropna(subset="seconds_per_frame")
            paper.seconds.update(zip(stated.method, stated.seconds_per_frame, strict=True))
    if files and not (paper.miou or paper.gains or paper.claims):
        raise InputError(
            f"'{dataset}' is no data set of the paper with numbers in {files[0].parent}; "
            + nearest(dataset, _datasets(files))
        )
    return paper


def _table(file: Path) -> pd.DataFrame:
    try:
        table = pd.read_csv(file)
    except (OSError, ValueError) as error:
        raise InputError(f"{file}: not a table of the paper's numbers ({error})") from None
    if "method" not in table:
        raise InputError(f"{file}: not a table of the paper's numbers: no column 'method'")
    return table


def _datasets(files: Sequence[Path]) -> set[str]:
    names = [name for file in files for name in _table(file)]
    return {name.rsplit("_", 2)[0] for name in names if name.endswith(("_miou", "_gain"))}
