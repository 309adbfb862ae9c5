"""Write what a study does not show, and why, as a table of its own."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from videottt.core.errors import InputError
from videottt.core.files import write_csv, write_text

COLUMNS = ("what", "dataset", "task", "reason")
TITLE = "What this study does not show, and why"
ALL = "all"


def write_omissions(rows: Sequence[Mapping[str, str]], csv: Path, markdown: Path) -> str:
    """Write rows of what is left out as CSV and Markdown; return the Markdown.

    Args:
        rows: with `COLUMNS`; an empty data set or task stands for all of them.
        csv: to write.
        markdown: to write.

    Raises:
        InputError: a row lacks a column.
    """
    for row in rows:
        if set(row) != set(COLUMNS):
            raise InputError(
                f"omission-table: a row has {', '.join(row) or 'nothing'}; give it "
                f"{', '.join(COLUMNS)}"
            )
    table = pd.DataFrame(list(rows), columns=list(COLUMNS))
    shown = table.assign(**{name: table[name].replace("", ALL) for name in ("dataset", "task")})
    body = shown.to_markdown(index=False) if len(shown) else "Nothing is left out."
    text = f"**{TITLE}**\n\n{body}\n"
    write_csv(csv, table)
    write_text(markdown, text)
    return text
