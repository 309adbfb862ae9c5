"""The table of the campaign: a CSV that grows row by row, and Markdown in the end."""

import logging
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from kills.campaign import MOMENTS, Row

logger = logging.getLogger("kills")

SUMS = ["runs", "kills", *MOMENTS, "resumed", "differing", "leftovers", "states", "claims"]


class Results:
    """Rows of this campaign and of what it goes on from.

    Args:
        path: of the CSV.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._table = pd.read_csv(path, keep_default_na=False) if path.exists() else pd.DataFrame()

    def lacks(self, name: str, only: Sequence[str]) -> bool:
        """Return whether a target has no row yet, and is one of those that are asked for."""
        known = len(self._table) and name in set(self._table.target)
        return not known and (not only or any(text in name for text in only))

    def add(self, row: Row, prefix: str = "") -> None:
        """Keep a row, and log it."""
        columns = {**row.as_dict(), "target": prefix + row.target}
        self._table = pd.concat([self._table, pd.DataFrame([columns])], ignore_index=True)
        self._table.to_csv(self._path, index=False)
        found = ", ".join(f"{number} {moment}" for moment, number in row.moments.items())
        logger.info(
            "%s: %d kills (%s), %d runs of %.1f s, %d resumed: %s",
            columns["target"], row.kills, found, row.runs, row.seconds, row.resumed,
            "exact" if row.exact else f"NOT EXACT: {columns}",
        )  # fmt: skip

    @property
    def exact(self) -> bool:
        """Return whether nothing differs, nothing is left and nothing went wrong."""
        wrong = self._table[["differing", "leftovers", "states", "claims"]].to_numpy().any()
        return not wrong and not self._table.problem.astype(str).any()

    def markdown(self) -> str:
        """Return all rows, and their sum."""
        total = {"target": f"{len(self._table)} targets", **self._table[SUMS].sum().to_dict()}
        table = pd.concat([self._table, pd.DataFrame([total])], ignore_index=True)
        return table.drop(columns="seconds").fillna("").to_markdown(index=False)

    def summary(self) -> str:
        """Return the sums in one line."""
        sums = self._table[SUMS].sum()
        found = ", ".join(f"{sums[moment]} {moment}" for moment in MOMENTS)
        left = ", ".join(f"{sums[name]} {name}" for name in ("leftovers", "states", "claims"))
        wrong = int(self._table.problem.astype(bool).sum())
        return (
            f"{len(self._table)} targets, {sums.kills} kills ({found}), {sums.resumed} resumed; "
            f"differing bytes: {sums.differing}; {left}; {wrong} problems"
        )
