"""Write sheets as Markdown and LaTeX, and a main table as CSV."""

import itertools
import math
import re
import textwrap
from collections.abc import Iterable, Sequence

import pandas as pd
from tabulate import tabulate

from videottt.report.tables.sheets import Sheet

# Headings of columns of words, which are aligned left.
TEXTS = ("Data", "Method", "compared with")
# Characters a line of a caption.
WIDTH = 110

# Characters with another meaning in LaTeX, or none.
LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "±": r"$\pm$",
    "–": "--",
    "†": r"\textsuperscript{\dag}",
    "‡": r"\textsuperscript{\ddag}",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
}


def markdown(title: str, sheets: Sequence[Sheet], caption: str) -> str:
    """Return sheets as pipe tables, with the caption below them."""
    tables = [
        (f"*{sheet.title}*\n\n" if sheet.title else "")
        + tabulate(
            sheet.rows,
            headers=[_heading(over, own) for over, own in sheet.headings],
            tablefmt="pipe",
            # Otherwise 10.0 becomes 10.
            disable_numparse=True,
        )
        for sheet in sheets
    ]
    return "\n\n".join([f"**{title}**", *tables, _wrapped(caption)]) + "\n"


def latex(identity: str, title: str, sheets: Sequence[Sheet], caption: str) -> str:
    """Return sheets as one LaTeX table in the style of booktabs, no wider than the text."""
    width = r"\ifdim\width>\linewidth\linewidth\else\width\fi"
    tabulars = "\n\n\\medskip\n".join(
        (f"\\textit{{{escaped(sheet.title)}}}\\\\\n" if sheet.title else "")
        + f"\\resizebox{{{width}}}{{!}}{{%\n{_tabular(sheet)}%\n}}"
        for sheet in sheets
    )
    lines = [
        "% \\usepackage{booktabs,graphicx}",
        r"\begin{table*}",
        r"\centering\scriptsize\setlength{\tabcolsep}{3pt}",
        tabulars,
        rf"\caption{{{_wrapped(escaped(f'{title}. {caption}'))}}}",
        rf"\label{{tab:{identity}}}",
        r"\end{table*}",
    ]
    return "\n".join(lines) + "\n"


def escaped(text: str) -> str:
    """Return text for LaTeX: ``**bold**``, ``*italic*``, and a minus sign before a number."""
    text = "".join(LATEX.get(character, character) for character in text)
    text = re.sub(r"(?<![\w-])-(?=[\d ])", "$-$", text)
    text = re.sub(r"\*\*(.+?)\*\*", r"\\textbf{\1}", text)
    return re.sub(r"^\*(.+)\*$", r"\\textit{\1}", text)


def _wrapped(caption: str) -> str:
    return textwrap.fill(caption, WIDTH, break_long_words=False, break_on_hyphens=False)


def csv_text(table: pd.DataFrame) -> str:
    """Return a main table as CSV: empty for None, NaN for an undefined number."""
    result: str = table.map(_csv_cell).to_csv(index=False)
    return result


def _csv_cell(value: object) -> str:
    if isinstance(value, float):
        return "NaN" if math.isnan(value) else f"{value:.6g}"
    return "" if value is None else str(value)


def _heading(over: str, own: str) -> str:
    return f"{over}: {own}" if over else own


def _tabular(sheet: Sheet) -> str:
    texts = [over == "" and own in TEXTS for over, own in sheet.headings]
    lines = [
        rf"\begin{{tabular}}{{{''.join('l' if text else 'r' for text in texts)}}}",
        r"\toprule",
    ]
    lines += _over_headings([over for over, _ in sheet.headings])
    lines += [_line(own for _, own in sheet.headings), r"\midrule"]
    for number, (row, group) in enumerate(zip(sheet.rows, sheet.groups, strict=True)):
        if number and group != sheet.groups[number - 1]:
            lines.append(r"\midrule")
        lines.append(_line(row))
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"])


def _line(cells: Iterable[str]) -> str:
    return " & ".join(escaped(cell) for cell in cells) + r" \\"


def _over_headings(overs: list[str]) -> list[str]:
    """Return the line of shared headings, and the rules below it."""
    spans, rules, column = [], [], 1
    for over, members in itertools.groupby(overs):
        width = len(list(members))
        spans.append(rf"\multicolumn{{{width}}}{{c}}{{{escaped(over)}}}")
        if over:
            rules.append(rf"\cmidrule(lr){{{column}-{column + width - 1}}}")
        column += width
    return [" & ".join(spans) + r" \\", " ".join(rules)] if rules else []
